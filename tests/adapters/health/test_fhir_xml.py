"""FHIR R4 in XML says what its JSON says, judged by another reader and writer: `fhir.resources` (R4B models)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import schemas
from adapters.health import ADAPTER
from adapters.kit.fhir_xml import FHIR, FHIR_XML, read_xml, types, write_xml
from adapters.kit.native import Unreadable
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office, release
from tests.support.samples import needs_samples, sample_files

JSON = "application/fhir+json"
EXAMPLES = sorted((Path(str(schemas.__file__)).parent / "examples").glob("*/pass*.json"))
PATIENT = f"""<Patient xmlns="{FHIR}"><id value="p"/><active value="true"/>
<name><family value="王"/><given value="小"><extension url="urn:x"><valueInteger value="3"/></extension></given>
<given><extension url="urn:y"><valueString value="无"/></extension></given></name>
<birthDate value="2015-03-02"/><multipleBirthInteger value="2"/></Patient>"""


def _what_was_said(item: SubmittedNotice | RefusedItem) -> Any:
    if isinstance(item, RefusedItem):
        return [(problem.code, problem.position) for problem in item.problems]
    return item.type, item.data, item.gaps, sorted(item.provenance), item.reporter


def _decoded(raw: bytes, media_type: str) -> list[Any]:
    return [_what_was_said(item) for item in ADAPTER.decode(raw, media_type, office("health"), {}).items]


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize("path", sample_files("fhir-r4", "*.json"), ids=lambda path: path.stem)
def test_a_sample_written_in_xml_by_another_library_is_the_same_notice(path):
    document = json.loads(path.read_bytes())
    model = get_fhir_model_class(document["resourceType"]).model_validate(document)
    in_json = _decoded(model.model_dump_json().encode(), JSON)
    if in_json == [[("number-too-long", "/component/6/valueQuantity/value")]]:
        return  # a decimal of more digits than JSON readers keep, which XML has as text
    written = model.model_dump_xml()
    for media_type in (FHIR_XML, "application/xml"):
        assert _decoded(written, media_type) == in_json


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_release_is_the_same_in_xml_for_another_reader_and_comes_back(path):
    document = json.loads(path.read_text("utf-8"))
    ours = release(document.get("data", document), path.parent.name, "health")
    in_xml, in_json = (ADAPTER.encode(ours, office("health"), kind) for kind in (FHIR_XML, JSON))
    assert in_xml.media_type == FHIR_XML
    assert Bundle.model_validate_xml(in_xml.body) == Bundle.model_validate_json(in_json.body)
    _in_the_order_of_r4(etree.fromstring(in_xml.body), "Bundle")
    assert _decoded(in_xml.body, FHIR_XML) == _decoded(in_json.body, JSON)


def _in_the_order_of_r4(node: Any, kind: str) -> None:
    order = get_fhir_model_class(kind).elements_sequence()
    names = [child.tag.rpartition("}")[2] for child in node]
    places = [order.index(name) for name in names]
    assert places == sorted(places), (kind, names)
    for child, name in zip(node, names, strict=True):
        below = types()[kind].elements[name].kind
        if below == "Resource":
            _in_the_order_of_r4(child[0], child[0].tag.rpartition("}")[2])
        elif len(below) > 1:
            _in_the_order_of_r4(child, below)


@pytest.mark.parametrize("name", sorted(set(types()) - {"R", "Q", "B", "E"}))
def test_the_table_is_that_of_another_library(name):
    model = get_fhir_model_class(name)
    kind = types()[name]
    assert list(kind.elements) == model.elements_sequence()
    fields = {field.alias: str(field.annotation) for field in model.model_fields.values()}
    for element in kind.elements.values():
        if element.name in ("extension", "modifierExtension"):
            continue  # every one of them is a list
        said = fields[element.name]
        assert element.many == ("List[" in said), element
        named = re.findall(r"abc\.(\w+)Type\b", said)
        plain = "b" if "bool" in said else "i" if re.search(r"\bint\b", said) else "d" if "Decimal" in said else ""
        assert element.kind == (named[-1] if named else plain), element


def test_values_and_what_stands_beside_them_are_those_of_json():
    read, gaps = read_xml(PATIENT.encode())
    assert gaps == []
    assert read == {
        "resourceType": "Patient", "id": "p", "active": True, "birthDate": "2015-03-02", "multipleBirthInteger": 2,
        "name": [{
            "family": "王", "given": ["小", None],
            "_given": [{"extension": [{"url": "urn:x", "valueInteger": 3}]},
                       {"extension": [{"url": "urn:y", "valueString": "无"}]}],
        }],
    }  # fmt: skip
    assert read_xml(write_xml(read))[0] == read


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16"])
def test_it_is_known_by_its_root_whatever_the_media_type_and_charset(charset):
    raw = f'<?xml version="1.0" encoding="{charset}"?>{PATIENT}'.encode(charset)
    for media_type in ("text/xml", "application/xml", "text/plain", FHIR_XML, f"{JSON}; charset={charset}"):
        (item,) = ADAPTER.decode(raw, media_type, office("health"), {}).items
        assert isinstance(item, SubmittedNotice), (media_type, item)
        assert item.data["persons"][0]["birth_date"] == "2015-03-02"
        assert item.data["persons"][0]["name"] == "王小"


DTD = f'<!DOCTYPE p [<!ENTITY e "x">]>{PATIENT}'
REFUSED = {
    "dtd": (DTD, "xml-dtd", "prolog"),
    "no-namespace": (PATIENT.replace(f' xmlns="{FHIR}"', ""), "not-fhir", "/"),
    "foreign": (PATIENT.replace("<id ", '<x xmlns="urn:other" value="1"/><id '), "not-fhir", "Patient"),
    "text": (PATIENT.replace("<name>", "<name>王"), "not-fhir", "Patient.name[0]"),
    "two-values": (PATIENT.replace('value="2015-03-02"/>', 'value="2015"><x value="1"/></birthDate>'), "not-fhir", "Patient.birthDate"),
    "value-of-a-group": (PATIENT.replace("<name>", '<name value="王">'), "not-fhir", "Patient.name[0]"),
    "no-resource": (f'<Bundle xmlns="{FHIR}"><entry><resource><name/></resource></entry></Bundle>', "not-fhir", "Bundle.entry[0].resource"),
    "two-resources": (f'<Bundle xmlns="{FHIR}"><entry><resource><Patient/><Patient/></resource></entry></Bundle>', "not-fhir", "Bundle.entry[0].resource"),
    "deep": (f'<Patient xmlns="{FHIR}">{"<contact>" * 60}{"</contact>" * 60}</Patient>', "too-deep", "Patient.contact"),
    "broken": (PATIENT[:-3], "not-xml", "line 4"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_could_read_differently_is_refused_with_its_place(name):
    raw, code, position = REFUSED[name]
    (item,) = ADAPTER.decode(raw.encode(), FHIR_XML, office("health"), {}).items
    assert isinstance(item, RefusedItem), item
    (problem,) = item.problems
    assert (problem.code, problem.position[: len(position)]) == (code, position)
    assert problem.remedy


@settings(max_examples=150)
@given(
    st.integers(0, len(PATIENT)), st.integers(0, 40), st.sampled_from(["", "<", "/>", "<name>", '"', "&#0;", "value"])
)
def test_a_damaged_document_is_read_or_refused_and_nothing_else(at, length, instead):
    damaged = PATIENT[:at] + instead + PATIENT[at + length :]
    try:
        read, _ = read_xml(damaged.encode())
    except Unreadable as error:
        assert error.problem.position
        return
    assert read_xml(write_xml(read))[0] == read
