"""Just enough of a gateway behind the edge to try the edge itself: everything lives in memory, one office per key."""

from __future__ import annotations

import hashlib
import io
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import aiohttp
from jwcrypto import jwk as outside_jwk
from jwcrypto import jws as outside_jws
from jwcrypto import jwt as outside_jwt

from gateway.crypto.detached import DetachedVerifier
from gateway.crypto.signing import new_signing_key, verify_key
from gateway.engines.system.logs import EventLog
from gateway.engines.system.steady_clock import TrustedClock
from gateway.http.app import make_app
from gateway.http.services import ApiServices
from gateway.http.serving import Edge
from gateway.http.settings import HttpSettings
from gateway.model.agency import Office, OfficeKey, OfficeState
from gateway.model.canonical import canonical_json
from gateway.model.errors import LeaseLost, NotFound, NotPermitted
from gateway.model.identifiers import OfficeId
from gateway.ports.storage import Epochs
from gateway.services.answer_access import Answered
from gateway.services.attachments import Uploaded
from gateway.services.authenticate import ASSERTION_TYPE, Authenticate, TokenSettings
from gateway.services.verify_order import VerifyOrder

ISSUER = "https://hutong.example"
POLICE = OfficeId("police.440113")
HEALTH = OfficeId("health.440113")
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class SetClock:
    def __init__(self) -> None:
        self.at, self.seconds = START, 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, **by: float) -> None:
        step = timedelta(**by)
        self.at += step
        self.seconds += step.total_seconds()


class OfficeSystem:
    """A foreign office: signs with jwcrypto, knows nothing of this code."""

    def __init__(self, office: OfficeId, algorithm: str = "EdDSA") -> None:
        self.office, self.algorithm = office, algorithm
        shape = {"kty": "OKP", "crv": "Ed25519"} if algorithm == "EdDSA" else {"kty": "EC", "crv": "P-256"}
        self.kid = f"{office}-1"
        self.key = outside_jwk.JWK.generate(**shape, kid=self.kid)

    @property
    def public(self) -> dict:
        return self.key.export_public(as_dict=True)

    def assertion(self, at: datetime, *, header: dict | None = None, key: outside_jwk.JWK | None = None, **claims):
        seconds = int(at.timestamp())
        said = {
            "iss": self.office,
            "sub": self.office,
            "aud": f"{ISSUER}/oauth/token",
            "iat": seconds,
            "exp": seconds + 120,
            "jti": uuid.uuid4().hex,
        } | claims
        said = {name: value for name, value in said.items() if value is not None}
        head = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | (header or {})
        token = outside_jwt.JWT(header=head, claims=said, algs=[head["alg"]])
        token.make_signed_token(key or self.key)
        return token.serialize()

    def form(self, at: datetime, **changes) -> dict[str, str]:
        assertion = changes.pop("assertion", None) or self.assertion(at, **changes.pop("claims", {}))
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        } | changes

    def sign(self, body: bytes, **beside: object) -> str:
        made = outside_jws.JWS(body)
        header = json.dumps({"alg": self.algorithm, "b64": False, "crit": ["b64"], "kid": self.kid, **beside})
        made.add_signature(self.key, alg=self.algorithm, protected=header)
        made.detach_payload()
        return made.serialize(compact=True)


class Directories:
    """Offices and their keys at one epoch."""

    def __init__(self, systems: Sequence[OfficeSystem]) -> None:
        self.offices = {
            system.office: Office(system.office, "测试单位", keys=(OfficeKey(system.kid, system.public, "sig", START),))
            for system in systems
        }
        self.epochs = Epochs(1, 1, 1)

    @property
    def current(self) -> Directories:
        return self

    def signing_keys(self, office: OfficeId, at: datetime):
        held = self.offices.get(office)
        keys = {} if held is None else {key.kid: verify_key(key.jwk) for key in held.keys}
        return keys.get

    def change(self, office: OfficeId, **changes) -> None:
        held = self.offices[office]
        fields = {name: getattr(held, name) for name in held.__slots__} | changes
        self.offices[office] = Office(**fields)
        self.epochs = Epochs(1, 1, self.epochs.directory + 1)

    def suspend(self, office: OfficeId) -> None:
        self.change(office, state=OfficeState.SUSPENDED)


class OneTimes:
    def __init__(self) -> None:
        self.used: set[tuple[str, bytes]] = set()

    async def use_once(self, realm: str, value: bytes, until: datetime) -> bool:
        first = (realm, value) not in self.used
        self.used.add((realm, value))
        return first


