"""How does a record become a leaf in the transaction that it tells of, and how is it found again?

The writer gathers the records of a group and appends them at its end: each gets its
place, its links in the chains of its persons, and its hash on a copy of the tree's
edge, which becomes the edge once COMMIT has returned. At start-up, and whenever the
outcome of a commit is unknown, the edge is read back and compared with the stored head;
what does not fit stops the store.

The search index is no part of that: words of the envelopes are added behind the writes,
at the latest by the search that needs them, and can be thrown away and made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from gateway.audit.leaf import entry_bytes, entry_root, leaf_hash
from gateway.audit.merkle import TILE_WIDTH, Edge
from gateway.audit.packed import envelope_of, unpacked
from gateway.engines.sqlite.connection import Statements
from gateway.engines.sqlite.readers import Readers
from gateway.engines.sqlite.values import blob_of, instant, known_blob, millis, text_of
from gateway.engines.sqlite.writer import Kind, Transaction, Writer
from gateway.model.audit import FIRST_LINK, Link
from gateway.model.errors import Tampered
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import Head, LogQuery, StoredRecord

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord

SUBJECT_BYTES = 32
_END = 1 << 62
_INDEX_STEP = 2_000
_SCAN_STEP = 500
_SLACK_MS = 60_000
# Fields of an envelope that are searched by the index; the others are compared record by record.
_OFFICE_FIELDS = ("actor", "recipient", "office", "sender")
_WORD_FIELDS = ("notice", "delivery", "purpose", "policy", "type", "outcome")
_LIST_FIELDS = (("basis", "basis"), ("obligations", "obligation"), ("flags", "flag"))
_FORMS = "fields"  # pairs of field and form
_FIELD_SET, _HAS_FIELD = "field-set", "has-field"
_MOST_SETS = 256
# A disclosure that owes a disposal receipt has this word until the receipt is in the log.
_AWAITS_DISPOSAL, _DISPOSAL, _CONFIRMED = "awaits-disposal", "disposal_receipt", "event=disposal_confirmed"


def subject_blob(subject: str) -> bytes:
    """The keyed name of a person as stored: 32 bytes. ValueError for one that is not 32 bytes in hex."""
    blob = bytes.fromhex(subject)
    if len(blob) != SUBJECT_BYTES:
        raise ValueError("the keyed name of a subject has 32 bytes")
    return blob


def load_edge(sql: Statements) -> Edge:
    """The edge as committed. Tampered when leaves, rows above them and head do not fit each other."""
    head = sql.one("log_head")
    count = sql.one("leaf_count")
    leaves = int(count[0] or 0) if count else 0
    if head is None:
        if leaves:
            raise Tampered("the log has leaves but no head", remedy="restore the store from a backup")
        return Edge()
    size, root, upper = head
    if size != leaves:
        raise Tampered("the log's head counts other leaves than there are", remedy="restore the store from a backup")
    last = [leaf_hash(row[0]) for row in sql.all("leaf_entries", (size - size % TILE_WIDTH, size))]
    try:
        edge = Edge.load(size, last, upper)
    except ValueError as broken:
        raise Tampered("the log's edge does not fit its size", remedy="restore the store from a backup") from broken
    if edge.root() != root:
        raise Tampered("the log's leaves do not give its root", remedy="restore the store from a backup")
    return edge


def write_log(tx: Transaction) -> None:
    """Append the gathered records: places, links, leaves, full tiles, head."""
    sql, edge = tx.sql, tx.state.edge
    named = [[subject_blob(subject) for subject in record.subjects] for record in tx.records]
    heads = _chain_heads(sql, {name for names in named for name in names})
    rows: list[tuple[int, bytes, bytes]] = []
    kept: list[tuple[int, str, int, bytes]] = []
    hashes: list[bytes] = []
    subjects: list[tuple[bytes, int, int]] = []
    place = edge.size
    for prepared, names in zip(tx.records, named, strict=True):
        links = [heads.get(name, FIRST_LINK) for name in names]
        root, packed = prepared.keep(links)
        for name, link in zip(names, links, strict=True):
            subjects.append((name, link.seq, place))
            heads[name] = Link(link.seq + 1, prepared.event_id, root)
        entry = entry_bytes(root)
        hashes.append(leaf_hash(entry))
        rows.append((place, blob_of(prepared.event_id), entry))
        kept.append((place, prepared.name, millis(prepared.at), packed))
        place += 1
    tiles = edge.extend(hashes)
    sql.many("add_leaves", rows)
    sql.many("add_log_records", kept)
    if subjects:
        sql.many("add_log_subjects", sorted(subjects))
    if tiles:
        sql.many("add_tiles", [(tile.level, tile.index, tile.data) for tile in tiles])
    # the rows above the leaves, up to 8 KiB, change only when a tile is full
    if tiles or len(rows) == edge.size:
        sql.run("set_log_head", (edge.size, edge.root(), edge.upper()))
    else:
        sql.run("move_log_head", (edge.size, edge.root()))


def _chain_heads(sql: Statements, subjects: set[bytes]) -> dict[bytes, Link]:
    """The link that the next record of each known subject gets."""
    if not subjects:
        return {}
    rows = sql.gathered("chain_heads", {"subjects": b"".join(sorted(subjects)), "count": len(subjects)})
    blob = bytes.fromhex
    return {
        blob(subject): Link(chain + 1, EventId(text_of(blob(event))), entry_root(blob(entry)))
        for subject, chain, event, entry in rows
    }


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    size: int
    root: bytes
    note: bytes
    signed_at: int


class SqliteLog:
    """LogStorage on the embedded store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._append: Kind[Sequence[PreparedRecord], Sequence[int]] = Kind(
            "append", 70, lambda tx, units: [self._appended(tx, unit) for unit in units], self._appended_before
        )
        self._index: Kind[int, int] = Kind("index", 80, lambda tx, units: [_indexed(tx, unit) for unit in units])
        self._cosignature: Kind[tuple[int, str, int, bytes], bool] = Kind(
            "cosignature", 6, lambda tx, units: [_kept_cosignature(tx, unit) for unit in units]
        )
        self._checkpoint: Kind[_Checkpoint, bool] = Kind(
            "checkpoint", 5, lambda tx, units: [_put_checkpoint(tx, unit) for unit in units]
        )

    async def append(self, records: Sequence[PreparedRecord]) -> Sequence[int]:
        return await self._writer.submit(self._append, tuple(records))

    async def head(self) -> Head:
        edge = self._writer.committed.edge
        return Head(edge.size, edge.root())

    async def entries(self, start: int, stop: int) -> Sequence[bytes]:
        return await self._readers.ask(lambda sql: [row[0] for row in sql.all("leaf_entries", (start, stop))])

    async def tile(self, level: int, index: int) -> bytes | None:
        row = await self._readers.ask(lambda sql: sql.one("tile", (level, index)))
        return None if row is None else row[0]

    async def record(self, event: EventId) -> StoredRecord | None:
        blob = known_blob(event)

        def question(sql: Statements) -> StoredRecord | None:
            place = sql.one("place_of_event", (blob,))
            return None if place is None else _stored(sql.one("log_record_at", place))

        return await self._readers.ask(question)

    async def records(self, start: int, stop: int) -> Sequence[StoredRecord]:
        def question(sql: Statements) -> list[StoredRecord]:
            return [_of_row(row) for row in sql.all("log_records", (start, stop))]

        return await self._readers.ask(question)

    async def record_at(self, index: int) -> StoredRecord | None:
        return await self._readers.ask(lambda sql: _stored(sql.one("log_record_at", (index,))))

    async def search(self, query: LogQuery, after: int | None, limit: int) -> Sequence[StoredRecord]:
        while await self._writer.submit(self._index, _INDEX_STEP):
            pass
        return await self._readers.ask(lambda sql: _found(sql, query, _END if after is None else after, limit))

    async def index(self, limit: int) -> int:
        while limit > 0 and (done := await self._writer.submit(self._index, min(limit, _INDEX_STEP))):
            limit -= done
        row = await self._readers.ask(lambda sql: sql.one("indexed_until"))
        return (await self.head()).size - (int(row[0]) if row else 0)

    async def has_followed(self, event: str, delivery: str) -> bool:
        def question(sql: Statements) -> bool:
            return sql.one("word_beside_word", (f"delivery={delivery}", f"event={event}")) is not None

        return await self._readers.ask(question)

    async def reindex(self) -> None:
        """Throw the search index away; the next search makes it again."""
        await self._writer.submit(self._index, -1)

    async def put_checkpoint(self, size: int, root: bytes, note: bytes, signed_at: datetime) -> None:
        await self._writer.submit(self._checkpoint, _Checkpoint(size, root, note, millis(signed_at)))

    async def latest_checkpoint(self) -> tuple[int, bytes] | None:
        row = await self._readers.ask(lambda sql: sql.one("latest_checkpoint"))
        return None if row is None else (row[0], row[1])

    async def checkpoint(self, size: int) -> bytes | None:
        row = await self._readers.ask(lambda sql: sql.one("checkpoint", (size,)))
        return None if row is None else row[1]

    async def keep_cosignature(self, size: int, witness: str, line: bytes, at: datetime) -> None:
        await self._writer.submit(self._cosignature, (size, witness, millis(at), line))

    async def cosignatures(self, size: int) -> Sequence[bytes]:
        return await self._readers.ask(lambda sql: [row[0] for row in sql.all("cosignatures", (size,))])

    async def last_cosigned(self, witness: str) -> datetime | None:
        row = await self._readers.ask(lambda sql: sql.one("last_cosigned", (witness,)))
        return None if row is None or row[0] is None else instant(row[0])

    async def places_of(self, subject: bytes) -> Sequence[int]:
        return await self._readers.ask(lambda sql: [row[0] for row in sql.all("places_of_subject", (subject,))])

    def _appended(self, tx: Transaction, records: Sequence[PreparedRecord]) -> Sequence[int]:
        first = tx.log(records)
        return range(first, first + len(records))

    def _appended_before(self, tx: Transaction, records: Sequence[PreparedRecord]) -> Sequence[int]:
        places = [tx.sql.one("place_of_event", (blob_of(record.event_id),)) for record in records]
        if None in places:
            raise LookupError("not in the log")
        return [place[0] for place in places if place is not None]


