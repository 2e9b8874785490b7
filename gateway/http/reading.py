"""What did the caller send, taken apart without trusting any of it?

Everything here raises refusals whose text names a header, parameter or member, never the value found in it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import hdrs, web

from gateway.http.refusals import InvalidParameter, MalformedRequest, RequestTimeout
from gateway.http.settings import HttpSettings
from gateway.model.errors import Problem, TooLarge, Undecodable, UnsupportedMediaType
from gateway.validation.strict_json import Malformed, parse_json

SIGNATURE_HEADER = "Hutong-Signature"
_MEDIA_TYPE = re.compile(r"([A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63})[ \t]*(?:;(.*))?")
_CHARSET = re.compile(r"(?:^|;)\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]+)\"?", re.IGNORECASE)
# Headers a service may look at, besides `ce-*`. Each may stand once: a second one would let two readers disagree.
_PASSED_ON = frozenset({"content-type", "content-disposition", "content-language", "idempotency-key"})
_ONCE = frozenset({ "content-encoding", "content-length", "host", "hutong-signature",
                   "hutong-officer", "hutong-purpose"})  # fmt: skip
_MAX_HEADER_CHARS = 4096
# A string up to its end, or to the end of the body: it always matches where a quote stands, so the scan is linear.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def transport_headers(request: web.Request) -> dict[str, str]:
    """The headers an adapter may look at, names in lower case. Raises MalformedRequest for a header that stands twice
    or holds anything but ASCII (CloudEvents 3.1.3.2 percent-encodes the rest)."""
    headers = request.headers
    names = tuple(headers)  # each name once, however often it stands
    if len(names) != len(headers):
        for name in names:
            lower = name.lower()
            if (lower in _ONCE or _is_passed_on(lower)) and len(headers.getall(name)) > 1:
                raise _bad_header(lower, "stands twice")
    passed = {}
    for name in _passed_names(names):
        value = passed[name] = headers[name]
        if not value.isascii() or len(value) > _MAX_HEADER_CHARS:
            raise _bad_header(name, "must be short ASCII, percent-encoded where needed")
    return passed


@lru_cache(4096)
def _passed_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these headers are passed on, in lower case: an office's system sends the same names all day."""
    return tuple(lower for lower in (name.lower() for name in names) if _is_passed_on(lower))


def _is_passed_on(lower: str) -> bool:
    return lower in _PASSED_ON or lower.startswith("ce-")


def _bad_header(name: str, what: str) -> MalformedRequest:
    problem = Problem("malformed-request", f"header {name}", what)
    return MalformedRequest(f"a header {what}", problems=(problem,))


def media_type(request: web.Request) -> str:
    """The media type without parameters, in lower case. Raises UnsupportedMediaType when it is absent or not one,
    when a JSON type names a charset other than UTF-8, or when the body is compressed."""
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is not None and encoding.strip().lower() != "identity":
        raise UnsupportedMediaType("compressed bodies are not taken", remedy="send the body uncompressed")
    return _media_type(request.headers.get(hdrs.CONTENT_TYPE, ""))


@lru_cache(512)
def _media_type(header: str) -> str:
    found = _MEDIA_TYPE.fullmatch(header.strip())
    if found is None:
        raise UnsupportedMediaType("Content-Type is absent or not a media type", remedy="name the media type")
    essence, parameters = found[1].lower(), found[2] or ""
    charset = _CHARSET.search(parameters)
    if charset and essence.endswith("json") and charset[1].lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("JSON is UTF-8 (RFC 8259 8.1)", remedy="send UTF-8")
    return essence


async def read_body(request: web.Request, max_bytes: int, settings: HttpSettings) -> bytes:
    """The exact bytes of the body. Raises TooLarge (before reading, where Content-Length tells), RequestTimeout,
    MalformedRequest (broken chunks)."""
    length = request.content_length
    if length is not None and length > max_bytes:
        raise too_large(max_bytes)
    try:
        if request.content.is_eof():
            body = await request.read()
        else:
            async with asyncio.timeout(settings.body_seconds):
                body = await request.read()
    except web.HTTPRequestEntityTooLarge as large:
        raise too_large(max_bytes) from large
    except TimeoutError as slow:
        raise RequestTimeout("the body did not arrive in time") from slow
    except web.RequestPayloadError as broken:
        raise MalformedRequest("the body's framing is broken") from broken
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    return body


