"""CDA R2, judged by plain XPath written apart from the adapter; shapes of WS/T 500 and of C-CDA."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import schemas
from adapters.health import ADAPTER
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office, release
from tests.support.samples import needs_samples, sample_files

CDA = "application/cda+xml"
EXAMPLES = sorted((Path(str(schemas.__file__)).parent / "examples").glob("*/pass*.json"))
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def decode(raw: str | bytes) -> SubmittedNotice | RefusedItem:
    body = raw.encode() if isinstance(raw, str) else raw
    (item,) = ADAPTER.decode(body, CDA, office("health"), {}).items
    return item


def one(raw: str | bytes) -> SubmittedNotice:
    item = decode(raw)
    assert isinstance(item, SubmittedNotice), item
    return item


def document(patient: str, rest: str = "", role: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3" {XSI}>'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/><templateId root="2.16.156.10011.2.1.1.24"/>'
        '<id root="2.16.156.10011.1.1" extension="RN001"/><effectiveTime value="20260301094500"/>'
        f'<recordTarget><patientRole classCode="PAT">{role}<patient classCode="PSN">{patient}</patient></patientRole></recordTarget>'
        f"{rest}</ClinicalDocument>"
    )


# --- an independent reading ---


def xpath(node: Any, path: str) -> list[Any]:
    return node.xpath("/".join(f"*[local-name()='{p}']" if p[0] not in "@." else p for p in path.split("/")))


def independent(raw: bytes) -> tuple[set[str], set[str], set[str], int]:
    """Last names, birth dates (days), numbers of the patients; how many patients there are."""
    root = etree.fromstring(raw, etree.XMLParser(recover=True))
    targets = root.xpath("descendant-or-self::*[local-name()='recordTarget']")
    names = {
        w for t in targets for n in xpath(t, "patientRole/patient/name/family") for w in [(n.text or "").strip()] if w
    }
    born = {v[:8] for t in targets for v in xpath(t, "patientRole/patient/birthTime/@value")}
    numbers = {
        i.get("extension")
        for t in targets
        for i in xpath(t, "patientRole/id")
        if i.get("extension") and not i.get("nullFlavor")
    }
    return names, born, numbers, len(targets)


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize("path", sample_files("cda", "*.xml"), ids=lambda path: path.stem)
def test_every_sample_is_accepted_with_its_people_or_refused_with_a_position(path):
    item = decode(path.read_bytes())
    if isinstance(item, RefusedItem):
        assert all(problem.position and problem.remedy for problem in item.problems)
        return
    names, born, numbers, patients = independent(path.read_bytes())
    people = item.data["persons"]
    assert len(people) >= patients
    assert {p["birth_date"].replace("-", "") for p in people if "birth_date" in p} == born
    whole = " ".join(f"{p.get('name', '')} {p.get('alias', '')}" for p in people)
    repeated = any(gap.code == "repeated" for gap in item.gaps)
    assert all(name in whole for name in names) or repeated
    ours = {p[key] for p in people for key in ("key", "id_no") if key in p}
    left = sum(gap.code == "identifier" for gap in item.gaps)
    assert ours <= numbers
    assert len(ours) + left >= len(numbers)


# --- what we write ---


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_release_has_what_the_schema_wants_in_its_order(path):
    body = json.loads(path.read_text("utf-8"))
    written = ADAPTER.encode(release(body.get("data", body), path.parent.name, "health"), office("health"), CDA)
    root = etree.fromstring(written.body)
    names = [etree.QName(child).localname for child in root if etree.QName(child).namespace == "urn:hl7-org:v3"]
    order = ["realmCode", "typeId", "id", "code", "title", "effectiveTime", "confidentialityCode", "languageCode",
             "recordTarget", "author", "custodian", "participant", "component"]  # fmt: skip
    assert [order.index(name) for name in names] == sorted(order.index(name) for name in names)
    assert set(names) >= set(order) - {"participant"}
    assert all(len(xpath(target, "patientRole/id")) >= 1 for target in xpath(root, "recordTarget"))
    assert not root.xpath("//@nullFlavor[. != 'NI']")
    assert not root.xpath("//@*[. = '']")


def test_what_is_withheld_reads_the_same_whether_or_not_it_exists():
    shown = {"persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测"}], "urgency": 1}
    text = ADAPTER.encode(release(shown, "RPT", "health"), office("health"), CDA).body.decode()
    assert '<patientRole><id nullFlavor="NI"/><patient><name>李小测</name></patient></patientRole>' in text


# --- what we read ---


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        ('<age unit="岁" value="9"/>', {"years": 9}),
        ('<age unit="岁">9</age>', {"years": 9}),
        ('<age unit="月" value="7"/>', {"years": 0, "months": 7}),
        ('<age unit="月" value="18"/>', {"years": 1, "months": 6}),
        ('<age unit="天" value="20"/>', {"years": 0, "months": 0}),
        ("<age>约3岁</age>", {"years": 3, "approximate": True}),
    ],
)
def test_an_age_stands_for_the_birth_date_in_whatever_unit(age, expected):
    (child,) = one(document(f"<name>李小测</name>{age}")).data["persons"]
    assert (child["age"], child["roles"]) == (expected, ["minor"])


def test_an_age_beside_a_birth_date_says_nothing_and_an_adult_is_no_minor():
    notice = one(document('<name>李小测</name><birthTime value="20150301"/><age unit="岁" value="11"/>'))
    assert "age" not in notice.data["persons"][0]
    grown = one(document('<name>张大测</name><age unit="岁" value="41"/>'))
    assert grown.data["persons"][0]["roles"] == ["other"]


def test_a_number_is_told_by_its_oid_wherever_it_stands():
    role = '<id root="2.16.156.10011.1.12" extension="ZY001"/>'
    patient = '<id root="2.16.156.10011.1.3" extension="999999201503010016"/><name>李小测</name>'
    (child,) = one(document(patient, role=role)).data["persons"]
    assert (child["key"], child["id_type"], child["id_no"]) == ("ZY001", "ID", "999999201503010016")


def test_codes_are_read_by_their_own_tables():
    patient = (
        '<name>李小测</name><administrativeGenderCode code="2" codeSystem="2.16.156.10011.2.3.3.4" displayName="女性"/>'
        '<ethnicGroupCode code="05" codeSystem="2.16.156.10011.2.3.3.3" displayName="维吾尔族"/>'
    )
    contact = (
        '<participant typeCode="NOT"><associatedEntity classCode="ECON"><code code="52" codeSystem="2.16.156.10011.2.3.3.8"/>'
        '<telecom value="13800000000"/><associatedPerson><name>某某</name></associatedPerson></associatedEntity></participant>'
    )
    child, mother = one(document(patient, contact)).data["persons"]
    assert (child["sex"], child["ethnicity"]) == ("2", "05")
    assert (mother["relation"], mother["of"], mother["phone"], mother["roles"]) == (
        "52",
        "p1",
        "13800000000",
        ["guardian"],
    )


def test_authors_and_informants_go_to_the_vault_and_nowhere_else():
    rest = (
        "<author><assignedAuthor><id extension='D01'/><assignedPerson><name>报告医生</name></assignedPerson>"
        "<representedOrganization><name>某医院</name></representedOrganization></assignedAuthor></author>"
        "<informant><relatedEntity><code displayName='邻居'/><telecom value='tel:139'/><relatedPerson><name>邻人甲</name></relatedPerson></relatedEntity></informant>"
    )
    notice = one(document("<name>李小测</name>", rest))
    assert notice.reporter == {
        "name": "报告医生; 邻人甲",
        "phone": "139",
        "id_no": "D01",
        "unit": "某医院",
        "relation": "邻居",
    }
    said = str(notice.data) + str(notice.gaps)
    assert not any(word in said for word in ("报告医生", "邻人甲", "139", "D01"))


BODY = (
    "<component><structuredBody><component><section><title>现病史</title><text><paragraph>甲<br/>乙</paragraph>"
    "<table><tr><td>丙</td><td>丁</td></tr></table></text>"
    '<entry><observation><code code="x"/><value xsi:type="CD" code="T74.1" codeSystem="2.16.156.10011.2.3.3.11"/></observation></entry>'
    '<entry><observation negationInd="true"><value xsi:type="CD" code="T74.2" codeSystem="2.16.840.1.113883.6.3"/></observation></entry>'
    '<entry><observation><value xsi:type="PQ" value="1" unit="kg"/></observation></entry></section></component></structuredBody></component>'
)


def test_sections_are_sensitive_text_diagnoses_codes_and_other_entries_gaps_at_their_xpath():
    notice = one(document("<name>李小测</name>", BODY))
    assert notice.data["harm"] == {"narrative": "现病史\n甲\n乙\n丙 | 丁", "injury": {"codes": ["T74.1"]}}
    at = "/ClinicalDocument/component/structuredBody/component/section"
    assert [(gap.code, gap.position) for gap in notice.gaps] == [
        ("refuted", f"{at}/entry[2]"),
        ("unmapped", f"{at}/entry[3]"),
    ]


def test_a_masked_value_is_said_and_never_taken():
    notice = one(document("<name>李小测</name>", role='<id nullFlavor="MSK" root="2.16.156.10011.1.3" extension="9999"/><telecom nullFlavor="MSK"/>'))  # fmt: skip
    assert set(notice.data["persons"][0]) == {"name", "roles", "ref"}
    assert [gap.code for gap in notice.gaps] == ["masked-value", "masked-value"]


def test_guardians_belong_to_the_child_they_stand_under():
    guardian = '<guardian><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/><guardianPerson><name>某父</name></guardianPerson></guardian>'
    twins = document(
        f"<name>甲</name>{''}",
        f"<recordTarget><patientRole><patient><name>乙</name>{guardian}</patient></patientRole></recordTarget>",
    )
    assert [(p["name"], p.get("of")) for p in one(twins).data["persons"]] == [
        ("甲", None),
        ("乙", None),
        ("某父", "p2"),
    ]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("<a/>", "not-this-format"), ("<ClinicalDocument/>", "no-person"), ("<ClinicalDocument>", "not-xml"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ClinicalDocument>&b;</ClinicalDocument>', "xml-dtd"),
        ("<ClinicalDocument><recordTarget>" + "<a>" * 80 + "</a>" * 80 + "</recordTarget></ClinicalDocument>", "too-deep"),
    ],
)  # fmt: skip
def test_what_is_no_clinical_document_is_refused_with_a_code(raw, code):
    item = decode(raw)
    assert isinstance(item, RefusedItem)
    assert [problem.code for problem in item.problems] == [code]


def test_a_document_inside_a_soap_text_is_found():
    inner = document("<name>李小测</name>").replace("&", "&amp;").replace("<", "&lt;")
    soap = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><r>{inner}</r></s:Body></s:Envelope>'
    )
    assert one(soap).data["persons"][0]["name"] == "李小测"


NAMES = ["recordTarget", "patientRole", "patient", "name", "given", "id", "addr", "telecom", "guardian", "participant", "associatedEntity",
         "author", "assignedAuthor", "assignedPerson", "code", "component", "structuredBody", "section", "text", "entry", "value", "age"]  # fmt: skip
TREES = st.recursive(
    st.text("甲1 ", max_size=3),
    lambda below: st.builds(
        lambda name, attribute, inner: f"<{name} {attribute}>{''.join(inner)}</{name}>",
        st.sampled_from(NAMES),
        st.sampled_from(
            ["", 'nullFlavor="MSK"', 'extension="1"', 'code="T74"', 'value="x"', 'unit="岁"', 'classCode="PRS"']
        ),
        st.lists(below, max_size=3),
    ),
    max_leaves=14,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TREES, max_size=4))
def test_no_document_however_odd_makes_the_adapter_raise(parts):
    decode(document("<name>甲</name>" + "".join(parts), "".join(parts), "".join(parts)))
    decode(f"<recordTarget>{''.join(parts)}</recordTarget>")


@pytest.mark.parametrize(
    ("root", "remedy"),
    [
        ('<ADT_A01 xmlns="urn:hl7-org:v2xml"/>', "beginning with MSH"),
        ('<PRPA_IN201311UV02 xmlns="urn:hl7-org:v3"/>', "v3 message"),
        ('<Patient xmlns="http://hl7.org/fhir"/>', "application/fhir+xml"),
        ("<root/>", "ClinicalDocument"),
    ],
)
def test_xml_of_another_standard_is_refused_with_what_to_send(root, remedy):
    item = decode(root)
    assert isinstance(item, RefusedItem)
    assert item.problems[0].code == "not-this-format"
    assert remedy in item.problems[0].remedy


def test_a_code_that_contradicts_its_label_is_named():
    child = '<name>李小测</name><administrativeGenderCode code="2"{} displayName="男性"/><birthTime value="20190301"/>'
    stated = one(document(child.format(' codeSystem="2.16.156.10011.2.3.3.4"')))
    alone = one(document(child.format("")))
    for item, sex in ((stated, "2"), (alone, "1")):
        assert item.data["persons"][0]["sex"] == sex
        assert "code-conflict" in {gap.code for gap in item.gaps}


def taking_part(kind: str, of_class: str, inside: str = "", person: str = "associatedPerson", before: str = "") -> str:
    return (
        f'<participant typeCode="{kind}">{before}<associatedEntity classCode="{of_class}">{inside}'
        f"<{person}><name>王测</name></{person}></associatedEntity></participant>"
    )


CHILD = '<name>李小测</name><birthTime value="20190301"/>'


def test_a_contact_is_read_whichever_person_element_holds_it():
    for element in ("associatedPerson", "assignedPerson"):
        item = one(document(CHILD, taking_part("NOT", "ECON", person=element)))
        assert [p["name"] for p in item.data["persons"]] == ["李小测", "王测"]


@pytest.mark.parametrize(
    "staff",
    [
        taking_part("CON", "ECON"),  # WS/T 500.51: whoever discussed the case
        taking_part("ORG", "ECON"),
        taking_part("NOT", "ECON", '<id root="2.16.156.10011.1.4" extension="7"/>'),
        taking_part("IND", "PRS", before='<functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88"/>'),
    ],
)
def test_staff_in_the_class_of_a_contact_is_no_relative(staff):
    item = one(document(CHILD, staff))
    assert [p["name"] for p in item.data["persons"]] == ["李小测"]
    assert ("staff", "/ClinicalDocument/participant") in {(gap.code, gap.position) for gap in item.gaps}
    assert "王测" not in str(item.data)


def test_a_carer_by_function_stays():
    carer = '<functionCode code="407543004" displayName="Primary Carer" codeSystem="2.16.840.1.113883.6.96"/>'
    item = one(document(CHILD, taking_part("IND", "CAREGIVER", before=carer)))
    assert [p["name"] for p in item.data["persons"]] == ["李小测", "王测"]


def test_a_dash_is_neither_a_number_nor_part_of_an_address():
    role = (
        '<id root="2.16.156.10011.1.12" extension="-"/><id root="2.16.156.10011.1.11" extension="MZ1"/>'
        "<addr><state>湖南省</state><county>─</county><houseNumber>-</houseNumber></addr>"
    )
    item = one(document(CHILD, role=role))
    (child,) = item.data["persons"]
    assert (child["key"], child["residence"]["address"]) == ("MZ1", "湖南省")
    assert {gap.code for gap in item.gaps} == {"placeholder"}


def _body(section: str) -> str:
    return (
        f"<component><structuredBody><component><section>{section}</section></component></structuredBody></component>"
    )


def _found(attributes: str = "", status: str = "") -> str:
    value = '<value xsi:type="CD" code="T74.1" codeSystem="2.16.840.1.113883.6.90"/>'
    return f"<observation {attributes}>{status}{value}</observation>"


_FATHER = '<subject><relatedSubject classCode="PRS"><code code="FTH"/></relatedSubject></subject>'


@pytest.mark.parametrize(
    ("section", "gap"),
    [
        (f"<entry><organizer>{_FATHER}<component>{_found()}</component></organizer></entry>", "other-person"),
        (f"{_FATHER}<text>父亲的</text><entry>{_found()}</entry>", "other-person"),
        (f'<entry><act negationInd="true"><entryRelationship>{_found()}</entryRelationship></act></entry>', "refuted"),
        ("<entry>" + _found('negationInd="1"') + "</entry>", "refuted"),
        ("<entry>" + _found('moodCode="GOL"') + "</entry>", "refuted"),
        ("<entry>" + _found(status='<statusCode code="nullified"/>') + "</entry>", "refuted"),
    ],
)
def test_what_a_document_says_of_a_relative_or_takes_back_is_not_said_of_the_child(section, gap):
    notice = one(document("<name>李小测</name>", _body(section)))
    assert "harm" not in notice.data
    assert [found.code for found in notice.gaps] == [gap]


def test_a_diagnosis_is_not_taken_where_it_may_be_the_mothers_beside_her_child():
    mother = "<recordTarget><patientRole><patient><name>王测</name><birthTime value='19900101'/></patient></patientRole></recordTarget>"
    notice = one(
        document("<name>某某之女</name><birthTime value='20260227'/>", mother + _body(f"<entry>{_found()}</entry>"))
    )
    assert [person["roles"] for person in notice.data["persons"]] == [["minor"], ["other"]]
    assert "harm" not in notice.data
    assert "other-person" in {gap.code for gap in notice.gaps}


def test_what_a_planned_treatment_is_for_was_found():
    planned = f'<entry><substanceAdministration moodCode="INT"><entryRelationship>{_found()}</entryRelationship></substanceAdministration></entry>'
    assert one(document("<name>李小测</name>", _body(planned))).data["harm"] == {"injury": {"codes": ["T74.1"]}}


def test_a_large_entry_takes_time_by_its_size():
    def seconds(size: int) -> float:
        parts = "".join(f"<component>{_found()}</component>" for _ in range(size))
        raw = document("<name>李小测</name>", _body(f"<entry><organizer>{parts}</organizer></entry>"))
        started = time.thread_time()
        one(raw)
        return time.thread_time() - started

    seconds(100)
    assert seconds(8_000) < 40 * max(seconds(1_000), 0.02)


def test_a_document_that_deletes_an_earlier_one_is_no_observation():
    item = decode(
        document("<name>李小测</name>").replace("<recordTarget>", '<versionNumber value="-1"/><recordTarget>')
    )
    assert isinstance(item, RefusedItem)
    assert [(p.code, p.position) for p in item.problems] == [("taken-back", "/ClinicalDocument/versionNumber")]


def test_a_guardian_whose_participation_is_over_is_none():
    def role(high: str) -> list[str]:
        guardian = (
            f'<participant typeCode="IND"><time><high value="{high}"/></time><associatedEntity classCode="GUARD">'
            "<associatedPerson><name>赵前</name></associatedPerson></associatedEntity></participant>"
        )
        return one(document("<name>李小测</name>", guardian)).data["persons"][1]["roles"]

    assert [role("20260228"), role("20270101")] == [["other"], ["guardian"]]
