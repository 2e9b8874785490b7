"""What leaves the gateway for witnesses and auditors tells nothing of anybody, and an erased person opens nowhere while all proofs hold.

Every byte that a real witness is asked and answers, every tile, note and cosignature is kept while notices with fuzzed names,
numbers, telephones, addresses and accounts run through a whole gateway. None of the values is in it: plain, encoded, as a
hash, or as a keyed hash under any key that the log holds.
"""

import base64
import hashlib
import hmac
import random
import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.audit.bundle import check_bundle, check_report
from gateway.audit.opening import read_opening
from gateway.config import LogSettings
from gateway.engines.system.clock import SystemClock
from gateway.engines.witness_store import SqliteWitnessStore
from gateway.http.witness import witness_app
from gateway.model.identifiers import PersonId
from gateway.services.export_log import export_files
from gateway.services.log_desk import Reader
from gateway.services.verify_signed import verify_everything
from gateway.services.witness import Witness
from tests.support.audit_log import WITNESS
from tests.support.family import notice, person
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

ORIGIN = "test.hutong.example/exchange/1"
SENDER, POLICE = "education.440113", "police.440113"
NOTICES = 8
_TOKEN = re.compile(rb"[A-Za-z0-9+/_-]{43,}={0,2}")
_HEX = re.compile(rb"[0-9a-fA-F]{64,}")


class Overheard:
    """A real witness over HTTP, and every byte of its traffic."""

    def __init__(self, folder):
        self.seen, self.logs = bytearray(), {}
        self._witness = Witness(
            SqliteWitnessStore(folder / "witness.db", create=True), (WITNESS,), self.logs, SystemClock()
        )

    async def __aenter__(self):
        @web.middleware
        async def overhear(request, handler):
            self.seen += request.raw_path.encode() + repr(request.raw_headers).encode() + await request.read()
            answer = await handler(request)
            self.seen += answer.body or b""
            return answer

        self.logs[ORIGIN] = ()  # so that the path exists; the keys come once the gateway has made them
        app = witness_app(self._witness)
        app.middlewares.append(overhear)
        self._server = TestServer(app)
        await self._server.start_server()
        self.url = str(self._server.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *_):
        await self._server.close()


def fuzzed(number: int, rng: random.Random):
    """A child with a mother, all new, and the values that must not be found anywhere."""

    def words(count: int) -> str:
        return "".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(count))

    child = person("p1", "minor", years=9, name=words(4), serial=300 + 2 * number)
    mother = person("p2", "guardian", years=38, name=words(4), serial=301 + 2 * number, relation="52", of="p1",
                    phone=f"139{rng.randrange(10**8):08}", residence={"region": "440113102", "address": words(12)})  # fmt: skip
    account = words(30)
    told = {
        "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "place": {"region": "440113102", "address": words(10)},
        "harm": {"types": ["H21"], "summary": account}, "persons": [child, mother],
    }  # fmt: skip
    secret = [one[name] for one in (child, mother) for name in ("name", "id_no")]
    secret += [mother["phone"], mother["residence"]["address"], told["place"]["address"], account]
    return notice("RPT", SENDER, f"fuzz-{number}", told, f"fuzz-{number}"), secret, child, mother


def spellings(value: str):
    """A value as bytes, in the encodings of the eight agencies, and each as text that stands for bytes."""
    for raw in (value.encode(), value.encode("gb18030"), value.encode("utf-16-le"), value.encode("utf-16-be")):
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        for shift in range(3):  # base64 of what stands anywhere in a longer text, without the digits that mix
            yield base64.b64encode(bytes(shift) + raw)[4 if shift else 0 :].rstrip(b"=")[:-1]


def hashes(value: str, keys):
    for raw in {value.encode(), value.encode("gb18030")}:
        for name in ("sha256", "sm3"):
            yield hashlib.new(name, raw).digest()
            yield hashlib.new(name, b"\x00" + raw).digest()
            for key in keys:
                yield hmac.digest(key, raw, name)


def windows(heard: bytes):
    """Every 32 bytes that stand in the text: plain, and behind base64 and hexadecimal digits."""
    found = set()
    decoded = [heard]
    for token in _TOKEN.findall(heard):
        for spelt in (token, token[1:], token[2:], token[3:]):
            whole = spelt.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
            decoded.append(base64.b64decode(whole[: len(whole) & ~3]))
            decoded.append(base64.b64decode(whole + b"=" * (-len(whole) % 4)) if len(whole) % 4 != 1 else b"")
    decoded += [bytes.fromhex(token[: len(token) & ~1].decode()) for token in _HEX.findall(heard)]
    for text in decoded:
        found.update(text[at : at + 32] for at in range(len(text) - 31))
    return found


