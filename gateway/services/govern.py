"""Which policy is in force now?

The pack in force is what the store says, addressed by hash; it was proved when it
was handed in and is compiled again at start-up, and on each day on which other rules
of it begin or end. A change raises the policy epoch in the transaction that records
it, so whatever was decided under the older pack is decided again. How a pack comes
into force is told in `services/administer_policies.py`.

Routing tables and safeguards are documents of the pack. Where no pack is in force, or one that is older than this (of a
store made before), those of the files read at start hold: a report of harm is taken in and routed all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import orjson

from gateway.model.audit import EventName
from gateway.model.canonical import canonical_json
from gateway.model.delivery import Delivery
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId, PolicyHash
from gateway.model.notice import REPORTS
from gateway.policy.compile import compile_policy, next_change
from gateway.policy.compiled import Policy
from gateway.policy.document import load_document
from gateway.policy.life import PolicyVersion as Life
from gateway.policy.life import installed, pack_hash
from gateway.policy.load import load_policy
from gateway.policy.routing_rules import RoutingTables
from gateway.policy.safeguards import Safeguards
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import Activation, PolicyChange, PolicyStorage
from gateway.services.facts import china_day
from gateway.services.policy_marks import PolicyMarks
from gateway.services.tell import STAFF, Teller

IN_DOUBT = "policy-in-doubt"


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What a pack says from `day` on, until the day before `until`."""

    pack: PolicyHash
    documents: bytes
    policy: Policy
    until: date | None


@dataclass(frozen=True, slots=True, eq=False)
class _Fields:
    """The fields that documents speak of: as a key, this very object and no equal one."""

    by_id: Mapping[FieldId, FieldSpec]

    def __hash__(self) -> int:
        return id(self.by_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fields) and other.by_id is self.by_id


# A pack is handed in, approved and activated as the same bytes on one day: proved once, compiled once.
@lru_cache(maxsize=2)
def _proved(documents: bytes, fields: _Fields, day: date, region: str) -> Policy:
    return load_policy(orjson.loads(documents), fields.by_id, day, region)


@lru_cache(maxsize=2)
def _compiled(documents: bytes, fields: _Fields, day: date, region: str) -> _Compiled:
    document = load_document(orjson.loads(documents), fields.by_id)
    return _Compiled(pack_hash(documents), documents, compile_policy(document, day, region), next_change(document, day))


@dataclass(frozen=True, slots=True)
class AtStart:
    """What the files of this node say, for as long as no pack in force says it."""

    routing: RoutingTables
    safeguards: Safeguards


