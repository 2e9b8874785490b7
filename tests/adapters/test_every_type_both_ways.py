"""Does every agency's format carry every notice that DOMAIN 3.2 has it send or receive, and do others accept what we write?

For each agency and type there is an example through the native format: one its system sends is written as that system
writes and decoded; one it receives is encoded for it. What is written is judged by readers of other hands: strict XML
and the court's namespace, the columns of the register, the segments of HL7 v2.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import hl7
import openpyxl
import pytest
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from adapters.conformance.bodies import example_bodies
from adapters.kit.adapter import Outgoing
from adapters.registry import load_adapters
from gateway.engines.files.documents import default_rules
from gateway.model.identifiers import AgencyName, NoticeType
from gateway.model.notice import SubmittedNotice, ValidNotice
from gateway.validation.validate import validate
from tests.adapters.builders import by_ref, office, release
from tests.adapters.exchange import ANY, EXCHANGE
from tests.support.routing import shipped_tables

ADAPTERS = load_adapters()
EXAMPLES: dict[str, dict] = {}
for kind, body in example_bodies():
    EXAMPLES.setdefault(str(kind), body)


def test_the_table_is_that_of_the_notice_types_and_of_the_routing():
    assert set(EXCHANGE) == set(EXAMPLES)
    tables = shipped_tables()
    for kind, (senders, _) in EXCHANGE.items():
        permitted = tables.by_type[NoticeType(kind)].senders
        for agency in senders:
            assert permitted is None or AgencyName(agency) in permitted, (kind, agency)


@pytest.mark.parametrize("agency", sorted(ANY))
def test_an_adapter_declares_what_the_routing_takes_from_its_agency(agency):
    tables = shipped_tables()
    taken = {
        kind for kind, table in tables.by_type.items() if table.senders is None or AgencyName(agency) in table.senders
    }
    assert ADAPTERS[agency].sends == taken


@pytest.mark.parametrize(
    ("agency", "kind"), sorted((agency, kind) for kind, (senders, _) in EXCHANGE.items() for agency in senders)
)
def test_what_the_agency_sends_is_read_from_its_own_format_and_holds(agency, kind):
    adapter = ADAPTERS[agency]
    assert NoticeType(kind) in adapter.sends
    outgoing = Outgoing(NoticeType(kind), "N-1", "", datetime(2026, 3, 1, 2, tzinfo=UTC))
    for media_type in adapter.media_types:
        written = adapter.write_native(EXAMPLES[kind], outgoing, media_type)
        (item,) = adapter.decode(written.body, written.media_type, office(agency), {}).items
        assert isinstance(item, SubmittedNotice), (media_type, item)
        assert (item.type, by_ref(item.data)) == (kind, by_ref(EXAMPLES[kind])), media_type
        assert isinstance(validate(item, default_rules(), datetime(2026, 6, 1, tzinfo=UTC).date()), ValidNotice)


@pytest.mark.parametrize(
    ("agency", "kind"), sorted((agency, kind) for kind, (_, recipients) in EXCHANGE.items() for agency in recipients)
)
def test_what_the_agency_receives_is_written_in_its_own_format_and_read_by_others(agency, kind):
    adapter = ADAPTERS[agency]
    assert NoticeType(kind) in adapter.conveys
    for media_type in adapter.media_types:
        written = adapter.encode(release(EXAMPLES[kind], kind, agency), office(agency), media_type)
        ACCEPTED_BY[agency](written.body, written.media_type)


def _json(body: bytes, media_type: str) -> None:
    document = json.loads(body)
    assert document["head"]["jyh"]
    assert document["head"]["ywlx"]
    assert isinstance(document.get("data", {}), dict)


def _lines(body: bytes, media_type: str) -> None:
    (line,) = body.decode("utf-8").splitlines()
    assert json.loads(line)["ywlx"]


def _xml(root: str, *children: str):
    def judge(body: bytes, media_type: str) -> None:
        text = body.decode("gb18030") if b"GB18030" in body[:60] else body.decode("utf-8")
        element = ElementTree.fromstring(text.split("?>", 1)[1])
        assert element.tag == root
        assert {child.tag for child in element} >= set(children)

    return judge


def _table(body: bytes, media_type: str) -> None:
    if media_type.startswith("text/csv"):
        rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(body)).active
        assert sheet is not None
        rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
        rows = rows[-2:]
    names, cells = rows
    assert len(names) == len(set(names)) == len(cells)


def _health(body: bytes, media_type: str) -> None:
    if "json" in media_type:
        assert json.loads(body)["resourceType"] == "Bundle"
    elif "fhir" in media_type:
        assert ElementTree.fromstring(body).tag == "{http://hl7.org/fhir}Bundle"
    elif "xml" in media_type:
        assert ElementTree.fromstring(body).tag == "{urn:hl7-org:v3}ClinicalDocument"
    else:
        message = hl7.parse(body.decode("utf-8"))
        assert str(message["MSH.F9.R1.C1"]) == "ORU"
        assert str(message["MSH.F12"]) == "2.4"
        assert len(str(message["MSH.F10"])) <= 20
        assert {str(segment[0]) for segment in message} <= {
            "MSH", "PID", "NK1", "PV1", "ORC", "OBR", "OBX", "ZMR", "ZTB", "ZKZ",
        }  # fmt: skip
        assert not list(broken_segment_rules(body.decode("utf-8")))


def broken_segment_rules(message: str) -> Iterator[str]:
    """What HL7apy finds wrong by the structure of ORU^R01 in HL7 v2.4. Its parser knows one patient result a message, so
    each is judged beside the heading."""
    heading, *segments = message.removesuffix("\r").split("\r")
    starts = [at for at, segment in enumerate(segments) if segment.startswith("PID")] or [0]
    for start, end in zip(starts, [*starts[1:], len(segments)], strict=True):
        parsed = parse_message("\r".join([heading, *segments[start:end]]) + "\r", find_groups=True)
        try:
            parsed.validate()
        except HL7apyException as wrong:
            yield f"{type(wrong).__name__}: {wrong}"


@pytest.mark.parametrize("people", ["nobody", "kin alone", "withheld", "two children"])
def test_hl7_holds_by_its_segment_rules_whatever_is_withheld_and_nothing_is_made_up(people):
    body = EXAMPLES["RPT-M"]
    child = {"ref": "p1", "roles": ["minor"]}
    persons = {
        "nobody": [],
        "kin alone": [{"ref": "p1", "roles": ["guardian"], "name": "李测甲", "relation": "51"}],
        "withheld": [child],
        "two children": [{**child, "name": "李小测"}, {"ref": "p2", "roles": ["minor"], "sex": "2"}],
    }[people]
    data = {**body, "persons": persons} if persons else {k: v for k, v in body.items() if k != "persons"}
    data["harm"] = {"m_flags": ["M4"]}  # no result to tell
    written = ADAPTERS["health"].encode(release(data, "RPT-M", "health"), office("health"), "application/hl7-v2")
    assert not list(broken_segment_rules(written.body.decode("utf-8")))
    (item,) = ADAPTERS["health"].decode(written.body, written.media_type, office("health"), {}).items
    assert (item.subject, by_ref(item.data), item.gaps) == ("case-77", by_ref(data), ())


# HL7apy's tables of 2.3 and of 2.8 ask for an OBR-27 and for two common orders, which the standard leaves to the sender
@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.5.1", "2.6", "2.7", "2.8"])
def test_hl7_holds_by_the_rules_of_the_version_asked_for_and_reads_as_the_same(version):
    health = ADAPTERS["health"]
    for kind in ("RPT-M", "LED", "GRD-R"):
        sent = release(EXAMPLES[kind], kind, "health")
        written = health.encode(sent, office("health"), f"application/hl7-v2+er7; version={version}")
        message = hl7.parse(written.body.decode("utf-8"))
        assert str(message["MSH.F12"]) == version
        assert len(str(message["MSH.F10"])) <= 20
        if version not in ("2.3", "2.8"):
            assert not list(broken_segment_rules(written.body.decode("utf-8"))), (kind, version)
        (item,) = health.decode(written.body, written.media_type, office("health"), {}).items
        assert (item.native_id, item.subject, by_ref(item.data), item.gaps) == (
            sent.id,
            "case-77",
            by_ref(EXAMPLES[kind]),
            (),
        )


def test_a_hl7_message_has_the_same_short_number_in_every_version_and_another_with_each_revision():
    def number(revision: int, media_type: str) -> str:
        sent = replace(release(EXAMPLES["RPT-M"], "RPT-M", "health"), revision=revision)
        return str(hl7.parse(ADAPTERS["health"].encode(sent, office("health"), media_type).body.decode())["MSH.F10"])

    numbers = {number(1, f"application/hl7-v2; version={version}") for version in ("2.3", "2.4", "2.8", "9")}
    assert len(numbers) == 1
    assert number(2, "application/hl7-v2") not in numbers


_FY = "{urn:x-fyb:wcnr:1}"
ACCEPTED_BY = {
    "civil_affairs": _json, "judiciary": _lines, "police": _xml("REQUEST", "HEAD"), "courts": _xml(_FY + "AJTB"),
    "procuratorate": _xml("ROOT", "MSG", "DATA"), "education": _table, "womens_federation": _table, "health": _health,
}  # fmt: skip
