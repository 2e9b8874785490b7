"""May I see this kind of field, and what would I owe for it? The decision point in the AuthZEN form.

An office asks about the policy, for itself: subject is the calling office, the action is
`see` (in a form: a preset's name, any form without one) or `receive`, the resource a
`field` or a `notice_type`, and the context the facts it supposes. What the directory
knows of the office (agency, level, suspension, contract, agreements) is not for it to suppose.

A resource of any other type, a concrete notice above all, is answered with the same bare
no, whether it exists or not: why a notice lacks a field is never told (DESIGN 4).

Obligations follow the AuthZEN obligations profile (draft 1): each is of type `custom`
with `vendor` and `action`. What the caller does not accept, or says it does not
understand, turns the answer into a deny here already, before it could be overlooked there.

Sources: OpenID Authorization API 1.0 (sections 5 to 7), AuthZEN Profile for Obligations, draft 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.model.access import DELIVER, PRESETS, Decision, Facet, Obligation
from gateway.model.agency import Caller, Office, OfficeState
from gateway.model.audit import EventName, LogValue
from gateway.model.errors import NotPermitted
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import UnknownFactValue, facts
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage
from gateway.services.facts import agreement_of, china_day, contract_of, level_of
from gateway.services.tell import Teller

OFFICE, FIELD, NOTICE_TYPE = "office", "field", "notice_type"
SEE, RECEIVE = "see", "receive"
VENDOR = "hutong"
CUSTOM = "custom"
OBLIGATION_TYPES = (CUSTOM,)
_OWN = ("recipient_agency", "recipient_level", "suspended", "contract", "agreement")


@dataclass(frozen=True, slots=True)
class Question:
    """One evaluation. `facts` are supposed by the caller; `understands` None: whatever the office has accepted."""

    subject_type: str
    subject_id: str
    action: str
    form: str
    resource_type: str
    resource_id: str
    facts: Mapping[str, str]
    understands: frozenset[str] | None = None
    has_custom: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """`reason` is a code, and says something of the question or of the policy, never of a notice."""

    decision: bool
    reason: str = ""
    obligations: tuple[Obligation, ...] = ()
    form: str = ""

    def document(self) -> dict[str, Any]:
        context: dict[str, Any] = {}
        if self.reason:
            context["reason"] = self.reason
        if self.form:
            context["form"] = self.form
        if self.obligations:
            context["obligations"] = [
                {"type": CUSTOM, "id": f"obl-{number}", "vendor": VENDOR, "action": duty.name}
                | ({} if duty.value is None else {"value": duty.value})
                for number, duty in enumerate(self.obligations, 1)
            ]
        return {"decision": self.decision, **({"context": context} if context else {})}


class AnswerAccess:
    def __init__(self, *, policy: Callable[[], Policy], log: LogStorage, teller: Teller, clock: Clock) -> None:
        self._policy, self._log, self._teller, self._clock = policy, log, teller, clock

    async def __call__(
        self, caller: Caller, questions: Sequence[Question], stop_at: bool | None = None
    ) -> list[Answered]:
        """Answer in order; with `stop_at`, no further than the first answer of that kind. Logged before it returns.

        Raises NotPermitted when it asks for another office, Unavailable without a policy or a log.
        """
        if any(one.subject_type != OFFICE or one.subject_id != caller.office.id for one in questions):
            raise NotPermitted("an office asks for itself alone", remedy="name the calling office as subject")
        policy, day = self._policy(), china_day(self._clock.now())
        answers: list[Answered] = []
        for question in questions:
            answers.append(answered(question, caller.office, policy, day, caller.purpose))
            if stop_at is not None and answers[-1].decision is stop_at:
                break
        await self._tell(caller, policy, answers)
        return answers

    async def _tell(self, caller: Caller, policy: Policy, answers: Sequence[Answered]) -> None:
        said = {one.decision for one in answers}
        outcome = "mixed" if len(said) > 1 else "permit" if said == {True} else "deny"
        values: dict[str, LogValue | None] = {
            "evaluations": len(answers),
            "policy": policy.hash,
            "purpose": caller.purpose,
            "outcome": outcome,
        }
        now = self._clock.now()
        record = self._teller.event(
            EventName.ACCESS_EVALUATED, now, values, actor=caller.office.id, officer=caller.officer
        )
        await self._log.append([record])


def answered(question: Question, office: Office, policy: Policy, day: date, purpose: str | None) -> Answered:
    """Decide one question under a policy. Total: what cannot be asked is a no with its reason."""
    if (question.action, question.resource_type) not in ((SEE, FIELD), (RECEIVE, NOTICE_TYPE)):
        return Answered(False, "not-answered-here")
    supposed = {name: value for name, value in question.facts.items() if name not in _OWN}
    if purpose is not None and supposed.setdefault("purpose", purpose) != purpose:
        return Answered(False, "purpose-differs-from-the-call")
    name = FieldId(question.resource_id)
    if question.resource_type == NOTICE_TYPE:
        name, supposed = DELIVER, {**supposed, "notice_type": question.resource_id}
    wanted = PRESETS.get(question.form) if question.form else Facet.EXISTS
    if name not in policy.group_of or not wanted:
        return Answered(False, "no-such-field-or-form")
    accepts = office.accepts_obligations
    if question.understands is not None:
        accepts &= question.understands
    if not question.has_custom:
        accepts = frozenset()
    try:
        own = _own(office, policy, supposed.get("purpose"), day)
        asked = facts(policy.vocabulary, {**supposed, **own}, accepts=accepts)
    except UnknownFactValue as wrong:
        return Answered(False, wrong.problems[0].code if wrong.problems else "unknown-fact")
    decision = decide(asked, policy)
    shown = decision.shown(name) if decision.delivers else Facet.NOTHING
    owed = _owed(decision, name, policy) if shown else ()
    if wanted & ~shown or (wanted == Facet.EXISTS and not shown):
        return Answered(False, "policy")
    return Answered(True, "", owed, _name(shown))


def _own(office: Office, policy: Policy, purpose: str | None, day: date) -> dict[str, str]:
    """What the directory knows of the office, in the words of the policy."""
    own = {
        "recipient_agency": office.agency,
        "recipient_level": level_of(office.division),
        "suspended": "no" if office.state is OfficeState.ACTIVE else "yes",
        "contract": contract_of(office, day),
        "agreement": agreement_of(office, policy, purpose, day),
    }
    return {name: value for name, value in own.items() if name in policy.vocabulary.facts}


def _owed(decision: Decision, name: FieldId, policy: Policy) -> tuple[Obligation, ...]:
    """The obligations of the rules that show this field, or let the notice go: names by union, numbers by minimum."""
    granting = {rule for one in (DELIVER, name) if (found := decision.fields.get(one)) for rule in found.because}
    least: dict[str, int | None] = {}
    for rule in policy.rules:
        if rule.id in granting:
            for duty in rule.obligations:
                known = least.get(duty.name)
                values = [value for value in (known, duty.value) if value is not None]
                least[duty.name] = min(values) if values else None
    return tuple(Obligation(duty, value) for duty, value in sorted(least.items()))


def _name(shown: Facet) -> str:
    return next((name for name, facets in PRESETS.items() if facets == shown), "+".join(
        facet.name.lower() for facet in shown if facet.name
    ))  # fmt: skip
