"""How is content kept, so that a destroyed key erases it?

One segment per person and compartment, each under that person's key; what
speaks of nobody goes under the notice's own key, the reporter and sealed
components each under a key of their own, and so do the bytes as received. The place of
a segment (notice, person, compartment) is bound into it.

Persons have random ids. They are found again by keyed aliases of their
identifiers (`HMAC(secret, kind, identifier)`), never by a plain hash. Who is new leaves a keyed likeness too, under
a secret of its own: nobody is found by it, and people may be asked about it (`propose_joining`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.crypto.sealing import NONCE_BYTES, digest, keyed_digest, seal, unseal
from gateway.model.canonical import canonical_json
from gateway.model.errors import Tampered
from gateway.model.fields import GENERAL, REPORTER, SEALED
from gateway.model.identifiers import KeyId, NoticeId, PersonId
from gateway.model.notice import JsonObject
from gateway.ports.clock import Ids
from gateway.ports.keys import DataKey, KeyStore
from gateway.ports.storage import PersonLink, SealedSegment, StoredNotice
from gateway.privacy.segments import Segment
from gateway.services.attest import AsReceived, unpack
from gateway.validation import likeness
from gateway.validation.identity import born_of, check_digit_holds

RAW = "RAW"
HEADER = "HEADER"
SEGMENTS = "segments"  # in the header: the digest of the set of segments
TAG_BYTES = 16  # at the end of a ciphertext: what AES-GCM holds it to its key and place by
LIKENESS_BYTES = 16  # of the digest: enough that two texts never share one, and half the room
QUARANTINE = "QUARANTINE"  # what did not hold in a report: for the person who looks, never released

# Segments that are never loaded for a decision or a projection: they are set apart before facts are computed.
NEVER_LOADED = frozenset({REPORTER, SEALED, QUARANTINE})


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person of a notice with the key that opens what is kept about them."""

    link: PersonLink
    secret: bytes

    @property
    def log_secret(self) -> bytes:
        """Opens the person's slots in the log; gone when the key is destroyed."""
        return keyed_digest(self.secret, b"log")


@dataclass(frozen=True, slots=True)
class SealedContent:
    header: bytes
    header_key: KeyId
    segments: tuple[SealedSegment, ...]
    raw: SealedSegment


@dataclass(frozen=True, slots=True)
class OpenedNotice:
    """A notice as it may be decided on: without reporter, without sealed components, without what was quarantined.

    One that `is_doubted` is not what was stored: what it says of conflicts, ages and places counts for nothing.
    """

    stored: StoredNotice
    data: JsonObject
    header: JsonObject
    persons: Mapping[str, KnownPerson]
    erased: frozenset[PersonId] = frozenset()
    is_doubted: bool = False


_FIRST_YEAR, _NO_SEQUENCE = 1850, "000"
# Documents, besides the resident identity, whose number names one person.
_ONE_PERSONS = frozenset({"PASS", "HKM", "TW", "BIRTH"})


def person_ref(person: Mapping[str, Any], ordinal: int) -> str:
    """The name of a person inside a notice: its `ref`, or `#3` for the fourth without one."""
    ref = person.get("ref")
    return ref if isinstance(ref, str) and ref else f"#{ordinal}"


