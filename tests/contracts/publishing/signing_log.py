"""A gateway reduced to its log: a store, a publisher beside it, and a witness that can be away."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.audit.record import prepare
from gateway.audit.trust import TrustPolicy, parse_trust_policy
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.witness_store import SqliteWitnessStore
from gateway.model.audit import EventName
from gateway.model.errors import Unavailable
from gateway.services.publish import Publisher
from gateway.services.witness import Witness
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, POLICY, WITNESS
from tests.support.log_events import event_of
from tests.support.stored import SetClock

TRUST = parse_trust_policy(POLICY)
SUBJECTS = {name: sha256(name.encode()).hexdigest() for name in ("a", "b", "c")}
SECRETS = {name: sha256(b"secret " + name.encode()).digest() for name in SUBJECTS}


class Gateway:
    """A store with a publisher beside it, and a witness that can be away."""

    def __init__(self, folder: Path, clock: SetClock, seed: int = 1, trust: TrustPolicy = TRUST) -> None:
        self.folder, self.clock, self.trust, self.rng = folder, clock, trust, random.Random(seed)
        self.store = SqliteStore.open(folder / "store", clock, cache_mib=8)
        self.witness = LocalWitness(folder, clock)
        self.publisher = self.make_publisher()
        self.events: list[str] = []

    def make_publisher(self, **more: Any) -> Publisher:
        guard = FileCheckpointGuard(self.folder / "guard")
        return Publisher(self.store.log, ORIGIN, (LOG, LOG_PQ), guard, self.trust, self.clock, (self.witness,), **more)

    @classmethod
    def new(cls, folder: Path, clock: SetClock, **more: Any) -> Gateway:
        folder.mkdir(exist_ok=True)
        SqliteStore.create(folder / "store")
        FileCheckpointGuard.create(folder / "guard")
        SqliteWitnessStore(folder / "witness.db", create=True).close()
        return cls(folder, clock, **more)

    async def log(self, count: int) -> None:
        records = []
        for _ in range(count):
            people = tuple(
                (SUBJECTS[one], SECRETS[one]) for one in self.rng.sample(sorted(SUBJECTS), self.rng.randrange(3))
            )
            records.append(prepare(event_of(self.rng.choice(list(EventName)), self.rng, people=people)))
        await self.store.log.append(records)
        self.events += [record.event_id for record in records]


class LocalWitness:
    """A WitnessClient over a real witness in this process."""

    name = "procuratorate"

    def __init__(self, folder: Path, clock: SetClock) -> None:
        self.store = SqliteWitnessStore(folder / "witness.db")
        self.service = Witness(self.store, (WITNESS,), {ORIGIN: (LOG.key, LOG_PQ.key)}, clock)
        self.is_away = False
        self.answers: list[int] = []

    async def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        if self.is_away:
            raise Unavailable("away")
        reply = self.service.add_checkpoint(request)
        self.answers.append(reply.status)
        return reply.status, reply.body

    async def last_checkpoint(self, origin: str) -> bytes | None:
        if self.is_away:
            raise Unavailable("away")
        return self.service.checkpoint_of(origin)