class Keys:
    def __init__(self) -> None:
        self.in_use = {purpose: new_signing_key() for purpose in ("receipts", "releases", "tokens", "log")}
        self.made = list(self.in_use.values())

    def signing_key(self, purpose: str):
        return self.in_use[purpose]

    def use_signing_key(self, purpose: str, key):
        self.in_use[purpose] = key
        self.made.append(key)

    def verification_keys(self):
        return [key.public().jwk() for key in self.made]


class Ids:
    def secret(self, size: int = 32) -> bytes:
        return uuid.uuid4().bytes[:size]


@dataclass
class Receipt:
    body: bytes
    notice: str | None
    replayed: bool = False


@dataclass
class Submitted:
    items: tuple
    is_batch: bool = False


class Submit:
    """Verifies the signature, remembers bodies. `answer` may be set to an error or a result."""

    def __init__(self, directories: Directories, clock: SetClock) -> None:
        self.directories, self.clock, self.verifier = directories, clock, DetachedVerifier()
        self.calls: list[tuple] = []
        self.receipts: dict[bytes, bytes] = {}
        self.answer: object = None

    async def __call__(self, caller, body, media_type, headers, signature):
        find = self.directories.signing_keys(caller.office.id, self.clock.now())
        self.verifier.verify(signature or "", body, find)
        return await self._take(caller, body, media_type, headers)

    check = __call__

    def receipt_of_batch(self, caller, body, answer):
        return f"batch.{hashlib.sha256(body).hexdigest()}.{hashlib.sha256(answer).hexdigest()}"

    async def on_behalf(self, caller, body, media_type, headers, attestation=None):
        return await self._take(caller, body, media_type, headers)

    async def _take(self, caller, body, media_type, headers):
        self.calls.append((caller, body, media_type, headers))
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is not None:
            return self.answer
        digest = hashlib.sha256(body).digest()
        replayed = digest in self.receipts
        number = len(self.receipts) + 1
        receipt = canonical_json({"type": "accepted", "notice": f"notice-{number:04}", "receipt": "a.b.c"})
        receipt = self.receipts.setdefault(digest, receipt)
        return Submitted((Receipt(receipt, json.loads(receipt)["notice"], replayed),))


@dataclass
class Inbox:
    """What waits, and under which lease it went out."""

    waiting: list = field(default_factory=list)
    leases: dict[str, str] = field(default_factory=dict)
    waits: list = field(default_factory=list)
    on_wait: object = None
    voided: list = field(default_factory=list)

    async def void(self, handout) -> None:
        self.voided.append(handout.delivery)

    async def __call__(self, caller, accept: str, limit: int, wait: timedelta):
        self.waits.append((accept, limit, wait))
        if self.on_wait is not None:
            await self.on_wait(wait)
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        for handout in taken:
            self.leases[handout.delivery] = handout.lease_token
        return taken

    async def acknowledge(self, caller, delivery, lease_token) -> bytes:
        return self._end(delivery, lease_token, "delivered")

    async def give_back(self, caller, delivery, lease_token, reason, retry_after) -> bytes:
        return self._end(delivery, lease_token, reason)

    def _end(self, delivery, lease_token, what) -> bytes:
        if delivery not in self.leases:
            raise NotFound("no such delivery for this caller")
        if self.leases[delivery] != lease_token:
            raise LeaseLost("the lease is over", state="due", remedy="fetch it again")
        return canonical_json({"type": what, "receipt": "a.b.c"})


def handout(
    name: str = "delivery-0001",
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    send_before: float = float("inf"),
):
    return SimpleNamespace(
        delivery=name,
        revision=1,
        lease_token=f"lease-{name}",
        lease_expires_at=START + timedelta(seconds=60),
        media_type="application/cloudevents+json",
        body=body,
        signature="e30..c2ln",
        headers=headers or {},
        send_before=send_before,
    )


