"""Whatever arrives on the socket gets a clean answer: no 5xx, no hang, nothing repeated, nothing in the log."""

import asyncio
import json
import re

import pytest

from gateway.http.settings import HttpSettings
from tests.support.samples import needs_samples, sample_files
from tests.unit.http.standins import StandIn, event

IMPATIENT = HttpSettings(header_seconds=0.3, body_seconds=0.3, keepalive_seconds=0.3, lingering_seconds=0.1)


@pytest.fixture
async def impatient():
    made = await StandIn(IMPATIENT).start()
    yield made
    await made.stop()


async def converse(standin, *pieces: bytes, closes: bool = False) -> bytes:
    """Send raw bytes and read until the server closes; it must do so by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", standin.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if closes:
            writer.write_eof()
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def problem(answer: bytes) -> dict:
    return json.loads(answer[answer.index(b"\r\n\r\n") + 4 :])


async def is_well(standin) -> bool:
    async with standin.client.get("/healthz") as answer:
        return answer.status == 200


def llhttp_requests() -> list:
    """The request blocks of llhttp's own tests: line ends are CRLF, escapes as they are written there."""
    found = []
    for path in sample_files("hostile/http", "*.md"):
        for number, block in enumerate(re.findall(r"```http\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)):
            text = re.sub(r"\\\n", "", block).replace("\n", "\r\n")
            text = text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").replace("\\f", "\f")
            raw = re.sub(r"\\x([0-9a-fA-F]{2})", lambda byte: chr(int(byte[1], 16)), text).encode("latin-1", "replace")
            found.append(pytest.param(raw, id=f"{path.stem}-{number}"))
    return found


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize("raw", llhttp_requests())
async def test_the_framings_llhttp_is_tested_with_never_break_the_edge(impatient, raw):
    answer = await converse(impatient, raw)
    assert all(200 <= status < 500 for status in statuses(answer)), answer
    for word in (b"music", b"localhost:5000", b"aiohttp", b"Python"):
        assert word not in answer
    assert not [line for line in impatient.log_lines() if line["event"] != "request_answered"]
    assert await is_well(impatient)


@needs_samples
@pytest.mark.samples
async def test_json_that_parsers_disagree_on_passes_the_edge_as_the_bytes_it_is(standin):
    files = sample_files("hostile/json-parsing", "*.json")
    assert len(files) > 100
    for path in files:
        body = path.read_bytes()
        status, _, answer = await standin.send(standin.police, body)
        assert status in (202, 413), (path.name, answer)
        if status == 202:
            assert standin.submit.calls[-1][1] == body
        for kind in ("application/cloudevents-batch+json",):
            status, _, _ = await standin.send(standin.police, body, **{"Content-Type": kind})
            assert status in (202, 400, 413), path.name


@needs_samples
@pytest.mark.samples
async def test_small_bodies_of_hostile_json_are_refused_with_a_position(standin):
    bearer = await standin.bearer(standin.police)
    headers = {**bearer, "Content-Type": "application/json"}
    for path in sample_files("hostile/json-parsing", "*.json"):
        async with standin.client.post(
            "/v1/inbox/delivery-0001/accept", data=path.read_bytes(), headers=headers
        ) as answer:
            assert answer.status in (202, 400, 413), (path.name, await answer.text())


async def test_a_small_body_that_names_a_member_twice_is_refused_with_its_place(standin):
    """Signed or not: who reads the signed bytes later might take the other one."""
    headers = {**await standin.bearer(standin.police), "Content-Type": "application/json"}
    for body in (b'{"data":{"a":1},"data":{}}', b'{"data":{"note":1,"n\\u006fte":2}}'):
        async with standin.client.post("/v1/inbox/delivery-0001/accept", data=body, headers=headers) as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, problem["code"]) == (400, "undecodable"), problem
            assert problem["problems"][0]["position"].startswith("/")


@needs_samples
@pytest.mark.samples
async def test_naughty_strings_in_headers_paths_and_queries_are_answered_cleanly(impatient):
    strings = []
    for path in sample_files("hostile/strings"):
        strings += [line for line in path.read_bytes().splitlines() if line and len(line) < 2000]
    assert len(strings) > 300
    bearer = (await impatient.bearer(impatient.police))["Authorization"].encode()
    for line in strings[:: max(1, len(strings) // 250)]:
        raw = (
            b"GET /v1/inbox?max=" + line + b" HTTP/1.1\r\nHost: x\r\nAuthorization: " + bearer + b"\r\nHutong-Officer: "
            + line + b"\r\nConnection: close\r\n\r\n"
        )  # fmt: skip
        assert all(status < 500 for status in statuses(await converse(impatient, raw))), line
    assert not [line for line in impatient.log_lines() if line["event"] != "request_answered"]


PLAIN = b"POST /v1/notices HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, 400, "malformed-request"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "header-too-large"),
        (PLAIN + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431, "header-too-large"),
        (PLAIN + b"".join(b"X-%d: 1\r\n" % n for n in range(500)) + b"\r\n", 431, "header-too-large"),
        (PLAIN + b"Content-Length: -1\r\n\r\n", 400, "malformed-request"),
        (PLAIN + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "malformed-request"),
        (PLAIN + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400, "malformed-request"),
        (PLAIN + b"X\x00Y: 1\r\n\r\n", 400, "malformed-request"),
        (b"BREW /v1/notices HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed-request"),
        (PLAIN + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}", 417, "expectation-failed"),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417, "expectation-failed"),
        (PLAIN + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413, "too-large"),
        (b"GET /nowhere/%ff%00%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"),
        (b"GET //../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"),
        (b"DELETE /v1/notices HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method-not-allowed"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"),
        (b"GET http://elsewhere.example/healthz2 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"),
        (b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"),
    ],
)
async def test_what_is_no_good_request_is_a_problem_in_our_words(impatient, raw, status, code):
    answer = await converse(impatient, raw)
    assert statuses(answer) == [status], answer
    assert problem(answer)["code"] == code
    assert b"Server: hutong" in answer
    assert b"aiohttp" not in answer
    assert await is_well(impatient)


async def authorised(standin, *lines: bytes) -> bytes:
    bearer = (await standin.bearer(standin.police))["Authorization"].encode()
    head = PLAIN + b"Authorization: " + bearer + b"\r\nContent-Type: application/cloudevents+json\r\n"
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize(
    "chunk", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}garbage\r\n", b"ffffffffffffffffff\r\n", b"2;a=\x00\r\n{}\r\n"]
)
async def test_a_malformed_chunk_is_a_clean_400(impatient, chunk):
    answer = await converse(impatient, await authorised(impatient, b"Transfer-Encoding: chunked"), chunk)
    assert set(statuses(answer)) == {400}
    assert not impatient.submit.calls


async def test_a_chunked_body_over_the_limit_is_413():
    standin = await StandIn(HttpSettings(max_body_bytes=1000, lingering_seconds=0.1, keepalive_seconds=0.3)).start()
    try:
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        answer = await converse(standin, await authorised(standin, b"Transfer-Encoding: chunked"), chunk * 3)
        assert statuses(answer)[0] == 413
    finally:
        await standin.stop()


async def test_a_body_that_never_ends_is_a_408(impatient):
    answer = await converse(impatient, await authorised(impatient, b"Content-Length: 100"), b"{")
    assert statuses(answer) == [408]


async def test_a_client_that_says_nothing_or_half_a_request_is_let_go(impatient):
    assert await converse(impatient) == b""
    assert await converse(impatient, b"GET /healthz HT") == b""


@pytest.mark.parametrize("name", [b"Content-Type", b"Hutong-Signature", b"ce-id", b"Hutong-Officer"])
async def test_a_header_that_stands_twice_is_refused(impatient, name):
    head = await authorised(impatient, name + b": a", name + b": b", b"Content-Length: 2")
    answer = await converse(impatient, head + b"{}")
    assert statuses(answer)[0] == 400
    assert problem(answer)["code"] == "malformed-request"


async def test_credentials_that_stand_twice_are_none(impatient):
    answer = await converse(impatient, await authorised(impatient, b"Authorization: Bearer x", b"Content-Length: 0"))
    assert statuses(answer)[0] == 401


async def test_pipelined_requests_are_answered_in_order(impatient):
    raw = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 20
    assert statuses(await converse(impatient, raw)) == [200, 404] * 20


async def test_a_continue_is_given_before_the_body_is_sent(impatient):
    body = event()
    signature = b"Hutong-Signature: " + impatient.police.sign(body).encode()
    head = await authorised(impatient, b"Expect: 100-continue", b"Content-Length: %d" % len(body), signature)
    assert statuses(await converse(impatient, head, body)) == [100, 202]


async def test_log_lines_cannot_be_forged_or_carry_what_was_sent(impatient):
    secret = "李小测-440113201001011234"
    await impatient.send(impatient.police, event(data={"name": secret}), f"/v1/notices?name={secret}")
    await impatient.send(impatient.police, event(), f"/v1/{secret}%0d%0a%7b%22event%22:%22forged%22%7d")
    await converse(impatient, b"GET /%0aforged HTTP/1.1\r\nHost: x\r\nUser-Agent: \x1b[31mforged\r\n\r\n")
    impatient.services.log.flush()
    text = impatient.lines.getvalue()
    assert text.isascii()
    assert b"forged" not in text
    assert b"440113201001011234" not in text
    assert all(line["event"] == "request_answered" for line in impatient.log_lines())
    assert {line["route"] for line in impatient.log_lines()} == {"token", "submit", "none"}