def _put_checkpoint(tx: Transaction, unit: _Checkpoint) -> bool:
    """Whether the note is new."""
    there = tx.sql.one("checkpoint", (unit.size,))
    if there is None:
        tx.sql.run("put_checkpoint", (unit.size, unit.root, unit.note, unit.signed_at))
        return True
    if there != (unit.root, unit.note):
        raise Tampered("another note was signed for this size of the log", remedy="stop signing and let a person look")
    return False


def _kept_cosignature(tx: Transaction, unit: tuple[int, str, int, bytes]) -> bool:
    tx.sql.run("keep_cosignature", unit)
    return True


def _stored(row: tuple[Any, ...] | None) -> StoredRecord | None:
    return None if row is None else _of_row(row)


def _of_row(row: tuple[Any, ...]) -> StoredRecord:
    place, event, name, at, entry, packed = row
    try:
        opening = unpacked(packed)
    except ValueError:
        opening = packed  # somebody changed the store: who reads the record finds that it is no opening
    return StoredRecord(place, EventId(text_of(event)), name, instant(at), entry, opening)


def _indexed(tx: Transaction, step: int) -> int:
    """Index up to `step` more records and say how many; a negative step empties the index instead."""
    if step < 0:
        tx.sql.run("forget_words")
        tx.sql.run("set_indexed_until", (0,))
        return 0
    row = tx.sql.one("indexed_until")
    until = int(row[0]) if row else 0
    openings = tx.sql.all("openings_from", (until, step))
    if openings:
        words, sets = set[tuple[str, int]](), dict[str, bytes]()
        for place, packed in openings:
            for word in _words(packed):
                words.add((word, place))
                if word.startswith(_FIELD_SET):
                    sets.setdefault(word, packed)
        for packed in sets.values():
            words.update(_members(packed))
        tx.sql.many("add_words", sorted(words))
        confirmed = [place for word, place in words if word == _CONFIRMED]
        if confirmed:
            fields = {place: orjson.loads(envelope_of(packed))["fields"] for place, packed in openings}
            settled = [(_AWAITS_DISPOSAL, f"delivery={fields[place]['delivery']}") for place in confirmed]
            tx.sql.many("settle_words", settled)
        tx.sql.run("set_indexed_until", (openings[-1][0] + 1,))
    return len(openings)