class Access:
    """Answers no to everything, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, caller, questions, stop_at=None):
        self.asked.extend(questions)
        return [Answered(False, "policy") for _ in questions]


class Follow:
    async def notice(self, caller, notice):
        raise NotFound("no such notice for this caller")


async def show_consent(office, name):
    raise NotFound("no such consent")


async def record_use(caller, delivery, kind, what, at):
    raise NotFound("no such delivery")


async def grant_nothing(caller, asked):
    raise NotPermitted("emergency access is not granted")


async def pass_on_nothing(caller, message):
    raise NotFound("no such handle for this caller")


class Webhooks:
    """Keeps where each office wants to be called."""

    def __init__(self) -> None:
        self.asked: list[tuple[OfficeId, str | None]] = []

    async def set_webhook(self, caller, webhook):
        self.asked.append((caller.office.id, webhook and webhook.url))


class Bulk:
    """Takes no file: what the edge does with them is tried with the whole gateway."""

    async def take(self, caller, body, media_type, name, signature):
        raise NotFound("no such file for this caller")

    async def status(self, caller, file):
        raise NotFound("no such file for this caller")

    async def list(self, caller, limit):
        return []

    async def rows(self, caller, file, after, limit, *, only_refused):
        raise NotFound("no such file for this caller")


class Attachments:
    async def upload(self, caller, digest, content):
        async for _ in content:
            pass
        return Uploaded(digest, 0, is_new=True)


async def fetch_nothing(caller, delivery_id, lease_token, digest):
    raise NotFound("nothing is kept behind this edge")


class StandIn:
    """The edge on a real socket, with everything behind it in reach of the test."""

    def __init__(self, settings: HttpSettings | None = None) -> None:
        self.clock = SetClock()
        self.police, self.health = OfficeSystem(POLICE), OfficeSystem(HEALTH, "ES256")
        self.directories = Directories([self.police, self.health])
        self.keys, self.one_times = Keys(), OneTimes()
        self.authenticate = Authenticate(
            settings=TokenSettings(ISSUER),
            directories=self.directories,
            storage=self.one_times,  # type: ignore[arg-type]
            keys=self.keys,  # type: ignore[arg-type]
            clock=self.clock,
            time=TrustedClock(self.clock),
            ids=Ids(),  # type: ignore[arg-type]
        )
        self.bulk, self.webhooks = Bulk(), Webhooks()
        self.submit, self.inbox = Submit(self.directories, self.clock), Inbox()
        self.state = {"store": "ok"}
        self.lines = io.BytesIO()
        self.services = ApiServices(
            submit=self.submit,
            bulk=self.bulk,
            pull=self.inbox,
            acknowledge=self.inbox,
            follow=Follow(),
            access=Access(),
            show_consent=show_consent,
            record_use=record_use,
            emergency=grant_nothing,
            webhooks=self.webhooks,
            verify_order=VerifyOrder(
                settings=self.authenticate.settings,
                directories=self.directories,  # type: ignore[arg-type]
                storage=self.one_times,  # type: ignore[arg-type]
                clock=self.clock,
            ),
            attachments=Attachments(),
            fetch_attachment=fetch_nothing,
            pass_on=pass_on_nothing,
            authenticate=self.authenticate,
            directories=self.directories,
            readiness=self._ready,
            clock=self.clock,
            log=EventLog(self.lines, self.clock),
        )
        self.app = make_app(self.services, settings or HttpSettings())
        self.edge = Edge(self.app)
        self.port = 0
        self.client: aiohttp.ClientSession

    async def _ready(self):
        return self.state

    async def start(self) -> StandIn:
        self.port = await self.edge.start("127.0.0.1", 0)
        self.client = aiohttp.ClientSession(
            f"http://127.0.0.1:{self.port}", timeout=aiohttp.ClientTimeout(total=60), auto_decompress=False
        )
        return self

    async def stop(self) -> None:
        await self.client.close()
        await self.edge.stop()

    async def token(self, system: OfficeSystem, **changes) -> str:
        async with self.client.post("/oauth/token", data=system.form(self.clock.now(), **changes)) as answer:
            document = await answer.json()
            assert answer.status == 200, document
            return document["access_token"]

    async def bearer(self, system: OfficeSystem) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.token(system)}"}

    async def send(self, system: OfficeSystem, body: bytes, path: str = "/v1/notices", **headers: str):
        """Post signed bytes; returns status, headers, body."""
        sent = {
            "Content-Type": "application/cloudevents+json",
            "Hutong-Signature": system.sign(body),
            **await self.bearer(system),
            **headers,
        }
        async with self.client.post(path, data=body, headers=sent) as answer:
            return answer.status, answer.headers, await answer.read()

    def log_lines(self) -> list[dict]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


def event(**changes) -> bytes:
    document = {
        "specversion": "1.0",
        "id": "n-1",
        "source": f"urn:hutong:office:{POLICE}",
        "type": "hutong.notice.RPT.v1",
        "data": {"urgency": 1},
    } | changes
    return json.dumps(document, ensure_ascii=False).encode()


def deadline() -> float:
    return time.monotonic() + 10
