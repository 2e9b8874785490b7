"""Sign what the log says, have it witnessed, and never sign two stories.

Durable steps of one publication, and what a crash after each leaves behind:

1. Entries since the last signature are read back from the store and hashed; their
   root must be the head's. Nothing is written.
2. The guard, a file outside the database, remembers size and root. Crash: at start
   our tree contains them, and the same tree is signed again; nothing was handed out.
3. The note is inserted, one per size. Crash: it is the newest note; witnesses are
   asked with it at the next beat.
4. Witnesses cosign; each line is inserted. Crash: they are asked again.

At start, and whenever something contradicts itself, `open` compares the tree with
the guard, with the newest note, and with what every witness saw last. A tree that does
not contain a signed root is a restored backup or a fork: a `Hold`, and nothing is
signed until two security administrators release it (`gateway.services.hold`). A fork
can never be continued under the name that was signed: `begin_anew` goes on with the
tree as it is under the name of the next generation, for which witnesses and auditors
must be given keys anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, signed_note
from gateway.audit.findings import NotEnough, Unreadable, Wrong, decimal
from gateway.audit.merkle import Edge, leaf_hash
from gateway.audit.note import NoteKey, parse_note
from gateway.audit.trust import TrustPolicy, check_checkpoint
from gateway.audit.witness import request_bytes
from gateway.model.errors import Tampered, Unavailable
from gateway.ports.checkpoint_guard import CheckpointGuard
from gateway.ports.clock import Clock
from gateway.ports.log_storage import Head, LogStorage
from gateway.ports.witnesses import WitnessClient
from gateway.services.log_tree import LogTree
from gateway.services.witness import NoteSigner

READ_AT_ONCE = 4096
RECOSIGN_AFTER = timedelta(minutes=10)
WITNESS_GRACE = timedelta(hours=4)
PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing may be signed: what was signed before, and what our tree is now. `why` is a code of the log."""

    why: str  # guard | note | witness | read-back
    signed_size: int
    signed_root: bytes
    own_size: int
    own_root: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """A signed checkpoint with every cosignature known. `is_witnessed` says whether they make the policy's quorum."""

    checkpoint: Checkpoint
    note: bytes
    is_witnessed: bool


