"""Releases on their way into a hospital's own listener, on real sockets: what counts as taken, and what comes again."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.agent_tls import sender_tls
from gateway.client.agency import Answered, Inbound
from gateway.client.handing_on import HandOn
from gateway.engines.mllp.frames import framed
from gateway.engines.mllp.sender import Answer, MllpSender, SenderLimits
from gateway.model.errors import Refusal, Unavailable
from tests.support.certificates import make_certificate
from tests.support.hospital import CUT, HOLD, Hospital, answer

HL7 = "application/hl7-v2+er7"


def message(number: str) -> bytes:
    return f"MSH|^~\\&|HUTONG|||HIS|20260301||ORU^R01|{number}|P|2.4\rPID|1||MZ1||李小测\r".encode()


class Gateway:
    """Stands for the office's client: hands out what is in it, one after another, and remembers what was said of each."""

    def __init__(self, *releases: Inbound, late: bool = False) -> None:
        self.waiting, self.said, self.asked, self.late = list(releases), [], [], late

    async def pull(self, limit: int, wait_seconds: int, accept: str) -> list[Inbound]:
        self.asked.append((limit, accept))
        return [self.waiting.pop(0)] if self.waiting else []

    async def acknowledge(self, release: Inbound) -> None:
        if self.late:
            raise Answered(409, {})
        self.said.append((release.delivery, "ack"))

    async def give_back(self, release: Inbound, reason: str) -> None:
        self.said.append((release.delivery, reason))


def releases(*names: str, content_type: str = HL7) -> list[Inbound]:
    return [Inbound(name, 1, "lease", content_type, message(name)) for name in names]


@contextmanager
def system(hospital: Hospital, **limits: float):
    sender = MllpSender("127.0.0.1", hospital.port, None, SenderLimits(**limits))
    try:
        yield sender
    finally:
        sender.close()


async def handed_on(gateway: Gateway, sender: MllpSender, shelf=None) -> list[str]:
    """Until nothing is left; the events told. An outage ends it."""
    told: list[str] = []
    hand_on = HandOn(gateway, sender, shelf, HL7, lambda event, **fields: told.append(f"{event} {fields}"))
    while await hand_on.once():
        pass
    return told


@pytest.mark.parametrize("code", ["AA", "CA"])
async def test_what_the_listener_has_taken_is_acknowledged_in_order_over_one_connection(code):
    gateway = Gateway(*releases("m1", "m2", "m3"))
    with Hospital(lambda n, m: code) as hospital, system(hospital) as sender:
        await handed_on(gateway, sender)
    assert hospital.numbers == ["m1", "m2", "m3"]
    assert hospital.got[0] == message("m1")
    assert gateway.said == [("m1", "ack"), ("m2", "ack"), ("m3", "ack")]
    assert set(gateway.asked) == {(1, HL7)}
    assert len(hospital._open) == 1


@pytest.mark.parametrize("code", ["AE", "CE"])
async def test_a_message_that_is_wrong_is_given_back_with_its_code_alone_and_the_next_one_goes(code):
    gateway = Gateway(*releases("m1", "m2"))

    def reply(n: int, m: bytes) -> str | bytes:
        return framed(answer(m, code, error="204")) if n == 1 else "AA"

    with Hospital(reply) as hospital, system(hospital) as sender:
        told = await handed_on(gateway, sender)
    assert gateway.said == [("m1", f"hl7-{code.lower()}"), ("m2", "ack")]
    assert "'204'" in told[0] and "李小测" not in "".join(told)


