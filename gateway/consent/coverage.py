"""Does a consent stand behind this disclosure, to this recipient, for this purpose, now?

The answer is one of a closed list, the fact `consent` of the policy. How several records combine (the algebra of
facets, in small):

1. What rests on a statutory duty or an emergency needs no consent, and no withdrawal blocks it (PIPL 13, 15).
2. A record speaks only if its giver had a say when it was recorded and has one now: age and conflict are judged at
   the event and at the disclosure. A guardian in conflict at either counts for nothing, yes and no alike (K2).
3. Any applicable no limits, whatever else was said and whenever: a later broad yes does not bury a narrow no. Only
   the one who said no lifts it, by withdrawing it.
4. Else one applicable yes, with text and evidence, not expired, is enough.

The order of the records and repetition do not matter. A stale snapshot of the records is `unknown`, which to the
policy means any of the values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.consent.authority import Authority
from gateway.consent.conflict import Conflict
from gateway.consent.ledger import Answer, Consent, Standing
from gateway.model.consent import BY_LAW
from gateway.model.identifiers import FieldId, OfficeId, agency_of


class ConsentState(StrEnum):
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    NONE = "none"
    NOT_NEEDED = "not_needed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Question:
    """One intended disclosure. `at` is its instant, `read_at` when the records were read; both aware.

    `needs_consent` is false where a statutory duty or an emergency carries the purpose. `fields` None asks for all
    that the purpose needs.
    """

    child: str
    recipient: OfficeId
    purpose: str
    at: datetime
    read_at: datetime
    needs_consent: bool = True
    fields: frozenset[FieldId] | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The state, and the ids of the records that made it so, sorted, for the log and the disclosure ledger."""

    state: ConsentState
    because: tuple[str, ...] = ()


def covers(
    question: Question,
    consents: Iterable[Consent],
    authority: Authority,
    *,
    longest_snapshot_age: timedelta = BY_LAW.snapshot,
) -> Coverage:
    """Say whether consent stands behind a disclosure. `authority` is that at `question.at`. Total.

    Records of other children, purposes or recipients are no part of the answer.
    """
    if not question.needs_consent:
        return Coverage(ConsentState.NOT_NEEDED)
    if question.at - question.read_at > longest_snapshot_age:
        return Coverage(ConsentState.UNKNOWN)
    mine = [one for one in consents if one.child == question.child and one.at <= question.at]
    speaking = [one for one in mine if _has_a_say(one, authority)]
    by_state: dict[ConsentState, set[str]] = {}
    for one in speaking:
        state = _state_of(one, question)
        if state is ConsentState.WITHDRAWN and _given_again(one, speaking, question):
            continue
        if state is not None:
            by_state.setdefault(state, set()).add(one.id)
    for state in (ConsentState.REFUSED, ConsentState.WITHDRAWN, ConsentState.GIVEN, ConsentState.EXPIRED):
        if state in by_state:
            return Coverage(state, tuple(sorted(by_state[state])))
    return Coverage(ConsentState.NONE)


def covers_as_one(
    question: Question,
    others: Iterable[tuple[str, Authority]],
    consents: Iterable[Consent],
    authority: Authority,
    *,
    longest_snapshot_age: timedelta = BY_LAW.snapshot,
) -> Coverage:
    """The same for a child who is on record as several persons: `others` are the further ones, each with who has a say.

    A yes counts for the person it was given for and opens nothing for another; a no holds for all of them, and so does
    a withdrawal, unless the same giver has said yes for the child asked about since then.
    """
    kept = list(consents)
    found = covers(question, kept, authority, longest_snapshot_age=longest_snapshot_age)
    own = [one for one in kept if one.child == question.child and _has_a_say(one, authority)]
    limits: dict[ConsentState, set[str]] = {found.state: set(found.because)}
    for other, say in others:
        theirs = covers(replace(question, child=other), kept, say)
        because = set(theirs.because)
        if theirs.state is ConsentState.WITHDRAWN:
            because -= {one.id for one in kept if one.id in because and _given_again(one, own, question)}
        if theirs.state in (ConsentState.REFUSED, ConsentState.WITHDRAWN) and because:
            limits.setdefault(theirs.state, set()).update(because)
    state = next((one for one in (ConsentState.REFUSED, ConsentState.WITHDRAWN) if one in limits), found.state)
    return Coverage(state, tuple(sorted(limits[state])))


def standing_of(giver: str, authority: Authority, conflict: Conflict = Conflict.NO) -> Standing:
    """What an answer is worth as it is recorded: `authority` and `conflict` are those at the event."""
    if conflict is Conflict.YES:
        return Standing.CONFLICTED
    if giver in authority.may_consent:
        return Standing.ENTITLED
    return Standing.MAY_REFUSE if giver in authority.may_refuse else Standing.NOT_ENTITLED


def _has_a_say(one: Consent, authority: Authority) -> bool:
    """At the event (as recorded) and now. A yes needs the right to consent at both; a no the right to refuse at both."""
    if one.answer is Answer.GIVEN:
        return one.standing is Standing.ENTITLED and one.giver in authority.may_consent
    return one.standing in (Standing.ENTITLED, Standing.MAY_REFUSE) and one.giver in authority.may_refuse


def _state_of(one: Consent, question: Question) -> ConsentState | None:
    """What this record alone says of the question; None when it says nothing about it."""
    is_yes = one.answer is Answer.GIVEN
    named = question.recipient in one.recipients or agency_of(question.recipient) in one.recipients
    if not (named or (not is_yes and not one.recipients)):
        return None
    if not (question.purpose in one.purposes or (not is_yes and not one.purposes)):
        return None
    is_withdrawn = one.withdrawn_at is not None and one.withdrawn_at <= question.at
    if not is_yes:
        touches = one.fields is None or question.fields is None or not one.fields.isdisjoint(question.fields)
        is_over = is_withdrawn or (one.until is not None and one.until <= question.at)
        return ConsentState.REFUSED if touches and not is_over else None
    if not (one.text_version and one.evidence):
        return None
    if one.fields is not None and (question.fields is None or not question.fields <= one.fields):
        return None  # a yes to some fields is none to all that the purpose needs
    if is_withdrawn:
        return ConsentState.WITHDRAWN
    if one.until is not None and one.until <= question.at:
        return ConsentState.EXPIRED
    return ConsentState.GIVEN


def _given_again(withdrawn: Consent, consents: Iterable[Consent], question: Question) -> bool:
    """Whether the same giver has said yes to this question anew after withdrawing."""
    return any(
        one.giver == withdrawn.giver
        and withdrawn.withdrawn_at is not None
        and one.at >= withdrawn.withdrawn_at
        and _state_of(one, question) is ConsentState.GIVEN
        for one in consents
    )
