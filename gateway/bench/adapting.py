"""What does it cost to understand an agency's message, and to write one, beside the bare parser or writer of its format?

Decoding is everything from bytes to a submitted notice with provenance and gaps; encoding everything from a release to
bytes. The yardsticks read and write the same bytes and know nothing of notices (`bare.py`). The messages are the
synthetic cases of the generator in each agency's own format; registers hold a hundred rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.registry import load_adapters
from gateway.bench import bare
from gateway.bench.measuring import Effort, Row, alternated, at_most, cpu_each
from gateway.bench.samples import MEDIA_TYPE, SENDER, report_body
from gateway.engines.system.interpreter import set_for_serving
from gateway.model.agency import Office
from gateway.model.identifiers import OfficeId
from gateway.model.notice import ReleasedNotice, SubmittedNotice
from gateway.ports.translation import Adapter
from gateway.simulation.releases import everything_but
from gateway.simulation.scenarios import messages

_CASES, _REGISTER_CASES = 24, 140  # a register of other people in every row takes more of them
_REGISTER_ROWS = 100
_GATE = at_most(3, 2)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Format:
    """One row pair. `agencies` speak it; `media_type` picks their messages, the one that is asked for when writing."""

    name: str
    zh: str
    agencies: Sequence[str]
    media_type: str
    parse: Callable[[bytes], object]
    parser: str
    writer: Callable[[bytes], Callable[[], object]]
    writes: str
    joined: Callable[[Sequence[bytes]], Sequence[bytes]] = list


def _register(files: Sequence[bytes]) -> Sequence[bytes]:
    """One export of a hundred rows out of the files with the commonest heading row."""
    lines = [file.removeprefix(b"\xef\xbb\xbf").splitlines() for file in files]
    heads = [each[0] for each in lines]
    head = max(heads, key=heads.count)
    rows = [row for each in lines if each[0] == head for row in each[1:] if row]
    return [b"\r\n".join([head, *(rows[number % len(rows)] for number in range(_REGISTER_ROWS))])]


def _lines(files: Sequence[bytes]) -> Sequence[bytes]:
    rows = [row for file in files for row in file.splitlines() if row]
    return [b"\n".join(rows[number % len(rows)] for number in range(_REGISTER_ROWS))]


FORMATS: Sequence[Format] = (
    Format("xml", "XML（公安、法院、检察）", ("police", "courts", "procuratorate"), "application/xml",
           bare.parse_xml, "lxml parses, all read", bare.xml_writer, "lxml builds, writes"),
    Format("csv", "CSV（教育）", ("education",), "text/csv", bare.parse_csv, "csv reads", bare.csv_writer, "csv writes", _register),
    Format("xlsx", "XLSX（妇联）", ("womens_federation",), _XLSX, bare.parse_xlsx, "openpyxl reads", bare.xlsx_writer, "zipfile writes"),
    Format("hl7", "HL7 v2 ER7（卫健）", ("health",), "application/hl7-v2+er7", bare.parse_er7, "str.split", bare.er7_writer, "str.join"),
    Format("fhir", "FHIR R4 JSON（卫健）", ("health",), "application/fhir+json", bare.parse_json, "orjson loads", bare.json_writer, "orjson dumps"),
    Format("cda", "CDA R2（卫健）", ("health",), "application/cda+xml", bare.parse_xml, "lxml parses, all read", bare.xml_writer, "lxml builds, writes"),
    Format("json", "JSON（民政）", ("civil_affairs",), "application/json", bare.parse_json, "orjson loads", bare.json_writer, "orjson dumps"),
    Format("jsonl", "JSON Lines（司法行政）", ("judiciary",), "application/jsonl",
           bare.parse_json_lines, "orjson loads each", bare.json_writer, "orjson dumps", _lines),
)  # fmt: skip

Message = tuple[Adapter, bytes, Office]
Release = tuple[Adapter, ReleasedNotice, Office]


def office(agency: str, media_type: str) -> Office:
    return Office(
        id=OfficeId(f"{agency}.440113"), name_zh="测速", name_en="bench", adapter=agency, media_type=media_type, keys=()
    )


class Adapting:
    """The messages and releases of one format, ready to be decoded and encoded."""

    def __init__(self, form: Format, adapters: Mapping[str, Adapter]) -> None:
        self.form = form
        self.messages: list[Message] = []
        self.releases: list[Release] = []
        for agency in form.agencies:
            cases = _CASES if form.joined is list else _REGISTER_CASES
            files = [
                one.file.body for one in messages(7, cases, agency) if one.file.media_type.startswith(form.media_type)
            ]
            sender = office(agency, form.media_type)
            for body in form.joined(files):
                self.messages.append((adapters[agency], body, sender))
            self.releases += self._released(adapters[agency], files, sender)

    def _released(self, adapter: Adapter, files: Sequence[bytes], sender: Office) -> list[Release]:
        notices = [
            item
            for body in files
            for item in adapter.decode(body, self.form.media_type, sender, {}).items
            if isinstance(item, SubmittedNotice) and item.type in adapter.conveys
        ]
        return [(adapter, everything_but(one.data, one.type, sender.id), sender) for one in notices[:_CASES]]

    def decode(self) -> None:
        media_type = self.form.media_type
        for adapter, body, sender in self.messages:
            adapter.decode(body, media_type, sender, {})

    def parse(self) -> None:
        parse = self.form.parse
        for _, body, _ in self.messages:
            parse(body)

    def parse_alone(self) -> None:
        """XML parsed and not looked at."""
        for _, body, _ in self.messages:
            bare.parse_xml(body, is_read=False)

    def encode(self) -> None:
        media_type = self.form.media_type
        for adapter, release, recipient in self.releases:
            adapter.encode(release, recipient, media_type)

    def bare_writes(self) -> Callable[[], None]:
        """The bare writer of the format over what `encode` writes, its values at hand."""
        media_type = self.form.media_type
        works = [self.form.writer(adapter.encode(one, to, media_type).body) for adapter, one, to in self.releases]

        def write() -> None:
            for work in works:
                work()

        return write


async def adapting(effort: Effort) -> Sequence[Row]:
    """Each format, both ways; the canonical form on the way in. The interpreter is set as it is in a node that serves."""
    adapters = load_adapters()
    set_for_serving()
    rows = [_canonical(adapters["canonical"], effort)]
    for form in FORMATS:
        effort.tell(f"adapter-{form.name}")
        ours = Adapting(form, adapters)
        rounds, us, yard = alternated(ours.decode, ours.parse, effort)
        count = len(ours.messages)
        size = sum(len(body) for _, body, _ in ours.messages) / count
        raw = {"us": us / count, "bare_us": yard / count, "bytes": size}
        if form.parse is bare.parse_xml:
            raw["unread_us"] = cpu_each(ours.parse_alone, 0.1) * 1e6 / count
        rows.append(Row(f"adapter-{form.name}-decode", f"{form.zh} 解码", "decode", form.parser, _GATE, rounds, raw))
        rounds, us, yard = alternated(ours.encode, ours.bare_writes(), effort)
        count = len(ours.releases)
        rows.append(
            Row(
                f"adapter-{form.name}-encode", f"{form.zh} 编码", "encode", form.writes, _GATE, rounds,
                {"us": us / count, "bare_us": yard / count},
            )
        )  # fmt: skip
    return rows


def _canonical(adapter: Adapter, effort: Effort) -> Row:
    body = report_body("parse-1", 1)
    sender = replace(office("health", MEDIA_TYPE), id=SENDER, adapter="canonical")
    headers = {"content-type": MEDIA_TYPE}
    rounds, us, yard = alternated(
        lambda: adapter.decode(body, MEDIA_TYPE, sender, headers), lambda: bare.parse_json(body), effort
    )
    return Row(
        "adapter-canonical", "规范格式解码", "decode the canonical form", "orjson loads", _GATE, rounds,
        {"us": us, "bare_us": yard, "bytes": len(body)},
    )  # fmt: skip
