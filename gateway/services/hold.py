"""What goes on, and what waits, while the log contradicts what was signed or nobody witnesses it?

A *forensic hold* (own tree does not contain the last signed root: a restored backup, a
fork) stops the ordinary exchange (DESIGN 5): reports and urgency 2 still come in, with
receipts that say provisional, and still go out; everything else waits. Without enough
witnesses for the grace time the same holds for what goes out. A child's safety never
depends on a signature.

Two different persons end a hold. The fork itself cannot be mended: the log goes on under
the name of its next generation. What was logged during the hold is also in the hold's
journal, a log of its own outside the database (`gateway.services.hold_journal`); its size and RFC 6962 root
are joined to the log as the first thing said after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.audit.record import PreparedRecord
from gateway.audit.trust import TrustPolicy
from gateway.model.audit import EventName, LogValue
from gateway.model.delivery import Delivery
from gateway.model.errors import HutongError, NotPermitted, Refusal, Tampered, Unavailable
from gateway.model.notice import REPORTS
from gateway.ports.clock import Clock, Ids
from gateway.ports.log_storage import LogStorage
from gateway.services.hold_journal import JournalOfHolds, joined_values
from gateway.services.publish import Hold, Publisher
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import STAFF, Teller
from gateway.services.witness import NoteSigner

FORENSIC_HOLD = "forensic-hold"
UNWITNESSED = "unwitnessed"
APPROVAL_LIFE = timedelta(hours=1)  # the second person is at hand, or the first asks again
LOOK_AGAIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Generation:
    """Under which name and keys one generation of the log is signed, and whom its checkpoints must convince."""

    origin: str
    signers: Sequence[NoteSigner]
    trust: TrustPolicy


@dataclass(frozen=True, slots=True)
class _Asked:
    by: str
    reason: str
    at: datetime


class LogHold:
    """One per gateway, beside its publisher. `generation` makes the n-th generation's name, signers and trust policy."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        journal: JournalOfHolds,
        log: LogStorage,
        teller: Teller,
        staff: StaffDirectory,
        clock: Clock,
        ids: Ids,
        generation: Callable[[int], Generation],
        number: Callable[[], int],
    ) -> None:
        self._publisher, self._log, self._teller, self._staff = publisher, log, teller, staff
        self._journal, self._journal_from, self._is_joined = journal, 0, False
        self._clock, self._ids, self._generation, self._number = clock, ids, generation, number
        self._asked: _Asked | None = None
        self._told: Hold | None = None
        self._was_witnessed, self._problem = True, ""
        self._turn = asyncio.Lock()

    @property
    def is_on(self) -> bool:
        return self._publisher.hold is not None

    def waits(self, delivery: Delivery, now: datetime) -> str:
        """Why an ordinary delivery may not go out now, empty when it may. Reports and urgency 2 always may."""
        if delivery.notice_type in REPORTS or delivery.urgency == 2:
            return ""
        if self.is_on:
            return FORENSIC_HOLD
        return "" if self._publisher.allows_disclosure(now) else UNWITNESSED

    async def begin(self) -> None:
        """At start: compare the log with everything that was signed. A hold is entered and logged, nothing is raised."""
        await self._publisher.open()
        self._journal.forget()
        self._is_joined = False
        await self._tell_entered()

    async def follow(self) -> None:
        """One beat of a node that does not sign: see what the node signed that does, and hold when it is not in our log."""
        try:
            now = self._generation(self._number())
            await self._publisher.follow(now.origin, now.signers, now.trust)
        except (Tampered, Unavailable, OSError):
            return  # store or guard cannot be read: what was known stands, and nothing goes out without the store

    async def beat(self) -> None:
        """One beat of publishing. Raises neither Tampered (a contradiction is a hold, logged once) nor Unavailable: while
        store or guard cannot be written nothing is signed, and the next beat finds the same head."""
        with suppress(Unavailable, OSError):
            try:
                await self._publisher.publish()
            except Tampered:
                await self._tell_entered()
            await self._keep_journal()
            await self._tell_witnesses()

    async def _keep_journal(self) -> None:
        """During a hold, copy and sign what was added; without one, have the log name a journal that it does not name yet."""
        self._problem = ""
        try:
            if self._publisher.hold is not None:
                await self._journal.follow(self._journal_from)
            elif not self._is_joined:
                await self._join(self._clock.now())
        except (Unavailable, OSError, Tampered) as failed:
            # the exchange does not stop for it: the next beat tries again, and `hutong hold show` says so
            self._problem = failed.message if isinstance(failed, HutongError) else "the journal cannot be written"

    async def _join(self, now: datetime, *after: PreparedRecord) -> None:
        """Name every journal that is over, then say what comes after it, in one step of the log."""
        over = await self._journal.unjoined()
        records = [
            self._teller.event(EventName.HOLD_JOURNAL_JOINED, now, joined_values(journal, signed))
            for journal, signed in over
        ]
        if records or after:
            await self._log.append([*records, *after])
        for journal, _ in over:
            await asyncio.to_thread(journal.join)
        self._is_joined = True

    def show(self) -> dict[str, Any]:
        """What an operator sees. Roots are hex."""
        hold, latest = self._publisher.hold, self._publisher.latest
        told: dict[str, Any] = {
            "hold": hold is not None,
            "origin": self._publisher.origin,
            "generation": self._number(),
            "checkpoint": None if latest is None else latest.checkpoint.size,
            "witnessed": latest is not None and latest.is_witnessed,
            "ordinary_disclosures": self._publisher.allows_disclosure(self._clock.now()),
        }
        if hold is not None:
            told |= {
                "why": hold.why,
                "signed_size": hold.signed_size,
                "signed_root": hold.signed_root.hex(),
                "own_size": hold.own_size,
                "own_root": hold.own_root.hex(),
                "asked_by": None if self._asked is None else self._asked.by,
                "journal_problem": self._problem,
            }
        return told

    async def journals(self) -> dict[str, Any]:
        """The journals of holds, with the keys they are verified with."""
        return await self._journal.show()

    async def release(self, *, by: str, reason: str) -> dict[str, Any]:
        """Ask for the end of a hold, or end it as the second person. Returns what then is, with `released`.

        Raises RoleMissing for who is no security administrator, Refusal when there is no hold, NotPermitted for the same person twice, Tampered when the tree
        cannot be read back: that a release does not mend.
        """
        await require(self._staff, by, Role.SECURITY_ADMINISTRATOR)
        async with self._turn:
            hold, now = self._publisher.hold, self._clock.now()
            if hold is None:
                raise Refusal("there is no hold", remedy="see `hutong hold show`")
            if hold.why == "read-back":
                raise Tampered("the stored log cannot be read back", remedy="restore a backup, then release the hold")
            asked = self._asked
            if asked is None or now - asked.at > APPROVAL_LIFE:
                self._asked = _Asked(by, reason, now)
                return {**self.show(), "released": False}
            if asked.by == by:
                raise NotPermitted("a hold is released by two different persons", remedy="let a second person confirm")
            await self._begin_anew(asked, by, now)
            return {**self.show(), "released": self._publisher.hold is None}

    async def _begin_anew(self, asked: _Asked, by: str, now: datetime) -> None:
        following = self._generation(self._number() + 1)
        try:
            await self._journal.follow(self._journal_from)
        except OSError as failed:
            raise Unavailable(
                "the hold's journal cannot be written", remedy="make room, then release again"
            ) from failed
        own_size = (await self._log.head()).size
        approval = self._ids.event()
        still = await self._publisher.begin_anew(following.origin, following.signers, following.trust)
        if still is not None:
            raise Tampered(f"the hold stays ({still.why})", remedy="let a person look: hutong hold show")
        released: dict[str, LogValue | None] = {"approval": approval, "own_size": own_size, "reason": asked.reason}
        await self._join(
            now,
            self._teller.event(EventName.HOLD_RELEASED, now, released, actor=STAFF, officer=asked.by),
            self._teller.event(EventName.HOLD_RELEASED, now, released, actor=STAFF, officer=by),
        )
        self._journal.forget()
        self._asked, self._told = None, None

    async def _tell_entered(self) -> None:
        hold = self._publisher.hold
        if hold is None or hold == self._told:
            return
        size = (await self._log.head()).size
        self._journal_from = size if hold.why == "read-back" else min(hold.own_size, size)
        values: dict[str, LogValue | None] = {
            "why": hold.why,
            "signed_size": hold.signed_size,
            "signed_root": hold.signed_root.hex(),
            "own_size": hold.own_size,
            "own_root": hold.own_root.hex(),
        }
        await self._log.append([self._teller.event(EventName.HOLD_ENTERED, self._clock.now(), values)])
        self._told = hold

    async def _tell_witnesses(self) -> None:
        """Log that the quorum was lost, and that it is back: once each."""
        latest = self._publisher.latest
        if latest is None or self._publisher.hold is not None:
            return
        now, is_fine = self._clock.now(), latest.is_witnessed or self._publisher.is_within_patience(self._clock.now())
        if is_fine == self._was_witnessed:
            return
        if is_fine:
            record = self._teller.event(EventName.WITNESS_QUORUM_RESTORED, now, {"size": latest.checkpoint.size})
        else:
            goes_on = "go-on" if self._publisher.allows_disclosure(now) else "emergencies-only"
            record = self._teller.event(
                EventName.WITNESS_QUORUM_LOST,
                now,
                {"size": latest.checkpoint.size, "since": self._publisher.witnessed_at, "disclosures": goes_on},
            )
        await self._log.append([record])
        self._was_witnessed = is_fine
