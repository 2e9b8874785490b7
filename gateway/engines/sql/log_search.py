"""How is a record of the exchange log found again?

By words of its envelope: who, what, which notice, which set of fields. The index of them is no part of the log: words
are added behind the writes, at the latest by the search that needs them, and can be thrown away and made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from gateway.audit.packed import envelope_of, unpacked
from gateway.engines.sql.transaction import Statements, Transaction
from gateway.engines.sql.values import instant, millis, text_of
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import LogQuery, StoredRecord

END = 1 << 62
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


def stored(row: tuple[Any, ...] | None) -> StoredRecord | None:
    return None if row is None else of_row(row)


def of_row(row: tuple[Any, ...]) -> StoredRecord:
    place, event, name, at, entry, packed = row
    try:
        opening = unpacked(packed)
    except ValueError:
        opening = packed  # somebody changed the store: who reads the record finds that it is no opening
    return StoredRecord(place, EventId(text_of(event)), name, instant(at), entry, opening)


def indexed(tx: Transaction, step: int) -> int:
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


def found_by(sql: Statements, query: LogQuery, before: int, limit: int) -> list[StoredRecord]:
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
            if _has_all(sql, place, words, subjects) and (record := stored(sql.one("log_record_at", (place,)))):
                yield record
        return
    for word in words:
        places = [place for (place,) in sql.all("places_that_have_word", (word, list(places)))] if places else []
    for subject in subjects[1:]:
        places = [place for (place,) in sql.all("places_that_have_subject", (subject, list(places)))] if places else []
    for start in range(0, len(places), max(wanted, 1)):
        for row in sql.all("log_records_at", (list(places[start : start + max(wanted, 1)]),)):
            yield of_row(row)


def _has_all(sql: Statements, place: int, words: Sequence[str], subjects: Sequence[bytes]) -> bool:
    return all(sql.one("has_word", (word, place)) is not None for word in words) and all(
        sql.one("has_subject", (subject, place)) is not None for subject in subjects[1:]
    )


def _fits(record: StoredRecord, query: LogQuery) -> bool:
    if query.since is not None and record.at < query.since:
        return False
    if query.until is not None and record.at >= query.until:
        return False
    return query.field is None or query.field in _names(orjson.loads(record.opening)["envelope"]["fields"])


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
    return len(sql.all("newest_places_of_word", (word, END, _SCAN_STEP)))
