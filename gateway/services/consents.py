"""Which consents are kept about a child, and does one of them stand behind this delivery?

A record is kept under the child's own key, so erasing the child erases it. Whether a giver has a
say is judged twice: as it was when recorded (kept with the record), and as it is now, from the notice at hand and
from what other notices say of the giver. Of a child whom officers found on record as several persons, a yes counts for the
one it was given for, a no for all (`Kin`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from gateway.consent.authority import Authority, AuthorityKind, Candidate, authority
from gateway.consent.conflict import Conflict, Finding, is_grave
from gateway.consent.coverage import ConsentState, Question, covers_as_one
from gateway.consent.ledger import Consent, from_document, to_document
from gateway.crypto.sealing import NONCE_BYTES, seal, unseal
from gateway.model.canonical import canonical_json
from gateway.model.consent import ConsentRules
from gateway.model.delivery import Delivery
from gateway.model.errors import Tampered, Unavailable
from gateway.model.identifiers import EventId, KeyId, NoticeId, OfficeId, PersonId
from gateway.ports.clock import Ids
from gateway.ports.keys import KeyStore
from gateway.ports.registry_storage import ConsentRecord, ConsentStorage
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.guardianship import GuardianshipOnRecord
from gateway.services.keep import KnownPerson, OpenedNotice
from gateway.services.kin import Kin
from gateway.validation.age import AGE_BANDS, EVERY_BAND, possible_age_bands

# Records about a person that are no consents but findings on who may speak for a child begin with this (clear_conflict).
CLEARING = "clearing-"

# The first of these that holds for any of the children holds for the notice.
_WORST_FIRST = (
    ConsentState.REFUSED, ConsentState.WITHDRAWN, ConsentState.UNKNOWN, ConsentState.EXPIRED, ConsentState.NONE,
    ConsentState.GIVEN,
)  # fmt: skip
_LOWEST_YEARS = {name: low for name, low, _ in AGE_BANDS}
_PARENTS = ("51", "52")  # GB/T 4761: father, mother


@dataclass(frozen=True, slots=True)
class KeptConsent:
    """A consent with what the gateway needs beside it. `kind` is what the giver was to the child; `event` told the log of it."""

    consent: Consent
    kind: AuthorityKind
    office: OfficeId
    name: str  # the recording office's own id of it
    notice: NoticeId
    event: EventId
    key: KeyId


@dataclass(frozen=True, slots=True)
class Covered:
    """The consent fact of one delivery, and the log events of the records that made it so."""

    state: ConsentState
    events: tuple[EventId, ...] = ()


class Consents:
    def __init__(
        self,
        storage: ConsentStorage,
        keys: KeyStore,
        ids: Ids,
        conflicts: ConflictsOnRecord,
        kin: Kin,
        guardianship: GuardianshipOnRecord,
        rules: Callable[[], ConsentRules],
    ) -> None:
        self._rules, self._guardianship = rules, guardianship
        self._storage, self._keys, self._ids, self._conflicts, self._kin = storage, keys, ids, conflicts, kin

    async def of(self, children: Iterable[PersonId]) -> list[KeptConsent]:
        """The newest state of every record about these children. What was erased is not there."""
        return self.opened(await self._storage.consents_of(list(children)))

    def opened(self, records: Iterable[ConsentRecord]) -> list[KeptConsent]:
        kept = (self._open(record) for record in records if not record.id.startswith(CLEARING))
        return [one for one in kept if one is not None]

    def sealed(self, kept: KeptConsent, secret: bytes, state: str, at: datetime) -> ConsentRecord:
        """The record to store: key id, line feed, AES-256-GCM under the child's key, bound to child and record."""
        child, consent = PersonId(kept.consent.child), kept.consent
        document = {
            "consent": to_document(consent),
            "kind": kept.kind.value,
            "office": kept.office,
            "name": kept.name,
            "notice": kept.notice,
            "event": kept.event,
        }
        sealed = seal(secret, self._ids.secret(NONCE_BYTES), canonical_json(document), _place(child, consent.id))
        return ConsentRecord(consent.id, child, kept.key.encode() + b"\n" + sealed, state, at)

    async def behind(
        self,
        opened: OpenedNotice,
        delivery: Delivery,
        people: Sequence[Mapping[str, Any]],
        findings: Mapping[str, Finding],
        now: datetime,
        day: date,
    ) -> Covered:
        """Whether consent stands behind a delivery that rests on nothing else; unknown while the records are out of reach."""
        minors = {
            str(person.get("ref")): person
            for person in people
            if "minor" in person.get("roles", ()) and str(person.get("ref")) in opened.persons
        }
        if not minors:
            return Covered(ConsentState.NONE)
        rules = self._rules()
        try:
            kept = await self.of(one for ref in minors for one in self._kin.of(opened.persons[ref].link.person))
            givers = await self._givers(kept, opened, people, findings)
        except Unavailable:
            return Covered(ConsentState.UNKNOWN)
        try:
            tracks = {ref: await self.track(opened.persons[ref].link.person, opened) for ref in minors}
        except (Unavailable, Tampered):
            return Covered(ConsentState.UNKNOWN)
        states: dict[ConsentState, tuple[str, ...]] = {}
        for ref, person in minors.items():
            child, *others = self._kin.of(opened.persons[ref].link.person)
            bands, track = possible_age_bands(person, day), tracks[ref]
            say = authority_over(str(child), bands, track, givers, rules)
            theirs = [(str(other), authority_over(str(other), bands, track, givers, rules)) for other in others]
            question = Question(str(child), delivery.recipient, delivery.purpose, at=now, read_at=now)
            found = covers_as_one(
                question, theirs, [one.consent for one in kept], say, longest_snapshot_age=rules.snapshot
            )
            states[found.state] = found.because
        state = next(one for one in _WORST_FIRST if one in states)
        events = {one.consent.id: one.event for one in kept}
        return Covered(state, tuple(events[name] for name in states[state]))

    async def track(self, child: PersonId, opened: OpenedNotice) -> str | None:
        """The guardianship track that counts for a child of this notice. Raises as `GuardianshipOnRecord.track`."""
        return await self._guardianship.track(child, opened.data, self._rules())

    async def _givers(
        self,
        kept: Iterable[KeptConsent],
        opened: OpenedNotice,
        people: Iterable[Mapping[str, Any]],
        findings: Mapping[str, Finding],
    ) -> list[Candidate]:
        """Everybody who may have a say: the guardians of the notice, and givers it does not name."""
        found = candidates(opened.persons, people, findings)
        known = {one.id for one in found}
        grave = is_grave(opened.data)
        for one in kept:
            giver = one.consent.giver
            if giver in known or giver == one.consent.child:
                continue
            known.add(giver)
            conflict = Conflict.NO
            if is_person(giver):
                same = self._kin.of(PersonId(giver))
                named = {candidate.conflict for candidate in found if candidate.id in same}
                conflict = Conflict.UNKNOWN if Conflict.UNKNOWN in named else conflict
                if grave or Conflict.YES in named or await self._conflicts.of(PersonId(giver)):
                    conflict = Conflict.YES
            found.append(Candidate(giver, one.kind, conflict))
        return found

    def _open(self, record: ConsentRecord) -> KeptConsent | None:
        key, _, sealed = record.document.partition(b"\n")
        secret = self._keys.open(KeyId(key.decode("ascii", "replace")))
        if secret is None:
            return None
        document = orjson.loads(unseal(secret, sealed, _place(record.person, record.id)))
        try:
            return KeptConsent(
                consent=from_document(document["consent"]),
                kind=AuthorityKind(document["kind"]),
                office=OfficeId(document["office"]),
                name=document["name"],
                notice=NoticeId(document["notice"]),
                event=EventId(document["event"]),
                key=KeyId(key.decode()),
            )
        except (KeyError, ValueError) as broken:
            raise Tampered("a consent record is malformed", remedy="restore the store from a backup") from broken


