"""Do foreign files end in one of the three outcomes, with a position, and are the people in them read as others read them?

Every file goes through the adapter of its format. Accepted HL7 messages are
compared with a second reader (the `hl7` package): names, birth dates and
identifiers must agree, and what has no canonical field must be a named gap.
"""

from __future__ import annotations

import time

import hl7
import pytest

from adapters.civil_affairs import ADAPTER as CIVIL_AFFAIRS
from adapters.courts import ADAPTER as COURTS
from adapters.education import ADAPTER as EDUCATION
from adapters.health import ADAPTER as HEALTH
from adapters.kit.text import decode_gb18030, decode_text, encode_gb18030
from adapters.police import ADAPTER as POLICE
from adapters.procuratorate import ADAPTER as PROCURATORATE
from adapters.womens_federation import ADAPTER as WOMENS_FEDERATION
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Adapter, RefusedItem
from tests.adapters.builders import office
from tests.support.samples import ROOT, needs_samples, sample_files

pytestmark = [pytest.mark.samples, needs_samples]

XML = (POLICE, COURTS, PROCURATORATE)
TABLES = (EDUCATION, WOMENS_FEDERATION)


def outcome(adapter: Adapter, raw: bytes, media_type: str) -> list[SubmittedNotice | RefusedItem]:
    started = time.thread_time()
    items = list(adapter.decode(raw, media_type, office(str(adapter.agency)), {}).items)
    assert time.thread_time() - started < 5
    assert items
    for item in items:
        if isinstance(item, RefusedItem):
            assert item.position
            assert all(p.code and p.position and p.remedy for p in item.problems), item
        else:
            assert item.native_id
            assert all(gap.code and gap.position for gap in item.gaps), item.gaps
    return items


@pytest.mark.parametrize("folder", ["police-court-xml", "hostile/xml", "child-welfare", "cda"])
def test_every_xml_sample_has_an_outcome(folder):
    for path in sample_files(folder, "*.xml"):
        for adapter in XML:
            for item in outcome(adapter, path.read_bytes(), "application/xml"):
                assert isinstance(item, RefusedItem), path


@pytest.mark.parametrize(
    ("folder", "media_type"),
    [("cda", "application/cda+xml"), ("fhir-r4", "application/fhir+json"), ("hl7v2", "application/hl7-v2")],
)
def test_every_health_sample_has_an_outcome(folder, media_type):
    for path in sample_files(folder):
        outcome(HEALTH, path.read_bytes(), media_type)


def test_declarations_that_entities_need_are_refused_before_parsing():
    refused = [
        outcome(POLICE, path.read_bytes(), "application/xml")[0] for path in sample_files("hostile/xml", "*.xml")
    ]
    codes = [item.problems[0].code for item in refused if isinstance(item, RefusedItem)]
    assert codes.count("xml-dtd") == 8
    assert codes.count("not-this-format") == 2


@pytest.mark.parametrize("folder", ["csv-xlsx", "child-welfare"])
def test_every_table_sample_has_an_outcome(folder):
    for path in sample_files(folder):
        if path.suffix == ".xml":
            continue
        for adapter in TABLES:
            for media_type in ("text/csv", "application/octet-stream"):
                outcome(adapter, path.read_bytes(), media_type)


def test_workbooks_that_are_no_plain_workbooks_say_which():
    found = {}
    for path in sample_files("csv-xlsx/workbooks"):
        item = outcome(EDUCATION, path.read_bytes(), "application/octet-stream")[0]
        assert isinstance(item, RefusedItem)
        found[path.name] = item.problems[0].code
    assert found["pass_protected.xlsx"] == "encrypted"
    assert found["any_sheets.xls"] == found["biff5_write.xls"] == "old-format"
    assert found["any_sheets.ods"] == "opendocument"


def test_every_hostile_json_has_an_outcome():
    for path in sample_files("hostile/json-parsing"):
        for item in outcome(CIVIL_AFFAIRS, path.read_bytes(), "application/json"):
            assert isinstance(item, RefusedItem), path
            if path.name.startswith("n_"):
                assert item.problems[0].code in (
                    "not-json",
                    "charset",
                    "not-an-object",
                    "duplicate-name",
                    "too-deep",
                ), path