def _words(packed: bytes) -> list[str]:
    envelope = orjson.loads(envelope_of(packed))
    fields = envelope["fields"]
    words = [f"event={envelope['header']['event']}"]
    words += [f"office={fields[name]}" for name in _OFFICE_FIELDS if name in fields]
    words += [f"{name}={fields[name]}" for name in _WORD_FIELDS if name in fields]
    for name, word in _LIST_FIELDS:
        words += [f"{word}={value}" for value in fields.get(name, ())]
    if "emergency" in fields:
        words.append("emergency")
    if _DISPOSAL in fields.get("obligations", ()):
        words.append(_AWAITS_DISPOSAL)
    if _FORMS in fields:
        words.append(f"{_FIELD_SET}={_set_of(fields):x}")
    return words


def _names(fields: Mapping[str, Any]) -> list[str]:
    """The field ids of a record: some events say each with its form, some alone."""
    return sorted(fields.get(_FORMS, ()))


def _set_of(fields: Mapping[str, Any]) -> int:
    """A number for a set of field names: there are few of them, however many records."""
    names = "\0".join(_names(fields))
    return int.from_bytes(hashlib.sha256(names.encode()).digest()[:7], "big")


def _members(packed: bytes) -> list[tuple[str, int]]:
    """Which fields the set of a record has: rows of the same index, with the set's number in place of a leaf's."""
    fields = orjson.loads(envelope_of(packed))["fields"]
    number = _set_of(fields)
    return [(f"{_HAS_FIELD}={name}", number) for name in _names(fields)]


