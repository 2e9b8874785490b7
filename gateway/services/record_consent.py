"""How does a yes, a no or a withdrawal become something that every later decision knows?

An accepted CON notice says it (`PUT /v1/consents/{id}` and its withdrawal write one). The steps, and what
a crash after each leaves behind:

1. the CON notice is accepted, like any other: the office has no answer yet, so it sends again and gets here again. What
   was said since is not undone by it.
2. for each child one record under the child's own key, with its log event and a new consent epoch, in one
   transaction: whatever was decided under the older epoch is `Stale`. Doing it again changes nothing.
3. after a withdrawal, stop-use notices to whoever received on the strength of it, each under an id of its own.
4. the answer waits out the longest life of a ticket on our own clock: from then on nothing leaves that was
   decided before.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from gateway.audit.forms import PATTERNS
from gateway.consent.authority import AuthorityKind, Candidate
from gateway.consent.conflict import Conflict, guardian_conflicts, is_grave
from gateway.consent.coverage import standing_of
from gateway.consent.ledger import Answer, Consent, GiverKind, PastDisclosure, to_be_told, withdraw
from gateway.crypto.sealing import keyed_digest
from gateway.model.audit import EventName, Form, LogValue
from gateway.model.canonical import canonical_json
from gateway.model.consent import ConsentRules
from gateway.model.errors import NotFound, Unavailable
from gateway.model.identifiers import EventId, NoticeId, NoticeType, OfficeId, PersonId, agency_of
from gateway.model.notice import JsonObject
from gateway.ports.clock import Clock
from gateway.ports.keys import KeyStore
from gateway.ports.registry_storage import ConsentStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.consents import Consents, KeptConsent, authority_over, candidates, is_person
from gateway.services.directory import Directories
from gateway.services.facts import CHINA, china_day
from gateway.services.gateway_notices import GatewayNotices
from gateway.services.keep import Keeper, KnownPerson, OpenedNotice
from gateway.services.tell import Teller
from gateway.validation.age import possible_age_bands

CONSENT_TYPE = NoticeType("CON")
STOP_USE_LOOKS_AT = 1000  # of the newest notices about a child

_KINDS: Mapping[GiverKind, AuthorityKind] = {
    GiverKind.GUARDIAN: AuthorityKind.PARENT,
    GiverKind.MINOR: AuthorityKind.MINOR,
    GiverKind.GUARDIAN_OF_RECORD: AuthorityKind.TEMPORARY_GUARDIAN,
    GiverKind.COURT: AuthorityKind.COURT_APPOINTED,
    GiverKind.OTHER: AuthorityKind.NONE,
}
_EVENTS = {"given": EventName.CONSENT_RECORDED, "refused": EventName.CONSENT_REFUSED}
_VERSION = re.compile(PATTERNS[Form.VERSION])


_MOST_TRIES = 16


class _Overtaken(Exception):
    """Another consent epoch is in force than the one that something was prepared under."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one CON notice: a record per child, and whether something ended that others may still hold a ticket for."""

    kept: tuple[KeptConsent, ...]
    ended: bool = False


