"""Where do likenesses and findings on pairs of persons lie, and how does a finding reach every later decision?

By the consent epoch: it rises in the transaction of the finding, before anything else of the same group is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from gateway.engines.sql.registry import raise_epoch
from gateway.engines.sql.transaction import Kind, Readers, Transaction, Writer
from gateway.engines.sql.values import blob_of, instant, millis, text_of
from gateway.model.errors import NotFound, NotPermitted
from gateway.model.identifiers import PersonId
from gateway.ports.person_storage import Alike, PairState, PersonPair

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord


@dataclass(frozen=True, slots=True)
class PairChange:
    pair: PersonPair
    records: tuple[PreparedRecord, ...]
    instead_of: PairState | None


class SqlPersons:
    """PersonStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers
        self._put: Kind[PairChange, int] = Kind(
            "put-pair",
            3,
            lambda tx, units: [_put(tx, unit) for unit in units],
            lambda tx, unit: tx.state.epochs.consent,
        )

    async def alike(self, after: bytes, limit: int) -> Sequence[Alike]:
        rows = await self._readers.ask(lambda sql: sql.all("alike", (after, limit)))
        return [
            Alike(bytes(likeness), tuple(PersonId(text_of(person)) for _, person in several))
            for likeness, several in groupby(sorted(rows), key=itemgetter(0))
        ]

    async def pairs(self) -> Sequence[PersonPair]:
        rows = await self._readers.ask(lambda sql: sql.all("pairs"))
        return [
            PersonPair(
                PersonId(text_of(first)), PersonId(text_of(second)), PairState(state), asked, confirmed, reason, instant(at)
            )
            for first, second, state, asked, confirmed, reason, at in rows
        ]  # fmt: skip

    async def pairs_mark(self) -> tuple[int, int]:
        row = await self._readers.ask(lambda sql: sql.one("pairs_mark"))
        assert row is not None
        return row[0], row[1]

    async def put_pair(
        self, pair: PersonPair, records: Sequence[PreparedRecord], *, instead_of: PairState | None
    ) -> int:
        return await self._writer.submit(self._put, PairChange(pair, tuple(records), instead_of))


def _put(tx: Transaction, unit: PairChange) -> int:
    pair = unit.pair
    two = {blob_of(pair.first), blob_of(pair.second)}
    if len(tx.sql.all_of_keys("persons_present", two)) != len(two):
        raise NotFound("one of the two is not known, or was erased")
    stands = tx.sql.one("state_of_pair", (blob_of(pair.first), blob_of(pair.second)))
    if (None if stands is None else PairState(stands[0])) is not unit.instead_of:
        raise NotPermitted(
            "somebody found something else of these two meanwhile", remedy="look again: hutong person proposals"
        )
    epoch = tx.state.epochs.consent + 1
    values = (
        epoch, blob_of(pair.first), blob_of(pair.second), pair.state.value, pair.asked_by, pair.confirmed_by,
        pair.reason, millis(pair.at),
    )  # fmt: skip
    tx.sql.run("add_pair", values)
    raise_epoch(tx, consent=epoch)
    tx.log(unit.records)
    return epoch


def forget_pairs(tx: Transaction, person: bytes) -> None:
    """Forget what was found of somebody who is erased: who was one by way of them is so no more (`stay_joined`)."""
    gone = [tx.sql.run(f"forget_pairs_of_{one}", (person,)).rowcount for one in ("first", "second")]
    if any(gone):
        raise_epoch(tx, consent=tx.state.epochs.consent + 1)