def _found(sql: Statements, query: LogQuery, before: int, limit: int) -> list[StoredRecord]:
    if query.case is not None:
        raise ValueError("records carry no keyed name of a case: search by notice or subject")
    words = [
        f"{name}={value}"
        for name, value in (
            ("delivery", query.delivery),
            ("notice", query.notice),
            ("policy", query.policy),
            ("office", query.office),
            ("event", query.event),
            ("purpose", query.purpose),
            ("type", query.type),
            ("basis", query.basis),
            ("obligation", query.obligation),
            ("flag", query.flag),
            ("outcome", query.outcome),
        )
        if value is not None
    ]
    if query.awaits_disposal:
        words.append(_AWAITS_DISPOSAL)
    if query.is_emergency:
        words.append("emergency")
    if query.field is not None:
        return _found_with_field(sql, query, words, before, limit)
    return _search(sql, query, words, before, limit)


def _found_with_field(
    sql: Statements, query: LogQuery, words: list[str], before: int, limit: int
) -> list[StoredRecord]:
    """Search in the sets of fields that have this one: none, and the answer is known at once."""
    sets = [f"{_FIELD_SET}={number:x}" for (number,) in sql.all("places_of_word", (f"{_HAS_FIELD}={query.field}",))]
    if len(sets) > _MOST_SETS:
        shown = LogQuery(**{**_conditions(query), "event": query.event or "disclosure_decided"})
        return _search(sql, shown, [*words, "event=" + str(shown.event)], before, limit)
    found = [record for one in sets for record in _search(sql, query, [one, *words], before, limit)]
    return sorted(found, key=lambda record: -record.index)[:limit]