class RecordConsent:
    def __init__(
        self,
        *,
        storage: ConsentStorage,
        consents: Consents,
        conflicts: ConflictsOnRecord,
        notices: NoticeStorage,
        keeper: Keeper,
        keys: KeyStore,
        directories: Directories,
        teller: Teller,
        clock: Clock,
        tell: GatewayNotices,
        rules: Callable[[], ConsentRules],
        consent_bases: Callable[[], frozenset[str]],
    ) -> None:
        self._storage, self._consents, self._conflicts = storage, consents, conflicts
        self._notices, self._keeper, self._keys = notices, keeper, keys
        self._directories, self._teller, self._clock = directories, teller, clock
        self._tell, self._bases, self._rules = tell, consent_bases, rules
        self._secret = keys.secret("consent-names")
        self._one_at_a_time = asyncio.Lock()  # within a node nobody is overtaken

    async def from_notice(self, notice: NoticeId) -> Recorded:
        """Record what an accepted CON notice says; repeating it changes nothing. The gateway's own notices say nothing new."""
        stored = await self._notices.load(notice)
        if stored is None or stored.type != CONSENT_TYPE or stored.sender == self._tell.office:
            return Recorded(())
        opened = self._keeper.open(stored)
        async with self._one_at_a_time:
            recorded = await self._record_undisturbed(opened)
            await self._directories.refresh()
        for one in recorded.kept:
            if one.consent.withdrawn_at is not None or one.consent.answer is Answer.REFUSED:
                await self._stop_use(one)
        return recorded

    async def show(self, office: OfficeId, name: str) -> list[KeptConsent]:
        """The records an office made under its own id. Raises NotFound where there are none."""
        found = self._consents.opened(await self._storage.consents_named(self._group(office, name)))
        if not found:
            raise NotFound("no such consent", remedy="use the id under which your office recorded it")
        return found

    async def _record_undisturbed(self, opened: OpenedNotice) -> Recorded:
        """Again from the beginning where another node recorded something meanwhile: a yes that was prepared beside a no must
        not be written after it. What is recorded already is found and left alone."""
        for _ in range(_MOST_TRIES):
            try:
                return await self._record(opened)
            except _Overtaken:
                continue
        raise Unavailable("too much is recorded at once", remedy="send it again")

    async def _record(self, opened: OpenedNotice) -> Recorded:
        """Raises _Overtaken when the consent epoch is no longer what all this was read under."""
        epoch = (await self._directories.refresh()).epochs.consent
        stored, said = opened.stored, opened.data.get("consent", {})
        name, status = str(said.get("consent_id", "")), str(said.get("status", ""))
        group = self._group(stored.sender, name)
        before = {one.consent.id: one for one in self._consents.opened(await self._storage.consents_named(group))}
        if status == "withdrawn" and before and self._same_giver(opened, said, before.values()):
            over: list[KeptConsent] = []
            for one in before.values():
                over.append(await self._end(one, opened, epoch))
                epoch += over[-1] is not one
            return Recorded(tuple(over), ended=True)
        kept, ended = [], False
        for child, person in self._children(opened):
            one = await self._draft(opened, child, person, said, group)
            known = before.get(one.consent.id)
            ended = ended or known is not None or one.consent.answer is Answer.REFUSED
            if known is not None and (
                _same_words(known.consent, one.consent) or _is_outdated_yes(one, known, opened.stored.id)
            ):
                kept.append(known)
                continue
            answer = one.consent.answer.value
            kept.append(await self._put(one, child.secret, answer, _EVENTS[answer], opened, epoch))
            epoch += 1
        return Recorded(tuple(kept), ended)

    async def _draft(
        self, opened: OpenedNotice, child: KnownPerson, person: Mapping[str, Any], said: JsonObject, group: str
    ) -> KeptConsent:
        """The record as it will be kept. A withdrawal of what nobody recorded here is a no: doubt never opens."""
        stored, at = opened.stored, opened.stored.received_at
        people = list(opened.data.get("persons", ()))
        kind = _giver_kind(said, opened)
        giver = self._giver(said, kind, opened, child)
        on_record = await self._conflicts.of_guardians(opened, people)
        findings = guardian_conflicts(opened.data, on_record=on_record, at=at)
        speaking = candidates(opened.persons, people, findings)
        if giver not in {one.id for one in speaking} and giver != str(child.link.person):
            against = await self._conflicts.of(PersonId(giver)) if is_person(giver) else frozenset()
            doubt = is_person(giver) and is_grave(opened.data)
            speaking.append(Candidate(giver, _KINDS[kind], Conflict.YES if against or doubt else Conflict.NO))
        say = authority_over(
            str(child.link.person),
            possible_age_bands(person, china_day(at)),
            await self._consents.track(child.link.person, opened),
            speaking,
            self._rules(),
        )
        candidate = next((one for one in speaking if one.id == giver), None)
        conflict = Conflict.NO if candidate is None else candidate.conflict
        consent = Consent(
            id=f"{group}-{keyed_digest(self._secret, child.link.person.encode()).hex()[:16]}",
            child=str(child.link.person),
            giver=giver,
            giver_kind=kind,
            answer=Answer.GIVEN if said.get("status") == "given" else Answer.REFUSED,
            standing=standing_of(giver, say, conflict),
            at=at,
            purposes=frozenset(said.get("scope_purposes", ())),
            recipients=frozenset(said.get("recipients", ())),
            text_version=str(said.get("text_version", "")),
            evidence=str(said.get("evidence", "")),
            until=_until(said.get("until")),
        )
        authority = _KINDS[kind] if candidate is None else candidate.kind
        return KeptConsent(
            consent, authority, stored.sender, str(said.get("consent_id", "")), stored.id, EventId(""), child.link.key
        )

    async def _end(self, one: KeptConsent, opened: OpenedNotice, epoch: int) -> KeptConsent:
        """End a yes, or lift a no, from the moment the withdrawal came in. One that is repeated lifts no later no."""
        is_later_no = one.consent.answer is Answer.REFUSED and one.consent.at >= opened.stored.received_at
        if one.consent.withdrawn_at is not None or is_later_no:
            return one
        secret = self._keys.open(one.key)
        if secret is None:
            return one
        ended = withdraw(one.consent, max(opened.stored.received_at, one.consent.at))
        kept = replace(one, consent=ended)
        return await self._put(kept, secret, "withdrawn", EventName.CONSENT_WITHDRAWN, opened, epoch)

    async def _put(
        self, one: KeptConsent, secret: bytes, state: str, name: EventName, opened: OpenedNotice, epoch: int
    ) -> KeptConsent:
        """Store a state that was prepared under consent epoch `epoch`. Raises _Overtaken when that is over."""
        consent, now = one.consent, self._clock.now()
        values: dict[str, LogValue | None] = {
            "consent": consent.id,
            "epoch": epoch + 1,
            "giver_kind": consent.giver_kind.value.replace("_", "-"),
            "purposes": tuple(sorted(consent.purposes)),
            "text_version": consent.text_version if _VERSION.fullmatch(consent.text_version) else None,
        }
        if name is EventName.CONSENT_RECORDED:
            values |= {"offices": tuple(sorted(consent.recipients)), "until": consent.until}
        people = {str(person.get("ref")): person for person in opened.data.get("persons", ())}
        ref = next((ref for ref, known in opened.persons.items() if known.link.person == consent.child), "")
        about = [opened.persons[ref]] if ref else []
        slots = self._teller.slots(about, [people.get(ref, {})], opened.stored.case, china_day(now))
        record = self._teller.event(name, now, values, actor=one.office, persons=slots)
        kept = replace(one, event=record.event_id)
        if (
            await self._storage.put_consent(self._consents.sealed(kept, secret, state, now), (record,), after=epoch)
            is None
        ):
            raise _Overtaken
        return kept

    async def _stop_use(self, one: KeptConsent) -> None:
        """Tell whoever received on the strength of this consent alone: one notice for each notice they received."""
        consent = one.consent
        for notice, _ in await self._notices.notices_of(PersonId(consent.child), STOP_USE_LOOKS_AT):
            summary = await self._notices.summary(notice)
            if summary is None:
                continue
            past = [
                PastDisclosure(status.recipient, status.purpose, status.updated_at, frozenset({consent.id}))
                for status in summary.deliveries
                if status.attempts
                and set(status.legal_basis) <= self._bases()
                and _covers(consent, status.recipient, status.purpose)
            ]
            offices = to_be_told(consent, past)
            if offices:
                told = {
                    "purpose": "P13",
                    "legal_basis": ["L02"],
                    "in_reply_to": summary.id,
                    "consent": {
                        "consent_id": consent.id,
                        "status": "withdrawn" if consent.withdrawn_at is not None else "refused",
                        **({"scope_purposes": sorted(consent.purposes)} if consent.purposes else {}),
                        "recipients": list(offices),
                        "giver_kind": consent.giver_kind.value,
                    },
                }
                said = hashlib.sha256(canonical_json(told)).hexdigest()[:16]
                await self._tell("CON", f"stop-use.{consent.id}.{said}", told)

    def _children(self, opened: OpenedNotice) -> Iterable[tuple[KnownPerson, Mapping[str, Any]]]:
        for person in opened.data.get("persons", ()):
            known = opened.persons.get(str(person.get("ref")))
            if known is not None and "minor" in person.get("roles", ()):
                yield known, person

    def _giver(self, said: JsonObject, kind: GiverKind, opened: OpenedNotice, child: KnownPerson) -> str:
        if kind is GiverKind.MINOR:
            return str(child.link.person)
        known = opened.persons.get(str(said.get("giver")))
        return kind.value if known is None else str(known.link.person)

    def _same_giver(self, opened: OpenedNotice, said: JsonObject, before: Iterable[KeptConsent]) -> bool:
        """Whoever withdraws is the one who spoke; where the notice names nobody, the recording office vouches for it."""
        known = opened.persons.get(str(said.get("giver")))
        return known is None or any(one.consent.giver == str(known.link.person) for one in before)

    def _group(self, office: OfficeId, name: str) -> str:
        return "c" + keyed_digest(self._secret, office.encode(), name.encode()).hex()[:31]