def told(heard: bytes, values, keys):
    """Which of the values stand in what was heard, in any form."""
    seen = windows(heard)
    return [
        value
        for value in values
        if any(form in heard for form in spellings(value)) or any(one in seen for one in hashes(value, keys))
    ]


def test_the_ear_hears_what_it_listens_for():
    value, key = "王测乙住在测试路", b"k" * 32
    digest, keyed = hashlib.new("sm3", value.encode()).digest(), hmac.digest(key, value.encode("gb18030"), "sha256")
    for leak in (
        value.encode(), value.encode("gb18030").hex().encode(), base64.b64encode(b"{" + value.encode() + b"}"), digest,
        digest.hex().upper().encode(), base64.b64encode(digest), base64.urlsafe_b64encode(keyed), b"x" + base64.b64encode(keyed),
    ):  # fmt: skip
        assert told(b"line\n" + leak + b"\nline", [value], [key]) == [value], leak
    assert told(base64.b64encode(hashlib.sha256(b"other").digest()), [value], [key]) == []


async def test_what_leaves_the_gateway_tells_nothing_and_an_erased_child_opens_nowhere(tmp_path):
    rng = random.Random(20261128)
    policy = tmp_path / "witness.policy"
    async with Overheard(tmp_path) as witness:
        policy.write_text(f"witness w {WITNESS.key.vkey} {witness.url}\nquorum w\n")
        async with town(tmp_path, log=LogSettings(trust_policy=policy, checkpoint_seconds=0.2)) as whole:
            gateway, services = whole.gateway, whole.gateway.services.proof
            publisher, store = gateway.engines.proof.publisher, gateway.engines.store
            witness.logs[publisher.origin] = tuple(one.key for one in publisher.signers)
            for name in ("first", "second"):
                await gateway.services.staff.grant(name, "compliance-officer", by="test")
            told_of, values = [], []
            for number in range(NOTICES):
                body, secret, child, mother = fuzzed(number, rng)
                values += secret
                receipt = await whole.clients[SENDER].submit(body, CANONICAL)
                told_of.append((receipt["notice"], child, mother))
                for item in await whole.clients[POLICE].pull():
                    await whole.clients[POLICE].acknowledge(item)
                await gateway.engines.proof.hold.beat()
            people = services.people
            child, mother = [await people.by_identifier("ID", one["id_no"]) for one in told_of[0][1:]]
            assert child is not None and mother is not None

            async def heard() -> bytes:
                await gateway.engines.proof.hold.beat()
                parts = [data async for _, data in export_files(publisher)]
                for size, _, note in await store.log.checkpoints(-1, 1000):
                    parts += [note, *(line for _, line in await store.log.cosigned(size))]
                return bytes(witness.seen) + b"\n".join(parts)

            records = await store.log.records(0, (await store.log.head()).size)
            keys = [read_opening(one.opening).secret for one in records] + [
                child.log_secret,
                child.subject,
                mother.subject,
            ]
            leaving = await heard()
            assert witness.seen.count(b"add-checkpoint") > NOTICES and publisher.latest.is_witnessed
            assert told(leaving, values, keys) == []

            places = list(await store.log.places_of(child.subject))
            own = await store.retention.key_of(PersonId(child.person))
            key_bytes = gateway.engines.keys.open(own)
            events = [one.event for one in records if one.index in places]
            asked = await services.erase.ask(str(child.person), authority="rights-request", by="first")
            await services.erase.approve(asked.id, by="second")

            assert gateway.engines.keys.open(own) is None and await people.by_id(child.person) is None
            assert list(await store.log.places_of(child.subject)) == []
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            for needle in (key_bytes, child.log_secret, *(one.encode() for one in values)):
                assert not [path.name for path in files if needle in path.read_bytes()], "file, journal and free pages"

            leaving = await heard()
            assert told(leaving, values, [*keys, key_bytes]) == []
            trust = publisher.trust
            outcome = await verify_everything(store.log, publisher.origin, trust, None)
            assert outcome.is_verified, outcome.reason
            bundle = check_bundle(await gateway.engines.proof.prover.bundle(events), trust)
            assert [one.index for one in bundle.records] == places, (
                "the envelopes of the erased child's records still open"
            )
            reader = Reader("staff", "first")
            report = await services.desk.person_report(str(mother.person), "bundle", reader)
            shown = [one.record for one in check_report(report.body, trust).records]
            with_child = [one for one in shown if one.event_id in events]
            assert with_child, "records that name both"
            for one in with_child:
                opened = [slot.values["person"] for slot in one.slots if slot is not None and "person" in slot.values]
                assert opened == [str(mother.person)], (
                    "the mother's slot of the same record opens, the child's does not"
                )
            assert not whole.failures()