def _conditions(query: LogQuery) -> dict[str, Any]:
    return {one.name: getattr(query, one.name) for one in dataclasses.fields(query)}


def _search(sql: Statements, query: LogQuery, words: list[str], before: int, limit: int) -> list[StoredRecord]:
    # in time the log is ordered but for the moments between preparing and committing
    first = 0 if query.since is None else _place_at(sql, millis(query.since) - _SLACK_MS)
    if query.until is not None:
        before = min(before, _place_at(sql, millis(query.until) + _SLACK_MS))
    if len(words) > 1:
        words = sorted(words, key=lambda word: _is_common(sql, word))
    subjects = [subject for subject in (query.subject, query.person) if subject is not None]
    found: list[StoredRecord] = []
    while len(found) < limit:
        if subjects:
            places = sql.all("newest_places_of_subject", (subjects[0], before, _SCAN_STEP))
        elif words:
            places = sql.all("newest_places_of_word", (words[0], before, _SCAN_STEP))
        else:
            places = sql.all("newest_places", (before, _SCAN_STEP))
        recent = [place for (place,) in places if place >= first]
        for record in _records_with(sql, recent, words, subjects, limit - len(found)):
            if _fits(record, query):
                found.append(record)
                if len(found) == limit:
                    return found
        if len(recent) < len(places):
            return found
        if len(places) < _SCAN_STEP:
            return found
        before = places[-1][0]
    return found


def _records_with(
    sql: Statements, places: Sequence[int], words: Sequence[str], subjects: Sequence[bytes], wanted: int
) -> Iterator[StoredRecord]:
    """The records at those of the places that have all words and subjects, in the order of the places.

    Where each question is a journey, many go together; `wanted` is how many are likely to be looked at.
    """
    if not sql.asks_together:
        for place in places:
            if _has_all(sql, place, words, subjects) and (record := _stored(sql.one("log_record_at", (place,)))):
                yield record
        return
    for word in words:
        places = [place for (place,) in sql.all("places_that_have_word", (word, list(places)))] if places else []
    for subject in subjects[1:]:
        places = [place for (place,) in sql.all("places_that_have_subject", (subject, list(places)))] if places else []
    for start in range(0, len(places), max(wanted, 1)):
        for row in sql.all("log_records_at", (list(places[start : start + max(wanted, 1)]),)):
            yield _of_row(row)


def _has_all(sql: Statements, place: int, words: Sequence[str], subjects: Sequence[bytes]) -> bool:
    return all(sql.one("has_word", (word, place)) is not None for word in words) and all(
        sql.one("has_subject", (subject, place)) is not None for subject in subjects[1:]
    )


def _fits(record: StoredRecord, query: LogQuery) -> bool:
    if query.since is not None and record.at < query.since:
        return False
    if query.until is not None and record.at >= query.until:
        return False
    if not query.extra and query.field is None:
        return True
    fields = orjson.loads(record.opening)["envelope"]["fields"]
    if query.field is not None and query.field not in _names(fields):
        return False
    return all(fields.get(name) == value for name, value in query.extra.items())


def _place_at(sql: Statements, at: int) -> int:
    """About the first place whose record is not older than an instant, by halving."""
    row = sql.one("leaf_count")
    low, high = 0, int(row[0] or 0) if row else 0
    while low < high:
        middle = (low + high) // 2
        found = sql.one("time_of_place", (middle,))
        if found is not None and found[0] < at:
            low = middle + 1
        else:
            high = middle
    return low


def _is_common(sql: Statements, word: str) -> int:
    """How many records have a word, up to a page: the rarest leads a search."""
    return len(sql.all("newest_places_of_word", (word, _END, _SCAN_STEP)))
