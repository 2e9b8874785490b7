"""How is a notice wrapped on the wire? CloudEvents 1.0 in its three HTTP forms.

Structured (`application/cloudevents+json`), batch
(`application/cloudevents-batch+json`) and binary (attributes in `ce-` headers,
the body is the data). Parsing is strict on what the specification requires and
keeps every extension; nothing here knows what a notice means. Sources:
CloudEvents 1.0.2 core, JSON event format, HTTP protocol binding.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import orjson

from gateway.model.errors import Problem
from gateway.model.identifiers import NoticeType
from gateway.validation.strict_json import Malformed as MalformedJson
from gateway.validation.strict_json import element_spans, parse_json

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"

_NAME = re.compile(r"[a-z0-9]{1,20}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
# Control characters, surrogates and noncharacters may not stand in an attribute (CloudEvents 1.0.2, type String).
_UNFIT = re.compile("[\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}\s*(;.*)?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOTICE_TYPE = re.compile(r"hutong\.notice\.([A-Z]{3,5}(?:-[A-Z]{1,2})?)\.v([1-9][0-9]{0,3})")
_REQUIRED: Final = ("id", "source", "type")
_OPTIONAL: Final = ("subject", "time", "datacontenttype", "dataschema")
_NAMED: Final = (*_REQUIRED, *_OPTIONAL)
_KNOWN: Final = frozenset({"specversion", *_NAMED, "data", "data_base64"})
_INT32: Final = 2**31
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body, events of a batch, nesting of JSON, characters of one attribute.

    `names` are member names that a position may show (`Rules.names`); other names read `*`, since a sender may
    have put anything there.
    """

    max_bytes: int = 1024 * 1024
    max_items: int = 500
    max_depth: int = 64
    max_attribute: int = 2048
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event. `data` is the JSON value (None without data); `data_bytes` is set instead where the data is not JSON.

    `raw` are the exact bytes the event was read from: the body, or its slice of a batch.
    """

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, str | int | bool] = field(default_factory=dict)
    data: Any = None
    data_bytes: bytes | None = None
    raw: bytes = b""

    @property
    def instant(self) -> datetime | None:
        """`time` as an aware instant."""
        return None if self.time is None else datetime.fromisoformat(self.time.upper())

    def attributes(self) -> dict[str, str | int | bool]:
        """All context attributes that are present, `specversion` first."""
        found: dict[str, str | int | bool] = {"specversion": "1.0"}
        for name in _NAMED:
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        found.update(self.extensions)
        return found


@dataclass(frozen=True, slots=True)
class Malformed:
    """No event: everything that is wrong, by JSON pointer or header name."""

    problems: tuple[Problem, ...]


def mode_of(content_type: str) -> str:
    """`structured`, `batch`, `binary`, or `unsupported` for other CloudEvents formats and charsets."""
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if media not in (STRUCTURED, BATCH):
        return "unsupported" if media.startswith("application/cloudevents") else "binary"
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8", "us-ascii"):
            return "unsupported"
    return "structured" if media == STRUCTURED else "batch"


def notice_type_of(event_type: str) -> tuple[NoticeType, int] | None:
    """The notice type and schema version that `hutong.notice.RPT-M.v1` names; None for other types of event."""
    match = _NOTICE_TYPE.fullmatch(event_type)
    return None if match is None else (NoticeType(match[1]), int(match[2]))


def event_type_of(notice_type: NoticeType, version: int = 1) -> str:
    return f"hutong.notice.{notice_type}.v{version}"


def parse_structured(raw: bytes, limits: Limits = Limits()) -> CloudEvent | Malformed:
    """Read one event in the JSON format. Total."""
    value = _json(raw, limits)
    return value if isinstance(value, Malformed) else _event(value.parsed, "", raw, limits)


def parse_batch(raw: bytes, limits: Limits = Limits()) -> tuple[CloudEvent | Malformed, ...] | Malformed:
    """Read a batch: one answer per event, in order, or `Malformed` when it is no batch at all. Total.

    A batch may be empty (JSON event format 4).
    """
    value = _json(raw, limits)
    if isinstance(value, Malformed):
        return value
    items = value.parsed
    if not isinstance(items, list):
        return _malformed("not-a-batch", "", "a batch is a JSON array", "发送 JSON 数组 / send a JSON array of events")
    if len(items) > limits.max_items:
        return _malformed(
            "too-many", "", f"a batch has at most {limits.max_items} events", "分批发送 / send smaller batches"
        )
    return tuple(
        _event(item, f"/{index}", raw[start:end], limits)
        for index, (item, (start, end)) in enumerate(zip(items, element_spans(raw), strict=True))
    )


def parse_binary(
    headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes, limits: Limits = Limits()
) -> CloudEvent | Malformed:
    """Read one event whose attributes are headers. Total.

    Header names in any case; pass pairs where the transport keeps repeated
    headers, so that an attribute given twice is found. A JSON content type
    (the default when there is a body) has its data parsed.
    """
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    content_type: str | None = None
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        lower = name.lower()
        if lower == "content-type":
            content_type = value
        if not lower.startswith("ce-"):
            continue
        attribute = lower[3:]
        if attribute in found:
            problems.append(_problem("duplicate-attribute", lower, "this attribute is given twice"))
        elif attribute in ("datacontenttype", "data", "data_base64"):
            problems.append(_problem("bad-attribute", lower, "this is no header of binary mode"))
        else:
            decoded = _header_value(value)
            if decoded is None:
                problems.append(_problem("bad-attribute", lower, "this header is not percent-encoded UTF-8"))
            found[attribute] = "" if decoded is None else decoded
    if problems:
        return Malformed(tuple(problems))
    if len(body) > limits.max_bytes:
        return _too_large(limits)
    if content_type is not None:
        found["datacontenttype"] = content_type
    data: Any = None
    data_bytes: bytes | None = None
    if body and is_json(content_type):
        value_or_problem = _json(body, limits)
        if isinstance(value_or_problem, Malformed):
            return value_or_problem
        data = value_or_problem.parsed
    elif body:
        data_bytes = body
    return _assemble(found, "ce-", data, data_bytes, body, limits, "")


def is_json(content_type: str | None) -> bool:
    """Is data of this content type JSON? No content type means JSON (JSON event format 3.1)."""
    media = (content_type or _JSON).partition(";")[0].strip().lower()
    return media == _JSON or media.endswith("+json")


def format_structured(event: CloudEvent) -> bytes:
    """The event in the JSON format, members sorted. Raises TypeError for data that JSON cannot carry."""
    return orjson.dumps(_structured(event), option=orjson.OPT_SORT_KEYS)


def format_batch(events: Sequence[CloudEvent]) -> bytes:
    return orjson.dumps([_structured(event) for event in events], option=orjson.OPT_SORT_KEYS)


def format_binary(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    """Headers (lower-case names, percent-encoded values) and body."""
    headers = {
        f"ce-{name}": _percent_encoded(_spelled(value))
        for name, value in event.attributes().items()
        if name != "datacontenttype"
    }
    headers["content-type"] = event.datacontenttype or _JSON
    if event.data_bytes is not None:
        return headers, event.data_bytes
    return headers, b"" if event.data is None else orjson.dumps(event.data, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class _Parsed:
    parsed: Any


def _json(raw: bytes, limits: Limits) -> _Parsed | Malformed:
    if len(raw) > limits.max_bytes:
        return _too_large(limits)
    try:
        return _Parsed(parse_json(raw, limits.max_depth, limits.names))
    except MalformedJson as malformed:
        return Malformed((malformed.problem,))


def _event(value: Any, at: str, raw: bytes, limits: Limits) -> CloudEvent | Malformed:
    if not isinstance(value, dict):
        return _malformed("not-an-event", at, "an event is a JSON object", "发送 JSON 对象 / send a JSON object")
    data, data_bytes = value.get("data"), None
    encoded = value.get("data_base64")
    if encoded is not None:
        if data is not None:
            return _malformed(
                "both-data",
                f"{at}/data_base64",
                "data and data_base64 exclude each other",
                "只用其一 / use one of them",
            )
        try:
            data_bytes = base64.b64decode(encoded, validate=True) if isinstance(encoded, str) else None
        except (binascii.Error, ValueError):
            data_bytes = None
        if data_bytes is None:
            return _malformed(
                "bad-base64", f"{at}/data_base64", "this is no base64", "使用标准 base64 / use base64 (RFC 4648)"
            )
        if is_json(value.get("datacontenttype") if isinstance(value.get("datacontenttype"), str) else None):
            inner = _json(data_bytes, limits)
            if isinstance(inner, Malformed):
                return Malformed(
                    tuple(Problem(p.code, f"{at}/data_base64", p.message, p.remedy) for p in inner.problems)
                )
            data, data_bytes = inner.parsed, None
    return _assemble(value, f"{at}/", data, data_bytes, raw, limits, at)


def _assemble(
    found: Mapping[str, Any], prefix: str, data: Any, data_bytes: bytes | None, raw: bytes, limits: Limits, at: str
) -> CloudEvent | Malformed:
    """Check the attributes; `prefix` makes the position of one (`/` or `ce-`)."""
    problems: list[Problem] = []

    def wrong(code: str, name: str, message: str, remedy: str = "") -> None:
        problems.append(_problem(code, f"{prefix}{name}", message, remedy))

    version = found.get("specversion")
    if version != "1.0":
        wrong(
            "missing-attribute" if version is None else "bad-attribute", "specversion", "the version is 1.0",
            "specversion 写 1.0 / set specversion to 1.0",
        )  # fmt: skip
    known: dict[str, str | None] = {}
    for name in _NAMED:
        value = found.get(name)
        if value is None:
            if name in _REQUIRED:
                wrong("missing-attribute", name, "this attribute is required", "补充该属性 / add the attribute")
        elif not isinstance(value, str) or not value:
            wrong("bad-attribute", name, "this attribute is text and not empty")
        elif len(value) > limits.max_attribute:
            wrong("too-long", name, f"an attribute has at most {limits.max_attribute} characters")
        elif not _is_fit(value):
            wrong("bad-attribute", name, "this attribute has characters that no attribute may have")
        else:
            known[name] = value
    time = known.get("time")
    if time is not None and not _is_time(time):
        wrong("bad-attribute", "time", "this is no RFC 3339 time", "写作 2026-03-01T09:30:00+08:00")
    media = known.get("datacontenttype")
    if media is not None and media != _JSON and _MEDIA_TYPE.fullmatch(media) is None:
        wrong("bad-attribute", "datacontenttype", "this is no media type", "例如 application/json")
    extensions: dict[str, str | int | bool] = {}
    if len(found) > len(known) + 1 + ("data" in found):
        for name, value in found.items():
            if name in _KNOWN or value is None:
                continue
            if _NAME.fullmatch(name) is None:
                wrong("bad-attribute", "*", "a name of an attribute has 1 to 20 lower-case letters and digits")
            elif isinstance(value, str):
                if len(value) > limits.max_attribute:
                    wrong("too-long", name, f"an attribute has at most {limits.max_attribute} characters")
                elif not _is_fit(value):
                    wrong("bad-attribute", name, "this attribute has characters that no attribute may have")
                extensions[name] = value
            elif isinstance(value, bool) or (isinstance(value, int) and -_INT32 <= value < _INT32):
                extensions[name] = value
            else:
                wrong("bad-attribute", name, "an extension is text, a boolean or a 32-bit integer")
    if problems:
        return Malformed(tuple(problems))
    identifier, source, kind = known["id"], known["source"], known["type"]
    assert identifier is not None and source is not None and kind is not None  # required, checked above
    return CloudEvent(
        identifier, source, kind, known.get("subject"), time, media, known.get("dataschema"), extensions,
        data, data_bytes, raw,
    )  # fmt: skip


def _is_fit(value: str) -> bool:
    return (value.isascii() and value.isprintable()) or _UNFIT.search(value) is None


def _is_time(value: str) -> bool:
    if _TIME.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def _header_value(value: str) -> str | None:
    """Undo quoting, then percent-encoding (HTTP binding 3.1.3.2); None when the result is no UTF-8."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if "%" not in value:
        return value if value.isascii() else None
    if _BAD_PERCENT.search(value) is not None:
        return None
    try:
        return _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), value.encode("ascii")).decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None


def _percent_encoded(value: str) -> str:
    """Space, quote, percent and everything beyond printable ASCII are encoded (HTTP binding 3.1.3.2)."""
    if value.isascii() and value.isprintable() and not set(value) & {" ", '"', "%"}:
        return value
    return quote(value, safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~")


def _spelled(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _structured(event: CloudEvent) -> dict[str, Any]:
    found: dict[str, Any] = event.attributes()
    if event.data_bytes is not None:
        found["data_base64"] = base64.b64encode(event.data_bytes).decode("ascii")
    elif event.data is not None:
        found["data"] = event.data
    return found


def _problem(code: str, position: str, message: str, remedy: str = "") -> Problem:
    return Problem(code, position, message, remedy or "对照 CloudEvents 1.0 核对 / check against CloudEvents 1.0")


def _malformed(code: str, position: str, message: str, remedy: str) -> Malformed:
    return Malformed((Problem(code, position, message, remedy),))


def _too_large(limits: Limits) -> Malformed:
    return _malformed(
        "too-large", "", f"a body has at most {limits.max_bytes} bytes", "缩小或分批发送 / send less at once"
    )