def candidates(
    persons: Mapping[str, KnownPerson], people: Iterable[Mapping[str, Any]], findings: Mapping[str, Finding]
) -> list[Candidate]:
    """The guardians of a notice as candidates for a say; a guardian nobody judged is of unknown conflict."""
    found = []
    for person in people:
        ref = str(person.get("ref"))
        if "guardian" not in person.get("roles", ()) or ref not in persons:
            continue
        kind = AuthorityKind.PARENT if person.get("relation") in _PARENTS else AuthorityKind.OTHER_GUARDIAN
        finding = findings.get(ref)
        conflict = Conflict.UNKNOWN if finding is None else finding.conflict
        found.append(Candidate(str(persons[ref].link.person), kind, conflict, not person.get("unavailable")))
    return found


def authority_over(
    child: str, bands: frozenset[str], track: str | None, givers: Sequence[Candidate], rules: ConsentRules
) -> Authority:
    """Who has a say when the age is known to bands alone: a yes must count at every possible age, a no at any."""
    ages: list[int | None] = [_LOWEST_YEARS[band] for band in sorted(bands & _LOWEST_YEARS.keys())]
    if not ages or bands == EVERY_BAND:
        ages = [None]  # DOMAIN 4.4: unknown is treated as below 14
    found = [authority(child, years, track, givers, rules) for years in ages]
    kinds = {one.kind for one in found}
    return Authority(
        kinds.pop() if len(kinds) == 1 else AuthorityKind.NONE,
        frozenset.intersection(*(one.may_consent for one in found)),
        frozenset.union(*(one.may_refuse for one in found)),
        frozenset.union(*(one.inform for one in found)),
    )


def is_person(giver: str) -> bool:
    """A giver is a person of the gateway, or an organ by its kind (`court`, `guardian_of_record`)."""
    return len(giver) == 36


def _place(child: PersonId, record: str) -> bytes:
    return f"{child}|consent|{record}".encode()