class Policies:
    def __init__(
        self,
        *,
        storage: PolicyStorage,
        at_start: AtStart,
        fields: Mapping[FieldId, FieldSpec],
        region: str,
        teller: Teller,
        clock: Clock,
        marks: PolicyMarks,
        doubt: Callable[[PolicyHash], None],
    ) -> None:
        """`doubt` tells an operator of a pack that is said to be in force and is not one this gateway put there."""
        self.marks, self._doubt = marks, doubt
        self._storage, self._fields, self._region = storage, _Fields(fields), region
        self._teller, self._clock, self._at_start = teller, clock, at_start
        self._now: _Compiled | None = None
        self._next: _Compiled | None = None  # for the day on which other rules begin, made ahead of it
        self.is_in_doubt = False  # what is said to be in force is not what this gateway put there
        self._looks, self._shown = 0, 0  # how many looks began, and which of them last said what is in force

    @property
    def region(self) -> str:
        return self._region

    def current(self) -> Policy:
        """The policy in force today. Raises Unavailable while there is none: then nothing may leave."""
        now = self._now
        if now is None:
            raise Unavailable("no policy is in force", remedy="activate one: hutong policy activate")
        if now.until is not None and (today := self._today()) >= now.until:
            ready, self._next = self._next, None
            if ready is None or ready.pack != now.pack or (ready.until is not None and today >= ready.until):
                ready = self._compiled(now.documents, today)
            now = self._now = ready
        return now.policy

    def waits(self, delivery: Delivery) -> str:
        """Why an ordinary delivery may not go out now, empty when it may: while the policy is in doubt the one before decides,
        of reports and urgency 2 alone, as during a hold."""
        is_ordinary = delivery.notice_type not in REPORTS and delivery.urgency != 2
        return IN_DOUBT if self.is_in_doubt and is_ordinary else ""

    def routing(self) -> RoutingTables:
        """The tables in force. Never raises: what comes in must not wait for a policy."""
        now = self._now
        return (None if now is None else now.policy.document.routing) or self._at_start.routing

    def safeguards(self) -> Safeguards:
        """Emergency access and sealed questions, as in force. Never raises."""
        now = self._now
        return (None if now is None else now.policy.document.safeguards) or self._at_start.safeguards

    async def refresh(self) -> None:
        """Read the version in force and compile it, when it is another than the one at hand.

        Compiling takes a while: what was replaced or taken back meanwhile does not come into force by ending late.
        """
        self._looks += 1
        look, compiled = self._looks, self._now
        active, is_in_doubt = await self._storage.active_policy(self._region), False
        if compiled is None or active != compiled.pack:
            documents, is_in_doubt = await self._in_force(active)
            if documents is None:
                compiled = None
            elif compiled is None or pack_hash(documents) != compiled.pack:  # in doubt, the one at hand may go on
                compiled = await asyncio.to_thread(self._compiled, documents, self._today())
        if look < self._shown:
            return
        self._shown, self.is_in_doubt = look, is_in_doubt
        if compiled is None or self._now is None or compiled.pack != self._now.pack:
            self._now, self._next = compiled, None

    async def _in_force(self, active: PolicyHash | None) -> tuple[bytes | None, bool]:
        """The documents of the newest pack that this gateway put in force, and whether another one is said to be."""
        if active is None or (documents := await self._vouched(active)) is not None:
            return None if active is None else documents, False
        self._doubt(active)
        for one in await self._storage.activations(self._region):
            if (documents := await self._vouched(one.policy)) is not None:
                return documents, True
        return None, True

    async def _vouched(self, pack: PolicyHash) -> bytes | None:
        documents = await self._storage.documents(pack) if self.marks.holds(pack) else None
        return documents if documents is not None and pack_hash(documents) == pack else None

    async def prepare(self) -> None:
        """Compile ahead what begins on the next day of change; called now and then, costs nothing in between."""
        now = self._now
        if now is not None and now.until is not None and self._next is None:
            self._next = await asyncio.to_thread(self._compiled, now.documents, now.until)

    async def install(self, files: Mapping[str, str], *, by: str) -> Policy:
        """Put the pack that comes with a new gateway in force. Raises InvalidDocument with file and line of what does not hold."""
        await self.marks.begin(self._storage, self._region)
        now = self._clock.now()
        documents = canonical_json(dict(files))
        policy = self.prove_whole(documents, now)
        hash_ = pack_hash(documents)
        life = installed(Life(hash_, "hutong", self._region), by, now)
        record = self._teller.event(
            EventName.POLICY_ACTIVATED,
            now,
            {"policy": hash_, "region": self._region, "effective_at": now, "decides_as": policy.hash},
            actor=STAFF,
            officer=by,
        )
        activation = Activation(hash_, self._region, now, by)
        self.marks.put(hash_)
        await self._storage.change_policies(PolicyChange(((life, 0),), (record,), {hash_: documents}, activation))
        await self.refresh()
        return policy

    def prove(self, documents: bytes, at: datetime) -> Policy:
        """Load and prove a pack for one instant in this region. Takes up to seconds: never on the hot path."""
        return _proved(documents, self._fields, china_day(at), self._region)

    def prove_whole(self, documents: bytes, at: datetime) -> Policy:
        """The same of a pack that is to come into force: it must say how reports are routed, and hold the safeguards."""
        policy = self.prove(documents, at)
        said = policy.document
        if said.routing is None or said.safeguards is None:
            raise InvalidDocument(
                "the pack is not whole: it lacks `safeguards.yaml` or `routing/`",
                remedy="hutong policy copy shipped FOLDER gives a whole one",
            )
        return policy

    async def as_of(self, documents: bytes, day: date) -> Policy:
        """What a pack said on a day, in this region; it was proved then."""
        return (await asyncio.to_thread(self._compiled, documents, day)).policy

    async def tables_of(self, pack: PolicyHash | None, at: datetime) -> RoutingTables:
        """The routing tables of a pack of the store, as they were; those of the files at start where it is none, or has none."""
        documents = None if pack is None else await self._storage.documents(pack)
        if documents is None:
            return self._at_start.routing
        return (await self.as_of(documents, china_day(at))).document.routing or self._at_start.routing

    async def decided_by(self, policy: PolicyHash, at: datetime) -> Policy | None:
        """The compiled policy of this hash that was in force around an instant, made again from its documents."""
        if self._now is not None and self._now.policy.hash == policy:
            return self._now.policy
        for pack in dict.fromkeys(
            one.policy for one in await self._storage.activations(self._region) if one.effective_from <= at
        ):
            documents = await self._storage.documents(pack)
            if documents is not None and (found := await self.as_of(documents, china_day(at))).hash == policy:
                return found
        return None

    def _compiled(self, documents: bytes, day: date) -> _Compiled:
        return _compiled(documents, self._fields, day, self._region)

    def _today(self) -> date:
        return china_day(self._clock.now())