def _giver_kind(said: JsonObject, opened: OpenedNotice) -> GiverKind:
    try:
        return GiverKind(str(said.get("giver_kind")))
    except ValueError:
        return GiverKind.GUARDIAN if str(said.get("giver")) in opened.persons else GiverKind.OTHER


def _covers(consent: Consent, recipient: OfficeId, purpose: str) -> bool:
    """A no without recipients or purposes means all of them."""
    named = not consent.recipients or recipient in consent.recipients or agency_of(recipient) in consent.recipients
    return named and (not consent.purposes or purpose in consent.purposes)


def _same_words(known: Consent, new: Consent) -> bool:
    """Whether a notice says what is on record already, whatever became of it since."""
    return replace(known, withdrawn_at=None, at=new.at, standing=new.standing) == new


def _is_outdated_yes(new: KeptConsent, known: KeptConsent, notice: NoticeId) -> bool:
    """Whether a yes is repeated, or comes to be recorded, after another notice said something else: a retry of an old yes
    opens nothing. A no is never too old: clocks of two nodes may differ, and doubt is a no."""
    stands_since = max(known.consent.at, known.consent.withdrawn_at or known.consent.at)
    return new.consent.answer is Answer.GIVEN and known.notice != notice and new.consent.at <= stands_since


def _until(text: object) -> datetime | None:
    """The end of a consent: a day is included, of a month or a year only what is certain (its beginning)."""
    if not isinstance(text, str):
        return None
    if len(text) > 10:
        return datetime.fromisoformat(text)
    parts = [int(part) for part in text.split("-")]
    day = date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)
    return datetime.combine(day + timedelta(days=int(len(parts) == 3)), time(), CHINA)
