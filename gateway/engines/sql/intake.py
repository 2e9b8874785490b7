"""How do the notices of one group come into the tables?

All acceptances of a group are checked together (keys, epochs, aliases, lanes: a few
statements), then stored together (one statement a table). What two requests of the
same group would do to each other is decided here: the first counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from gateway.delivery.transitions import is_repetition, may_move
from gateway.engines.sql import lanes
from gateway.engines.sql.transaction import Keys, Statements, Transaction
from gateway.engines.sql.values import (
    DEAD,
    DUE,
    STATE_NUMBERS,
    STATES,
    blob_of,
    head_of,
    millis,
    pack_content,
)
from gateway.model.delivery import DeliveryState, NewDelivery
from gateway.model.identifiers import DeliveryId, OfficeId
from gateway.ports.storage import (
    Acceptance,
    Accepted,
    Conflict,
    PersonLink,
    Replayed,
    ReplyMove,
    Stale,
)

if TYPE_CHECKING:
    from gateway.crypto.scatter import Scatter

MOST_DELIVERIES = 4096  # a delivery's number is its notice's times this, plus its place
Answer = Accepted | Replayed | Conflict | Stale


def receipts_of(sql: Statements, keys: Iterable[bytes]) -> list[tuple[bytes, bytes, bytes, bytes, int]]:
    """Stored receipts whose keys begin like any of these: idempotency key, native key, digest, receipt, end."""
    return sql.all("receipts_of_keys", _heads(keys))


def _heads(keys: Iterable[bytes]) -> dict[str, str]:
    return {"heads": orjson.dumps([head_of(key) for key in keys]).decode()}


def _is_relied_on(link: PersonLink) -> bool:
    """Whether a person is named by id alone, and so has to be there."""
    return not link.is_new and not link.aliases


def _is_still(link: PersonLink, known: Mapping[bytes, bytes]) -> bool:
    """Whether a person is as new, or as known by an alias, as when the notice was prepared."""
    if link.is_new:
        return not any(alias in known for alias in link.aliases)
    person = blob_of(link.person)
    return any(known.get(alias) == person for alias in link.aliases or (person,))


class Intake:
    """The acceptances of one group, on their way into the tables."""

    def __init__(self, tx: Transaction, scatter: Scatter) -> None:
        self.tx = tx
        self._scatter = scatter
        self._notices: list[tuple[Any, ...]] = []
        self._raw: list[tuple[Any, ...]] = []
        self._receipts: list[tuple[Any, ...]] = []
        self._receipt_keys: list[tuple[int, int]] = []
        self._persons: list[tuple[bytes, str]] = []
        self._aliases: list[tuple[bytes, bytes]] = []
        self._likenesses: set[tuple[bytes, bytes]] = set()
        self._notice_persons: list[tuple[bytes, int, str]] = []
        self._deliveries: list[tuple[Any, ...]] = []
        self._expiries: set[tuple[int, int]] = set()
        self._ordered: dict[DeliveryId, bytes] = {}
        self._superseded: list[tuple[bytes, bytes, int, frozenset[OfficeId]]] = []
        self._replies: list[tuple[ReplyMove, int]] = []

    def apply(self, units: Sequence[Acceptance]) -> Sequence[Answer]:
        seen: dict[bytes, tuple[bytes, bytes]] = {}
        used: set[bytes] = set()
        keys = {key for unit in units for key in (unit.idempotency_key, unit.native_id_key)}
        links = [link for unit in units for link in unit.persons]
        deliveries = [one for unit in units for one in unit.deliveries]
        receipts, present, aliased, held_up = self.tx.sql.together(
            (
                ("receipts_of_keys", _heads(keys)),
                ("persons_present", Keys({blob_of(link.person) for link in links if _is_relied_on(link)})),
                ("persons_of_aliases", Keys({alias for link in links for alias in link.aliases})),
                ("occupied_lanes", Keys({one.lane for one in deliveries if not one.overtakes})),
            )
        )
        for key, native_id, digest, receipt, _ in receipts:
            seen[key] = (digest, receipt)
            used.add(native_id)
        known: dict[bytes, bytes] = dict([*present, *aliased])
        occupied = {lane for (lane,) in held_up}
        self._ordered = dict(zip((one.id for one in deliveries), self._gathered(deliveries), strict=True))
        answers: list[Answer] = []
        for unit in units:
            answer = self._decide(unit, seen, used, known)
            if isinstance(answer, Accepted):
                seen[unit.idempotency_key] = (unit.body_digest, unit.receipt)
                used.add(unit.native_id_key)
                for link in unit.persons:
                    if link.is_new:
                        blob = blob_of(link.person)
                        known[blob] = blob
                        known.update(dict.fromkeys(link.aliases, blob))
                self._add(unit, occupied)
            answers.append(answer)
        self._store()
        return answers

    def _gathered(self, deliveries: Sequence[NewDelivery]) -> list[bytes]:
        """The ids of deliveries in their ordered form, made in one go."""
        return self._scatter.gather_all([blob_of(one.id) for one in deliveries])

    def _decide(
        self,
        unit: Acceptance,
        seen: Mapping[bytes, tuple[bytes, bytes]],
        used: Collection[bytes],
        known: Mapping[bytes, bytes],
    ) -> Answer:
        before = seen.get(unit.idempotency_key)
        if before is not None:
            return Replayed(before[1]) if before[0] == unit.body_digest else Conflict()
        if unit.directory_epoch not in (None, self.tx.state.epochs.directory):
            return Stale("directory")
        if unit.policy_epoch not in (None, self.tx.state.epochs.policy):
            return Stale("policy")
        if unit.rests_on is not None and (overtaken := self.tx.stale(unit.rests_on)) is not None:
            return overtaken
        if unit.is_first_of_id and unit.native_id_key in used:
            return Stale("native-id")
        if not all(_is_still(link, known) for link in unit.persons):
            return Stale("person")
        return Accepted(unit.receipt)

    def _add(self, unit: Acceptance, occupied: set[bytes]) -> None:
        if len(unit.deliveries) > MOST_DELIVERIES:
            raise ValueError(f"a notice has at most {MOST_DELIVERIES} deliveries")
        number = self.tx.state.next_notice
        self.tx.state.next_notice += 1
        notice, received_at = blob_of(unit.notice), millis(unit.received_at)
        self._notices.append(
            (
                number,
                notice,
                unit.type,
                blob_of(unit.case),
                unit.sender,
                unit.urgency,
                received_at,
                ",".join(unit.flags),
                self._scatter.gather(blob_of(unit.replies_to)) if unit.replies_to else None,
                unit.header_key,
                unit.header,
                pack_content(unit.persons, unit.segments),
            )
        )
        raw = unit.raw
        person = blob_of(raw.person) if raw.person else None
        self._raw.append((number, millis(unit.raw_expires_at), person, raw.compartment, raw.key, raw.ciphertext))
        self._receipts.append(
            (
                number,
                millis(unit.receipt_expires_at),
                unit.idempotency_key,
                unit.native_id_key,
                unit.body_digest,
                unit.receipt,
            )
        )
        heads = {head_of(unit.idempotency_key), head_of(unit.native_id_key)}
        self._receipt_keys += [(head, number) for head in heads]
        for link in unit.persons:
            blob = blob_of(link.person)
            self._notice_persons.append((blob, number, link.ref))
            if link.is_new:
                self._persons.append((blob, link.key))
                self._aliases += [(alias, blob) for alias in link.aliases]
                self._likenesses.update((likeness, blob) for likeness in link.likenesses)
        self._add_deliveries(unit, number, received_at, occupied)
        if unit.supersedes:
            taking_over = frozenset(one.recipient for one in unit.deliveries if one.state is DeliveryState.DUE)
            self._superseded.append((blob_of(unit.supersedes), notice, received_at, taking_over))
        self.tx.log(unit.records)
        if unit.reply is not None:
            self._replies.append((unit.reply, received_at))

    def _add_deliveries(self, unit: Acceptance, notice: int, at: int, occupied: set[bytes]) -> None:
        number, urgency, ordered, push = notice * MOST_DELIVERIES, unit.urgency, self._ordered, self._deliveries.append
        last_end, expires_at = None, 0
        for new in unit.deliveries:
            lane, state = new.lane, STATE_NUMBERS[new.state]
            ready_at = at if state == DUE and (new.overtakes or lane not in occupied) else None
            if state < DEAD:
                occupied.add(lane)
            if new.expires_at is not last_end:
                last_end, expires_at = new.expires_at, millis(new.expires_at)
                self._expiries.add((expires_at, notice))
            push(
                (
                    number,
                    ordered[new.id],
                    new.recipient,
                    state,
                    urgency,
                    new.overtakes,
                    lane,
                    at,
                    ready_at,
                    expires_at,
                    at,
                    new.hold_reason,
                    lanes.pack_route(new),
                )
            )
            number += 1

    def _store(self) -> None:
        self.tx.sql.insert_all(
            (
                ("add_notices", self._notices),
                ("add_raw_bodies", self._raw),
                ("add_receipts", self._receipts),
                ("add_receipt_keys", sorted(self._receipt_keys)),
                ("add_persons", self._persons),
                ("add_aliases", sorted(self._aliases)),
                ("add_likenesses", sorted(self._likenesses)),
                ("add_notice_persons", sorted(self._notice_persons)),
                ("add_deliveries", self._deliveries),
                ("add_expiries", sorted(self._expiries)),
            )
        )
        for old, new, at, recipients in self._superseded:
            number = self.tx.sql.one("number_of_notice", (old,))
            if number is not None:
                self.tx.sql.run("mark_superseded", (number[0], new))
                lanes.end_open(self.tx.sql, number[0], DeliveryState.SUPERSEDED, at, "superseded", recipients)
        for reply, at in self._replies:
            self._answer(reply, at)

    def _answer(self, reply: ReplyMove, at: int) -> None:
        """Move the answered delivery to what the answer implies, if it may still go there."""
        row = self.tx.sql.one("standing", (self._scatter.gather(blob_of(reply.delivery)),))
        if row is None:
            return
        number, _, before, lane, overtakes, *_ = row
        state = STATES[before]
        if is_repetition(state, reply.state) or not may_move(state, reply.state):
            return
        lanes.move(self.tx.sql, number, lane, bool(overtakes), before, reply.state, at, reply.reason)
        self.tx.log(reply.records)