def as_foreign_reader(raw: bytes) -> tuple[set[str], set[str], set[str]]:
    """Name pieces, birth dates and identifiers of all PID and NK1 segments, as the `hl7` package reads them."""
    text = raw.decode("utf-8").lstrip("\ufeff").strip().replace("\r\n", "\r").replace("\n", "\r")
    lines: list[str] = []
    for line in text.split("\r"):
        if line[:3].isalnum() and line[:3].isupper() and line[3:4] in ("|", ""):
            lines.append(line)
        elif lines and line:
            lines[-1] += " " + line
    message = hl7.parse("\r".join(lines))
    names, births, numbers = set(), set(), set()

    def pieces(segment: hl7.Segment, number: int, components: tuple[int, ...]) -> set[str]:
        out = set()
        if number < len(segment):
            for repetition in segment[number]:
                for component in components:
                    try:
                        part = repetition[component - 1]
                    except (IndexError, TypeError):
                        continue
                    first = str(part[0]) if isinstance(part, hl7.Container) else str(part).split("&")[0]
                    if isinstance(repetition, str):
                        first = repetition if component == 1 else ""
                    if first and first != '""':
                        out.add(first.strip())
        return out

    for segment in message:
        kind = str(segment[0])
        if kind == "PID":
            names |= pieces(segment, 5, (1, 2))
            numbers |= pieces(segment, 3, (1,))
            births |= {value[:8] for value in pieces(segment, 7, (1,))}
        elif kind == "NK1":
            names |= pieces(segment, 2, (1, 2))
    return names, births, numbers


@pytest.mark.parametrize("path", sample_files("hl7v2"), ids=lambda path: path.name)
def test_people_in_hl7_messages_are_those_another_reader_sees(path):
    raw = path.read_bytes()
    names, births, numbers = as_foreign_reader(raw)
    spoken, born, ids, gaps = "", set(), set(), ""
    for item in outcome(HEALTH, raw, "application/hl7-v2"):
        assert isinstance(item, SubmittedNotice), item
        for person in item.data.get("persons", ()):
            spoken += f" {person.get('name', '')} {person.get('alias', '')} "
            born.add(person.get("birth_date", "").replace("-", ""))
            ids |= {person.get("id_no", ""), person.get("key", "")}
        gaps += " ".join(f"{gap.code}@{gap.position}" for gap in item.gaps)
    assert births <= born
    for name in names:
        assert name in spoken or "repeated@PID" in gaps or "repeated@NK1" in gaps, name
    missing = numbers - ids
    assert not missing or gaps.count("identifier@") >= len(missing), missing
    assert ids - {""} <= numbers | {n for n in ids if n and n in raw.decode("utf-8")}


def test_gb18030_agrees_with_browsers_both_ways():
    folder = ROOT / "text-encoding"
    assert decode_gb18030((folder / "gb18030_in.txt").read_bytes()) == (folder / "gb18030_in_ref.txt").read_text(
        "utf-8"
    )
    reference = (folder / "gb18030_out_ref.txt").read_bytes()
    assert encode_gb18030((folder / "gb18030_out.txt").read_bytes().decode("utf-8")) == reference
    assert decode_text((folder / "gbkFile.html.txt").read_bytes()).charset == "gb18030"


@pytest.mark.parametrize("path", sample_files("cda"), ids=lambda path: path.name)
def test_a_document_in_utf_16_says_what_it_says_in_utf_8(path):
    text = path.read_bytes().decode("utf-8-sig")
    (plain,) = outcome(HEALTH, text.encode("utf-8"), "application/cda+xml")
    for wide in (text.encode("utf-16"), b"\xfe\xff" + text.encode("utf-16-be")):
        (found,) = outcome(HEALTH, wide, "application/cda+xml")
        assert type(found) is type(plain)
        if isinstance(found, SubmittedNotice):
            assert found.data == plain.data