class Publisher:
    """One per log. Call `open` first; `publish` on a steady beat; `latest` is what is served."""

    def __init__(
        self,
        log: LogStorage,
        origin: str,
        signers: Sequence[NoteSigner],
        guard: CheckpointGuard,
        trust: TrustPolicy,
        clock: Clock,
        witnesses: Sequence[WitnessClient] = (),
        *,
        recosign_after: timedelta = RECOSIGN_AFTER,
        grace: timedelta = WITNESS_GRACE,
    ) -> None:
        self._log, self._origin, self._signers = log, origin, tuple(signers)
        self._guard, self._trust, self._clock, self._witnesses = guard, trust, clock, tuple(witnesses)
        self._recosign_after, self._grace = recosign_after, grace
        self._tree = LogTree(log)
        self._edge = Edge()
        self._hold: Hold | None = None
        self._latest: Published | None = None
        self._note = b""  # of `latest`, without the lines of witnesses
        self._witness_sizes: dict[str, int] = {}
        self._asked_at: datetime | None = None
        self._witnessed_at: datetime | None = None
        self._quorum_at: datetime | None = None
        self._turn = asyncio.Lock()

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def signers(self) -> tuple[NoteSigner, ...]:
        return self._signers

    @property
    def trust(self) -> TrustPolicy:
        return self._trust

    @property
    def tree(self) -> LogTree:
        return self._tree

    @property
    def hold(self) -> Hold | None:
        return self._hold

    @property
    def latest(self) -> Published | None:
        return self._latest

    async def settled(self) -> Published | None:
        """`latest` once no beat is under way: what is handed out as evidence waits for the witnesses who are being asked."""
        async with self._turn:
            return self._latest

    def allows_disclosure(self, now: datetime) -> bool:
        """Whether ordinary disclosures may go on: no hold, and witnesses were enough within the grace. Emergencies never ask."""
        if self._hold is not None:
            return False
        return self._witnessed_at is None or now - self._witnessed_at <= self._grace

    @property
    def witnessed_at(self) -> datetime | None:
        """When enough witnesses had last seen the log; the start, as long as nobody did."""
        return self._witnessed_at

    @property
    def quorum_at(self) -> datetime | None:
        """When enough witnesses had last seen the log; None where they never did."""
        return self._quorum_at

    def is_within_patience(self, now: datetime) -> bool:
        """Whether missing witnesses are no news yet: one that restarts is not an alarm, nor one that travels within the grace."""
        patience = self._grace if self._waits_for_travellers else min(PATIENCE, self._grace)
        return self._witnessed_at is not None and now - self._witnessed_at <= patience

    @property
    def _waits_for_travellers(self) -> bool:
        """Whether the witnesses whom the network reaches are not enough: the others cosign from a removable medium."""
        reached = [key for name, key in self._trust.witnesses.items() if name in self._trust.urls]
        return not self._trust.is_met_by(reached)

    async def _see_what_was_brought(self) -> None:
        """Cosignatures from a removable medium were kept meanwhile, here or on another node."""
        if self._latest is None or not self._waits_for_travellers:
            return
        if not self._latest.is_witnessed:
            await self._remember(self._note)
        at = await self._last_quorum()
        if at is not None and (self._witnessed_at is None or at > self._witnessed_at):
            self._witnessed_at = at
        self._quorum_at = at or self._quorum_at

    async def open(self) -> Hold | None:
        """Read the log back and compare it with everything that was ever signed. Returns the hold, if there is one."""
        async with self._turn:
            self._hold = await self._compare()
            self._quorum_at = await self._last_quorum()
            self._witnessed_at = self._quorum_at or self._clock.now()
            newest = await self._newest()
            if self._hold is None:
                self._edge = await self._tree.edge(newest[0] if newest else 0)
                if newest is not None:
                    await self._remember(newest[1])
            return self._hold

    async def _last_quorum(self) -> datetime | None:
        """When enough witnesses had seen the log before this start, so that starting again grants no new grace.

        Of each witness only its newest time counts, so this is never later than the truth. None for a log that enough
        witnesses never saw.
        """
        times = [(await self._log.last_cosigned(key.label), key) for key in self._trust.witnesses.values()]
        return self._quorum_of([(one[0], key) for one, key in times if one])

    def _quorum_of(self, times: Sequence[tuple[datetime, NoteKey]]) -> datetime | None:
        """Since when enough witnesses had seen the log: the time of the last one that makes the quorum, newest first."""
        seen: set[NoteKey] = set()
        for at, key in sorted(times, key=lambda one: one[0], reverse=True):
            seen.add(key)
            if self._trust.is_met_by(seen):
                return at
        return None

    def _told(self, at: int) -> datetime:
        """The time that a witness states, never later than now: one whose clock runs ahead grants no grace beyond ours."""
        now = self._clock.now()
        return now if at >= now.timestamp() else datetime.fromtimestamp(at, UTC)

    async def follow(self, origin: str, signers: Sequence[NoteSigner], trust: TrustPolicy) -> Hold | None:
        """On a node that does not sign: see what another node signed, and whether our tree contains it."""
        async with self._turn:
            if origin != self._origin:
                self._origin, self._signers, self._trust, self._latest = origin, tuple(signers), trust, None
            newest, guarded = await self._newest(), await asyncio.to_thread(self._guard.last)
            head = await self._log.head()  # last, so that it is not behind what it is compared with
            hold = None
            if guarded is not None and (
                guarded.size > head.size or await self._tree.root(guarded.size) != guarded.root
            ):
                hold = Hold("guard", guarded.size, guarded.root, head.size, head.root)
            self._hold = hold  # not before the answer is known: between two looks a hold never lapses
            if (
                hold is None
                and newest is not None
                and (self._latest is None or newest[1] != self._note or not self._latest.is_witnessed)
            ):
                await self._remember(newest[1])
            await self._see_what_was_brought()
            return self._hold

    async def release(self) -> Hold | None:
        """Look again after two security administrators decided. What the guard holds against us stays a hold."""
        return await self.open()

    async def begin_anew(self, origin: str, signers: Sequence[NoteSigner], trust: TrustPolicy) -> Hold | None:
        """Leave what was signed behind and go on as the next generation. Returns the hold that this cannot end, if any.

        What cannot be read back stays a hold: then a backup has to be restored.
        """
        async with self._turn:
            head = await self._log.head()
            try:
                readable = await self._tree.root(head.size) == head.root
            except Tampered:
                readable = False
            if not readable:
                self._hold = Hold("read-back", head.size, head.root, head.size, head.root)
                return self._hold
            await asyncio.to_thread(self._guard.begin_anew)
            self._origin, self._signers, self._trust = origin, tuple(signers), trust
            self._edge, self._latest, self._witness_sizes = Edge(), None, {}
        return await self.open()

    async def _newest(self) -> tuple[int, bytes] | None:
        """The newest note of this generation."""
        newest = await self._log.latest_checkpoint()
        if newest is None or parse_note(newest[1]).text.split(b"\n", 1)[0] != self._origin.encode():
            return None
        return newest

    async def _compare(self) -> Hold | None:
        # The note before the guard and the head last: another node may be signing meanwhile.
        newest = await self._newest()
        guarded = self._guard.last()
        head = await self._log.head()
        try:
            if await self._tree.root(head.size) != head.root:
                return Hold("read-back", head.size, head.root, head.size, await self._tree.root(head.size))
        except Tampered:
            return Hold("read-back", head.size, head.root, head.size, head.root)
        signed: list[tuple[str, int, bytes]] = []
        if guarded is not None:
            signed.append(("guard", guarded.size, guarded.root))
        if newest is not None:
            checkpoint = open_checkpoint(newest[1], [one.key for one in self._signers])[0]
            signed.append(("note", checkpoint.size, checkpoint.root))
            if guarded is None or guarded.size < checkpoint.size:
                return Hold("guard", checkpoint.size, checkpoint.root, head.size, head.root)
        for witness in self._witnesses:
            try:
                raw = await witness.last_checkpoint(self._origin)
                if raw is not None:
                    checkpoint = open_checkpoint(raw, [one.key for one in self._signers])[0]
                    self._witness_sizes[witness.name] = checkpoint.size
                    signed.append(("witness", checkpoint.size, checkpoint.root))
            except (Unavailable, Unreadable, Wrong):
                continue  # a witness that is away, or speaks of another key, is no proof against us
        for why, size, root in signed:
            if size > head.size or await self._tree.root(size) != root:
                return Hold(why, size, root, head.size, head.root)
        return None

    async def publish(self) -> Published | None:
        """One beat. Returns the checkpoint when it is new or newly witnessed, None when there was nothing to do.

        Raises Tampered, after entering the hold, when the store contradicts what was signed.
        """
        async with self._turn:
            if self._hold is not None:
                return None
            head = await self._log.head()
            await self._see_what_was_brought()
            if self._latest is None or head.size > self._latest.checkpoint.size:
                await self._sign(head)
            elif not self._is_cosigning_due():
                return None
            await self._have_cosigned()
            return self._latest

    async def _sign(self, head: Head) -> None:
        edge = self._edge.copy()
        while edge.size < head.size:
            stop = min(edge.size + READ_AT_ONCE, head.size)
            entries = await self._log.entries(edge.size, stop)
            if len(entries) != stop - edge.size:
                self._enter(Hold("read-back", head.size, head.root, edge.size + len(entries), edge.root()))
            edge.extend([leaf_hash(entry) for entry in entries])
        if edge.root() != head.root:
            self._enter(Hold("read-back", head.size, head.root, edge.size, edge.root()))
        try:
            await asyncio.to_thread(self._guard.advance, head)
        except Tampered:
            last = self._guard.last() or head
            self._enter(Hold("guard", last.size, last.root, head.size, head.root))
        kept = await self._log.checkpoint(head.size)
        if kept is not None and open_checkpoint(kept, [one.key for one in self._signers])[0].root == head.root:
            # inserted at an earlier beat that was told it had failed: one size has one note
            self._edge = edge
            await self._remember(kept)
            return
        now = self._clock.now()
        checkpoint = Checkpoint(self._origin, head.size, head.root)
        lines = [sign_checkpoint(checkpoint, one.key, one.sign, int(now.timestamp())) for one in self._signers]
        note = signed_note(checkpoint, lines)
        await self._log.put_checkpoint(head.size, head.root, note, now)
        self._edge = edge
        await self._remember(note)

    def _enter(self, hold: Hold) -> None:
        self._hold = hold
        raise Tampered(
            f"the log contradicts what was signed ({hold.why})",
            remedy="nothing is signed; let two security administrators look: hutong hold show",
        )

    def _is_cosigning_due(self) -> bool:
        if not self._witnesses or self._latest is None:
            return False
        if not self._latest.is_witnessed:
            return True
        return self._asked_at is None or self._clock.now() - self._asked_at >= self._recosign_after

    async def _have_cosigned(self) -> None:
        self._asked_at = self._clock.now()
        if not self._witnesses or self._latest is None:
            return
        await asyncio.gather(*(self._ask(witness, self._latest.checkpoint.size) for witness in self._witnesses))
        note = await self._log.checkpoint(self._latest.checkpoint.size)
        if note is not None:
            await self._remember(note)

    async def _ask(self, witness: WitnessClient, size: int) -> None:
        old = min(self._witness_sizes.get(witness.name, 0), size)
        for _ in range(2):  # the second time with the size that the witness told
            try:
                status, body = await witness.add_checkpoint(await self.request(old))
                if status == 200:
                    await self.take_cosignatures(size, body)
                    self._witness_sizes[witness.name] = size
                    return
                if status != 409:
                    return
                old = decimal(body.removesuffix(b"\n"))
            except (Unavailable, Unreadable, Wrong):
                return  # unwitnessed is a state that shows in `latest`, not an error of the log
            if old > size:
                return

    async def request(self, old_size: int) -> bytes:
        """The request to cosign the newest checkpoint from a witness that stands at `old_size`: over HTTP, or for a medium."""
        if self._latest is None:
            raise Unavailable("no checkpoint was signed yet")
        size = self._latest.checkpoint.size
        note = await self._log.checkpoint(size)
        return request_bytes(old_size, await self._tree.consistency(old_size, size), note or self._latest.note)

    async def take_cosignatures(self, size: int, lines: bytes, *, are_brought: bool = False) -> int:
        """Keep the lines of witnesses of the trust policy; returns how many were good. Lines of strangers are dropped.

        Lines that were brought on a medium count from when they were signed, not from when they arrived.
        Wrong when a witness's line does not hold, Unreadable when these are no signature lines.
        """
        note = await self._log.checkpoint(size)
        if note is None:
            raise Unavailable("no checkpoint was signed for this size")
        known = list(self._trust.witnesses.values())
        own = [one.key for one in self._signers]
        parse_note(note + lines)
        now, kept = self._clock.now(), 0
        for line in open_checkpoint(note + lines, [*own, *known])[2]:
            if line.key in known:
                at = self._told(line.at) if are_brought and line.at else now
                await self._log.keep_cosignature(size, line.key.label, line.line, at)
                kept += 1
        return kept

    def _is_good_or_strange(self, note: bytes, line: bytes, logs: Sequence[NoteKey]) -> bool:
        """A line that its witness did not sign is left aside: whoever changes a row of the store takes a cosignature away,
        which is asked for again, and nothing else. `hutong log verify` names it."""
        try:
            open_checkpoint(note + line, [*logs, *self._trust.witnesses.values()])
        except (Wrong, Unreadable):
            return False
        return True

    async def _remember(self, note: bytes) -> None:
        checkpoint = open_checkpoint(note, [one.key for one in self._signers])[0]
        logs = [one.key for one in self._signers]
        cosigned = await self._log.cosignatures(checkpoint.size)
        whole = note + b"".join(line for line in cosigned if self._is_good_or_strange(note, line, logs))
        try:
            lines = check_checkpoint(whole, self._trust, origin=self._origin)[2]
            witnessed = True
            times = [
                (self._told(line.at), line.key)
                for line in lines
                if line.at is not None and line.key not in self._trust.logs
            ]
            self._witnessed_at = self._quorum_at = self._quorum_of(times) or self._clock.now()
        except NotEnough:
            witnessed = False
        self._latest, self._note = Published(checkpoint, whole, witnessed), note