def aliases_of(person: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The identifiers that make a person recognisable: (kind, value), normalised.

    Doubt is a no, since an alias joins two notices without anybody being asked. A number counts under a kind whose numbers
    are one person's (a household booklet's is a family's, another document's anybody's). A resident number has its form
    and a birth date in it, and one whose check digit fails does not end as those do that clerks fill in for many children.
    Without a kind, whether it was not said or was set aside as no code, nothing but a resident number counts.

    A student number of the form G + citizen id is the same person as that id.
    """
    id_no = person.get("id_no")
    if isinstance(id_no, str) and len(id_no) >= 6:
        kind, number = person.get("id_type", "ID"), id_no.upper()
        if kind == "ID":
            if _is_one_residents(number):
                yield kind, number
        elif isinstance(kind, str) and kind in _ONE_PERSONS:
            yield kind, number
    student_no = person.get("student_no")
    if isinstance(student_no, str) and len(student_no) >= 6:
        if student_no[:1].upper() == "G" and len(student_no) == 19:
            if student_no[1:].upper() != str(id_no).upper() and _is_one_residents(student_no[1:].upper()):
                yield "ID", student_no[1:].upper()
        else:
            yield "student", student_no.upper()


def _is_one_residents(number: str) -> bool:
    born = born_of(number)
    is_likely = born is not None and born.year >= _FIRST_YEAR and number[14:17] != _NO_SEQUENCE
    return is_likely or check_digit_holds(number)


class Keeper:
    def __init__(
        self,
        keys: KeyStore,
        ids: Ids,
        split: Callable[[JsonObject], Sequence[Segment]],
        join: Callable[[Sequence[Segment]], JsonObject],
    ) -> None:
        self._keys, self._ids, self._split, self._join = keys, ids, split, join
        self._alias_secret = keys.secret("person-aliases")
        self._likeness_secret = keys.secret("person-likenesses")

    def aliases(self, person: Mapping[str, Any]) -> tuple[bytes, ...]:
        """The keyed aliases of a person's identifiers."""
        return tuple(
            keyed_digest(self._alias_secret, kind.encode(), value.encode()) for kind, value in aliases_of(person)
        )

    def likenesses(self, person: Mapping[str, Any]) -> tuple[bytes, ...]:
        """The keyed likenesses of a person as described: none where too little is told."""
        return tuple(
            keyed_digest(self._likeness_secret, text.encode("utf-8", "surrogatepass"))[:LIKENESS_BYTES]
            for text in likeness.texts(person)
        )

    def identify(self, data: JsonObject, known: Mapping[bytes, tuple[PersonId, KeyId]]) -> dict[str, KnownPerson]:
        """Name the persons of a notice by ref: those `known` by an alias, and new ones with keys from the stock."""
        persons: dict[str, KnownPerson] = {}
        for ordinal, person in enumerate(data.get("persons", ())):
            ref = person_ref(person, ordinal)
            aliases = self.aliases(person)
            found = next((known[alias] for alias in aliases if alias in known), None)
            secret = None if found is None else self._keys.open(found[1])
            if found is not None and secret is not None:
                persons[ref] = KnownPerson(PersonLink(found[0], ref, found[1], aliases), secret)
            else:
                key = self._keys.take(1)[0]
                link = PersonLink(self._ids.person(), ref, key.id, aliases, True, self.likenesses(person))
                persons[ref] = KnownPerson(link, key.secret)
        return persons

    def seal(
        self,
        notice: NoticeId,
        data: JsonObject,
        header: JsonObject,
        raw: bytes,
        persons: Mapping[str, KnownPerson],
        *,
        reporter: JsonObject,
        sealed: JsonObject,
        quarantined: JsonObject,
    ) -> SealedContent:
        """Seal everything of one notice. Three or more fresh keys are taken from the stock.

        What speaks of nobody by itself (a narrative, a place) has a key apart from the header's, so that it can be
        destroyed with the child it is about while the notice stays on record.
        """
        own, shared, raw_key = self._keys.take(3)
        segments = [
            self._segment(
                notice, persons[part.person].link.person, part.compartment, persons[part.person].link.key,
                persons[part.person].secret, part.data,
            )
            if part.person is not None and part.person in persons
            else self._segment(notice, None, part.compartment, shared.id, shared.secret, part.data)
            for part in self._split(data)
        ]  # fmt: skip
        for compartment, content in ((REPORTER, reporter), (SEALED, sealed), (QUARANTINE, quarantined)):
            if content:
                segments.append(self._apart(notice, compartment, content))
        links = {ref: known.link.person for ref, known in persons.items()}
        bound = {**header, SEGMENTS: _set_digest(links, segments)}
        return SealedContent(
            header=seal(own.secret, self._nonce(), canonical_json(bound), _place(notice, None, HEADER)),
            header_key=own.id,
            segments=tuple(segments),
            raw=SealedSegment(
                None, RAW, raw_key.id, seal(raw_key.secret, self._nonce(), raw, _place(notice, None, RAW))
            ),
        )

    def header(self, stored: StoredNotice) -> JsonObject:
        """What the gateway itself keeps beside the content. Raises as `open`."""
        header_key = self._keys.open(stored.header_key)
        if header_key is None:
            raise Tampered("the key of a notice is missing", remedy="restore the key store that belongs to this data")
        found: JsonObject = orjson.loads(unseal(header_key, stored.header, _place(stored.id, None, HEADER)))
        return found

    def open(self, stored: StoredNotice) -> OpenedNotice:
        """Open what may be decided on. What belongs to an erased person is left out.

        Raises Tampered when a segment does not open or the segments are not those that were stored, Unavailable when the
        key store is out of reach.
        """
        header = self.header(stored)
        if SEGMENTS in header and header[SEGMENTS] != _set_digest(stored.persons, stored.segments):
            raise Tampered(
                "the segments of a notice are not those that were stored", remedy="restore them from a backup"
            )
        return self._opened(stored, header, is_doubted=False)

    def open_in_doubt(self, stored: StoredNotice) -> OpenedNotice:
        """Open what still opens of a notice that `open` refuses: for the floor of a report alone. Raises Tampered when its
        header does not open, Unavailable when the key store is out of reach."""
        return self._opened(stored, self.header(stored), is_doubted=True)

    def _opened(self, stored: StoredNotice, header: JsonObject, *, is_doubted: bool) -> OpenedNotice:
        refs = {person: ref for ref, person in stored.persons.items()}
        parts: dict[tuple[PersonId | None, str], Segment] = {}
        erased: set[PersonId] = set()
        persons: dict[str, KnownPerson] = {}
        for segment in stored.segments:
            if segment.compartment in NEVER_LOADED:
                continue
            secret = self._keys.open(segment.key)
            if secret is None:
                if segment.person is not None:
                    erased.add(segment.person)
                continue
            ref = None if segment.person is None else refs.get(segment.person)
            if ref is not None and segment.person is not None:
                persons[ref] = KnownPerson(PersonLink(segment.person, ref, segment.key), secret)
            place = _place(stored.id, segment.person, segment.compartment)
            try:
                content = orjson.loads(unseal(secret, segment.ciphertext, place))
            except Tampered:
                if not is_doubted:
                    raise
                continue
            parts[segment.person, segment.compartment] = Segment(ref, segment.compartment, content)
        return OpenedNotice(stored, self._join(list(parts.values())), header, persons, frozenset(erased), is_doubted)

    def erased_with(self, stored: StoredNotice, person: PersonId) -> tuple[frozenset[KeyId], bool]:
        """The keys of this notice that go when a person in it is erased, and whether its shared content stays.

        Always the person's own and what was quarantined. What the notice tells without naming anybody, and what is
        sealed, goes with the last of its children; while another child is in it, it stays.
        """
        opened = self.open(stored)
        roles = {ref: set(described.get("roles", ())) for ref, described in _people(opened.data)}
        minors = {stored.persons[ref] for ref, held in roles.items() if "minor" in held and ref in stored.persons}
        last_child = minors == {person}
        keys: set[KeyId] = set()
        for segment in stored.segments:
            if (
                segment.person == person
                or segment.compartment == QUARANTINE
                or (last_child and segment.person is None and segment.compartment != REPORTER)
            ):
                keys.add(segment.key)
        return frozenset(keys - {stored.header_key}), person in minors and not last_child

    def open_raw(self, notice: NoticeId, raw: SealedSegment) -> AsReceived | None:
        """What came and the office's signature over it; None once its key is destroyed."""
        secret = self._keys.open(raw.key)
        return None if secret is None else unpack(unseal(secret, raw.ciphertext, _place(notice, None, RAW)))

    def _apart(self, notice: NoticeId, compartment: str, content: JsonObject) -> SealedSegment:
        key: DataKey = self._keys.take(1)[0]
        return self._segment(notice, None, compartment, key.id, key.secret, content)

    def _segment(
        self,
        notice: NoticeId,
        person: PersonId | None,
        compartment: str,
        key: KeyId,
        secret: bytes,
        content: JsonObject | Sequence[Any],
    ) -> SealedSegment:
        place = _place(notice, person, compartment)
        return SealedSegment(person, compartment, key, seal(secret, self._nonce(), canonical_json(content), place))

    def _nonce(self) -> bytes:
        return self._ids.secret(NONCE_BYTES)


def _people(data: JsonObject) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return [(person_ref(person, ordinal), person) for ordinal, person in enumerate(data.get("persons", ()))]


def _set_digest(persons: Mapping[str, PersonId], segments: Sequence[SealedSegment]) -> str:
    """What the header says of the other rows of its notice: who is in it by which ref, and each segment with its key and tag."""
    parts = [f"{ref}={person}".encode() for ref, person in persons.items()]
    for segment in segments:
        place = f"{segment.person or ''}|{segment.compartment}|{segment.key}|".encode()
        parts.append(place + segment.ciphertext[-TAG_BYTES:])
    return digest(b"%d" % len(persons), *parts).hex()


def _place(notice: NoticeId, person: PersonId | None, compartment: str) -> bytes:
    return f"{notice}|{person or ''}|{compartment or GENERAL}".encode()