async def read_file(request: web.Request, settings: HttpSettings) -> bytes:
    """The exact bytes of a bulk file, which has a limit and a time of its own. Raises as `read_body`."""
    most, length = settings.max_file_bytes, request.content_length
    if length is not None and length > most:
        raise too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.file_seconds):
            async for part in request.content.iter_any():
                body += part
                if len(body) > most:
                    raise too_large(most)
    except TimeoutError as slow:
        raise RequestTimeout("the file did not arrive in time") from slow
    except web.RequestPayloadError as broken:
        raise MalformedRequest("the body's framing is broken") from broken
    return bytes(body)


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than {max_bytes} bytes", remedy="send smaller batches; upload attachments apart"
    )


def hold_depth(body: bytes, max_depth: int) -> None:
    """Raises TooLarge when JSON nests deeper; what is no JSON is left for the parser to refuse.

    Cheap for ordinary bodies (few brackets cannot nest deeply) and linear for hostile ones: strings are cut out,
    brackets kept, and each round takes the innermost level away.
    """
    if len(body) - len(body.translate(None, b"{[")) <= max_depth:
        return
    levels = _STRINGS.sub(b"", body).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(max_depth):
        if not levels:
            return
        levels = levels.replace(b"[]", b"")
    if not levels:
        return
    if levels.count(b"[") == levels.count(b"]") or b"[" * max_depth in levels:
        raise TooLarge(f"the JSON nests deeper than {max_depth}", remedy="send flatter content")


async def read_json_object(request: web.Request, settings: HttpSettings, allowed: Collection[str]) -> dict[str, Any]:
    """A small JSON object with no other members than the allowed ones; an empty body is an empty object."""
    body = await read_body(request, settings.max_small_body_bytes, settings)
    return small_object(request, body, settings, allowed)


def small_object(request: web.Request, body: bytes, settings: HttpSettings, allowed: Collection[str]) -> dict[str, Any]:
    """The same for a body that was read already."""
    if not body:
        return {}
    if not media_type(request).endswith("json"):
        raise UnsupportedMediaType("the body must be JSON", remedy="send application/json")
    return parse_object(body, settings, allowed)


def parse_object(body: bytes, settings: HttpSettings, allowed: Collection[str]) -> dict[str, Any]:
    hold_depth(body, settings.max_json_depth)
    try:
        value = parse_json(body, settings.max_json_depth)
    except Malformed as broken:  # also a member named twice: who checks the signature later might read the other one
        problem = Problem("undecodable", broken.problem.position, broken.problem.message, "see RFC 8259")
        raise Undecodable("the body is not JSON", problems=(problem,)) from broken
    if not isinstance(value, dict):
        raise Undecodable("the body is not a JSON object", remedy="send one object")
    if not value.keys() <= set(allowed):
        raise InvalidParameter("the body has members that are not understood", remedy="allowed: " + ", ".join(allowed))
    return value


def batch_size(body: bytes) -> int:
    """How many items a JSON batch holds; Undecodable when it is not a JSON array."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as broken:
        place = f"line {broken.lineno}, column {broken.colno}"
        problem = Problem("undecodable", place, "not JSON", "see RFC 8259")
        raise Undecodable("the body is not JSON", problems=(problem,)) from broken
    if not isinstance(value, list):
        raise Undecodable("a batch is a JSON array", remedy="see CloudEvents JSON batch format")
    return len(value)


def whole_number(query: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    """A query parameter between two bounds; larger ones are cut to `highest`. Raises InvalidParameter."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < lowest:
        problem = Problem("invalid-parameter", f"query {name}", f"a whole number from {lowest} to {highest}")
        raise InvalidParameter(f"`{name}` is not a whole number in range", problems=(problem,))
    return min(int(text), highest)


def member_text(
    document: Mapping[str, Any], name: str, pattern: re.Pattern[str], what: str, default: str | None = None
) -> str:
    """A text member of a small body that fits a pattern; without a default it must be there. Raises InvalidParameter."""
    if default is not None and name not in document:
        return default
    value = document.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        problem = Problem("invalid-parameter", f"/{name}", what)
        raise InvalidParameter(f"`{name}` is not of its form", problems=(problem,))
    return value