@pytest.mark.parametrize(
    ("reply", "reason", "word"),
    [
        ("AR", "hl7-ar", "AR"),
        ("CR", "hl7-cr", "CR"),
        ("?!", "hl7-other", "other"),
        (HOLD, "no-answer", "in time"),
        (CUT, "no-answer", "ended"),
        (framed(b"MSH|^~\\&|HIS\rMSA|AA|another\r"), "no-answer", "in time"),
        (b"\x0b" + b"x" * 5000, "no-answer", "no answer"),
    ],
)  # fmt: skip
async def test_where_nobody_says_that_it_was_taken_it_is_given_back_and_all_others_wait(reply, reason, word):
    gateway = Gateway(*releases("m1", "m2"))
    patience = 0.2 if word == "in time" else 60
    limits = {"answer_seconds": patience, "max_answer_bytes": 4096}
    with Hospital(lambda n, m: reply) as hospital, system(hospital, **limits) as sender:
        with pytest.raises(Unavailable, match=word):
            await handed_on(gateway, sender)
        assert gateway.said == [("m1", reason)]
        hospital.reply = lambda n, m: "AA"
        sender._limits = SenderLimits()
        await handed_on(gateway, sender)  # a late answer to the first is no answer to the second
    assert gateway.said[1:] == [("m2", "ack")]


async def test_a_late_answer_to_another_message_is_passed_over():
    gateway = Gateway(*releases("m1"))
    both = lambda n, m: framed(answer(m, "AE", "m0")) + framed(answer(m, "AA"))  # noqa: E731
    with Hospital(both) as hospital, system(hospital) as sender:
        await handed_on(gateway, sender)
    assert gateway.said == [("m1", "ack")]


async def test_nothing_is_fetched_while_the_listener_is_away_and_an_ended_connection_is_made_anew():
    gateway = Gateway(*releases("m1", "m2"))
    with Hospital() as hospital:
        port = hospital.port
    sender = MllpSender("127.0.0.1", port)
    with pytest.raises(Unavailable, match="away"):
        await handed_on(gateway, sender)
    assert gateway.asked == []
    with Hospital(port=port) as hospital:
        await handed_on(Gateway(*releases("m0")), sender)
        for connection in hospital._open:
            connection.shutdown(socket.SHUT_RDWR)
        while not sender._streams[0].at_eof():
            await sender._streams[0].read(1)
        await handed_on(gateway, sender)
        sender.close()
    assert gateway.said == [("m1", "ack"), ("m2", "ack")]


async def test_a_half_open_listener_that_never_reads_is_silence():
    gateway = Gateway(*releases("m1"))
    with socket.create_server(("127.0.0.1", 0)) as nobody_accepts:
        sender = MllpSender("127.0.0.1", nobody_accepts.getsockname()[1], None, SenderLimits(answer_seconds=0.2))
        with pytest.raises(Unavailable, match="in time"):
            await handed_on(gateway, sender)
    assert gateway.said == [("m1", "no-answer")]
    assert sender._streams is None


async def test_what_is_no_hl7_goes_to_the_folder_or_back_and_a_lease_that_ran_out_is_told():
    put: list[str] = []

    class Folder:
        def put(self, release: Inbound) -> None:
            put.append(release.delivery)

    with Hospital() as hospital, system(hospital) as sender:
        gateway = Gateway(*releases("c1", content_type="application/cloudevents+json"))
        await handed_on(gateway, sender, Folder())
        assert (put, gateway.said) == (["c1"], [("c1", "ack")])
        gateway = Gateway(*releases("c1", content_type="application/cloudevents+json"))
        await handed_on(gateway, sender)
        assert gateway.said == [("c1", "not-hl7")]
        told = await handed_on(Gateway(*releases("m1"), late=True), sender)
        assert "release_acknowledged_late" in told[0]
        with pytest.raises(Refusal):
            await sender.send(message("m1") + b"\x1c\r")
        assert await sender.send(message("m2")) == Answer("AA")


async def test_over_tls_the_listener_must_have_a_certificate_of_the_ca(tmp_path):
    known, other = make_certificate(tmp_path / "hospital"), make_certificate(tmp_path / "somebody")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(known.path)
    with Hospital(tls=theirs) as hospital:
        sender = MllpSender("127.0.0.1", hospital.port, sender_tls(Path(known.path), None, None))
        assert (await sender.send(message("m1"))).is_taken
        sender.close()
        stranger = MllpSender("127.0.0.1", hospital.port, sender_tls(Path(other.path), None, None))
        with pytest.raises(Unavailable, match="verify"):
            await stranger.connect()
