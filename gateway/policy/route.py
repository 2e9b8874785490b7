"""Who might receive a notice, for which purpose, and by which rule?

`route` asks the tables (`policies/routing/`) and a resolver of competent
offices; it looks at no clock and no store, so a routing can be worked out
again from the same table and directory versions. What a recipient may *see* is
decided later, per delivery; here only the set of offices and the purpose are
fixed, and the purpose cannot change afterwards.

1. May this sender send this? Its agency, its own `sends`, and for withdrawals
   and corrections its part in the original. A report is never refused
   (MPL 11), whoever sends it.
2. Which places does the notice name? The incident, where the child is, lives
   and is registered, where the guardian lives; the sender's own division last.
3. Each rule that applies names offices. An office in conflict (K5), suspended
   or compromised is replaced by its superior; the sender is left out.
4. Each office once, in its strongest role.

A school named in a report of sexual harm or of harm by its own staff counts as
in conflict until an officer clears it (K5, K6): its bureau receives in its
place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Protocol

from gateway.model.agency import Office, OfficeState
from gateway.model.errors import Problem
from gateway.model.geography import Competence, Matter, Place
from gateway.model.identifiers import AgencyName, DivisionCode, NoticeType, OfficeId, parse_office_id
from gateway.model.notice import REPORTS, JsonObject, Recipient, ValidNotice
from gateway.model.routing import CaseContext, Held, Routing
from gateway.policy.places import event_day, places_of
from gateway.policy.routing_rules import (
    EMERGENCY_PROTECTION,
    OWN_DUTY,
    RANK,
    REQUIRED_ROLES,
    SAME_PURPOSE,
    NoticeTable,
    Party,
    RoutingRule,
    RoutingTables,
    Source,
    any_holds,
)
from gateway.policy.stated import FACTS, families, is_true, member, people, texts

_CHINA = timezone(timedelta(hours=8))
_COMMUNITY = AgencyName("community")  # the one agency whose offices stand below the county
_COUNTY_DIGITS = 6
_HARM_BY_STAFF_OR_SEXUAL = frozenset({"H1", "H22"})
_SEXUAL_FLAGS = frozenset({"M1", "M2", "M3"})


class OfficeFinder(Protocol):
    """What routing asks of the directory; `gateway.geography.competent.CompetentOffices` answers."""

    def office(self, office: OfficeId) -> Office | None: ...

    def institution(self, code: str) -> OfficeId | None: ...

    def competent(
        self,
        agency: AgencyName,
        matter: Matter,
        places: tuple[Place, ...],
        event: date,
        on: date,
        conflicted: frozenset[OfficeId] = ...,
    ) -> Competence: ...

    def superior(self, office: OfficeId, on: date, conflicted: frozenset[OfficeId] = ...) -> OfficeId | None: ...

    def line(self, code: str, on: date) -> tuple[DivisionCode, ...]: ...


def route(
    notice: ValidNotice, tables: RoutingTables, directory: OfficeFinder, case: CaseContext, on: datetime
) -> Routing:
    """Say who might receive `notice`, as of `on` (aware; the day is China's).

    Total for a notice of a known type. A notice whose sender may not send it
    has `problems` and no recipients. Recipients are in the order of their
    roles' strength, then of the table.
    """
    sender = notice.notice.sender
    agency = AgencyName(sender.split(".", 1)[0])
    data = notice.notice.data
    table = tables.by_type.get(notice.type)
    if table is None:
        return Routing(problems=(Problem("unknown-type", "/type", "no routing table has this notice type"),))
    facts = {name: FACTS[name](notice, agency, case) for name in table.attributes}
    if notice.type not in REPORTS:
        problem = sender_problem(directory.office(sender), agency, notice.type, tables) or _party_problem(
            table, sender, case, facts
        )
        if problem is not None:
            return Routing(problems=(problem,))
    return _Route(notice, data, sender, agency, tables, directory, case, on).run(table, facts)


def sender_problem(
    office: Office | None, agency: AgencyName, notice_type: NoticeType, tables: RoutingTables
) -> Problem | None:
    """Why this office may not send notices of this type, or None. Reports are open to all."""
    if notice_type in REPORTS:
        return None
    table = tables.by_type.get(notice_type)
    if table is None:
        return Problem("unknown-type", "/type", "no routing table has this notice type")
    if office is not None and office.sends is not None and notice_type not in office.sends:
        return Problem(
            "sender-not-permitted",
            "/type",
            f"this office is not enrolled to send `{notice_type}`",
            "ask the gateway's operator",
        )
    if table.senders is not None and agency not in table.senders:
        return Problem(
            "sender-not-permitted",
            "/type",
            f"`{agency}` does not send `{notice_type}`",
            f"senders are {', '.join(sorted(table.senders))}; a finding of harm goes as RPT or RPT-M",
        )
    return None


def _party_problem(
    table: NoticeTable, sender: OfficeId, case: CaseContext, facts: Mapping[str, frozenset[str]]
) -> Problem | None:
    if table.party is not Party.ANYONE:
        prior = case.prior
        allowed = set[str]()
        if prior is not None:
            allowed.add(prior.sender)
            if table.party is Party.ORIGINAL_PARTY:
                allowed.update(recipient.office for recipient in prior.recipients)
        if sender not in allowed:
            return Problem(
                "not-a-party",
                "/data/supersedes",
                f"`{table.type}` comes from {table.party.value.replace('_', ' ')} of the notice it names",
                "name the original by its id in `supersedes`",
            )
    for refusal in table.refusals:
        if any_holds(refusal.where, facts):
            return Problem(
                "recall-not-permitted",
                "/type",
                f"{refusal.title_zh} / {refusal.title_en} (rule {refusal.id})",
                refusal.remedy,
            )
    return None


class _Route:
    """One routing while it is worked out."""

    __slots__ = (
        "agency", "case", "conflicted", "data", "directory", "event", "flags", "found", "held", "notice", "on", "places",
        "sender", "tables",
    )  # fmt: skip

    def __init__(
        self,
        notice: ValidNotice,
        data: JsonObject,
        sender: OfficeId,
        agency: AgencyName,
        tables: RoutingTables,
        directory: OfficeFinder,
        case: CaseContext,
        on: datetime,
    ) -> None:
        self.notice = notice
        self.data = data
        self.sender = sender
        self.agency = agency
        self.tables = tables
        self.directory = directory
        self.case = case
        self.on = on.astimezone(_CHINA).date()
        self.event = event_day(data, self.on)
        self.places = places_of(notice, case)
        self.flags: list[str] = []
        self.conflicted = self._conflicted()
        self.found: dict[OfficeId, tuple[int, Recipient]] = {}
        self.held: list[Held] = []

    def run(self, table: NoticeTable, facts: Mapping[str, frozenset[str]]) -> Routing:
        for rule in table.rules:
            if (rule.where or rule.unless) and not rule.applies(facts):
                continue
            if rule.setting is not None and not self._is_on(rule.setting):
                continue
            if rule.source is Source.COMPETENT:
                for agency in rule.agencies or ():
                    self._competent(rule, agency)
            else:
                self._listed(rule)
        if not self.found and not self.held and not self.flags:
            self.flags.append("nobody")
        ordered = sorted(self.found.values(), key=_by_rank)
        return Routing(
            tuple([recipient for _, recipient in ordered]), tuple(self.held), tuple(dict.fromkeys(self.flags))
        )

    def _competent(self, rule: RoutingRule, agency: AgencyName) -> None:
        assert rule.matter is not None
        answer = self.directory.competent(agency, rule.matter, self.places, self.event, self.on, self.conflicted)
        office = answer.office
        if answer.flags:
            self.flags.extend(answer.flags)
        if rule.reach_suspended:
            for stepped, reason in answer.stepped_over:
                if reason == "suspended" and stepped != self.sender:
                    self._add(Recipient(stepped, rule.id, rule.purpose, rule.legal_basis, rule.role, 0, answer.trace))
        if office is None:
            self._missing(rule, agency, answer)
        elif office == self.sender:
            self.flags.append(f"sender-is-competent:{rule.id}")
        else:
            self._add(
                Recipient(
                    office, rule.id, rule.purpose, rule.legal_basis, rule.role, answer.fallback_level, answer.trace
                )
            )

    def _missing(self, rule: RoutingRule, agency: AgencyName, answer: Competence) -> None:
        if rule.role not in REQUIRED_ROLES:
            self.flags.append(f"not-registered:{rule.id}")
            return
        meant = self._meant(agency, answer.division or DivisionCode(self.sender.split(".", 2)[1]))
        self.held.append(
            Held("region_unresolved", rule.id, rule.purpose, meant, rule.legal_basis, answer.told, answer.trace)
        )
        centre = answer.call_centre
        if self.notice.urgency == 2 and centre is not None and centre != self.sender:
            self._add(Recipient(centre, rule.id, rule.purpose, rule.legal_basis, rule.role, 0, answer.trace))

    def _meant(self, agency: AgencyName, division: DivisionCode) -> OfficeId:
        """The office that ought to be competent: of the committee or station itself, else of the county above it."""
        if agency == _COMMUNITY:
            return OfficeId(f"{agency}.{division}")
        county = next(
            (code for code in self.directory.line(division, self.on) if len(code) == _COUNTY_DIGITS), division[:6]
        )
        return OfficeId(f"{agency}.{county}")

    def _listed(self, rule: RoutingRule) -> None:
        for office, before in self._offices(rule):
            settled = self._settle(office)
            if settled is None:
                self.held.append(
                    Held(
                        "conflict_check",
                        rule.id,
                        rule.purpose,
                        office,
                        rule.legal_basis,
                        (),
                        (f"stepped-over:{office}",),
                    )
                )
                continue
            if settled == self.sender:
                continue
            if rule.agencies is not None and settled.split(".", 1)[0] not in rule.agencies:
                continue
            purpose, basis = rule.purpose, rule.legal_basis
            if purpose == SAME_PURPOSE:
                if before is None:
                    continue
                purpose, basis = before.purpose, before.legal_basis
            elif purpose == OWN_DUTY:
                purpose = self.tables.duties.get(AgencyName(settled.split(".", 1)[0]), EMERGENCY_PROTECTION)
            self._add(Recipient(settled, rule.id, purpose, basis, rule.role))

    def _offices(self, rule: RoutingRule) -> Iterator[tuple[OfficeId, Recipient | None]]:
        """The offices a source names, each with how it was routed before where the source knows."""
        case, source = self.case, rule.source
        prior = case.prior
        if source is Source.PRIOR_SENDER:
            yield from _bare(() if prior is None else (prior.sender,))
        elif source is Source.PRIOR_RECIPIENTS:
            yield from ((recipient.office, recipient) for recipient in (() if prior is None else prior.recipients))
        elif source is Source.ACTIVE:
            yield from ((recipient.office, recipient) for recipient in case.active)
        elif source is Source.OWNER:
            yield from _bare(() if case.owner is None else (case.owner,))
        elif source is Source.REPORTING_UNITS:
            yield from _bare(case.reporting_units)
        elif source is Source.APPLICANTS:
            yield from _bare(case.applicants)
        elif source is Source.SUPERVISOR:
            if self.sender.count(".") > 1:
                yield from _bare(self._above(self.sender))
        elif source is Source.SUPERIOR:
            yield from _bare(self._above(self.sender))
        elif source is Source.NAMED:
            yield from _bare(self._named(rule, "requested_recipients", self.data.get("requested_recipients")))
        elif source is Source.NAMED_SUPERIOR:
            for office in self._named(rule, "requested_recipients", self.data.get("requested_recipients")):
                yield from _bare(self._above(office))
        elif source is Source.TARGET:
            yield from _bare(self._named(rule, "transfer/target", [member(self.data, "transfer").get("target")]))
        elif source is Source.CONSENT:
            yield from _bare(self._named(rule, "consent/recipients", member(self.data, "consent").get("recipients")))
        else:  # EXECUTORS
            measures = self.data.get("measures")
            named = (
                [item.get("executor") for item in measures if isinstance(item, dict)]
                if isinstance(measures, list)
                else []
            )
            yield from _bare(self._named(rule, "measures", named))

    def _named(self, rule: RoutingRule, position: str, value: object) -> Iterator[OfficeId]:
        """Office ids that a sender wrote: registered ones of an allowed agency; the others are flagged by position."""
        if not isinstance(value, list):
            return
        for index, item in enumerate(value):
            if item is None:
                continue
            office = _office_id(item) if isinstance(item, str) else None
            if office is None or self.directory.office(office) is None:
                self.flags.append(f"requested-unknown:/data/{position}/{index}")
            elif rule.agencies is not None and office.split(".", 1)[0] not in rule.agencies:
                self.flags.append(f"requested-not-permitted:/data/{position}/{index}")
            else:
                yield office

    def _above(self, office: OfficeId) -> tuple[OfficeId, ...]:
        above = self.directory.superior(office, self.on, self.conflicted)
        return () if above is None else (above,)

    def _settle(self, office: OfficeId) -> OfficeId | None:
        """The office itself, or its usable superior when it may not receive; None when there is none."""
        known = self.directory.office(office)
        if office not in self.conflicted and known is not None and known.state is OfficeState.ACTIVE:
            return office
        if known is None:
            self.flags.append(f"not-registered:{office}")
        elif office in self.conflicted:
            self.flags.append(f"conflict:{office}")
        return self.directory.superior(office, self.on, self.conflicted)

    def _add(self, recipient: Recipient) -> None:
        rank = RANK[recipient.role]
        before = self.found.get(recipient.office)
        if before is None or rank < before[0]:
            self.found[recipient.office] = (rank, recipient)

    def _is_on(self, name: str) -> bool:
        setting = self.tables.settings[name]
        if not setting.exceptions:
            return setting.default
        for place in self.places:
            line = self.directory.line(place.code, self.on)
            if line:
                return setting.is_on(line)
        return setting.default

    def _conflicted(self) -> frozenset[OfficeId]:
        known = self.case.conflicted
        if not is_true(member(self.data, "place").get("school_related")):
            return known
        harm = member(self.data, "harm")
        if families(harm.get("types")).isdisjoint(_HARM_BY_STAFF_OR_SEXUAL) and texts(harm.get("m_flags")).isdisjoint(
            _SEXUAL_FLAGS
        ):
            return known
        accused = set(known)
        for person in people(self.data):
            code = member(person, "school").get("code")
            office = self.directory.institution(code) if isinstance(code, str) else None
            if office is not None:
                accused.add(office)
                self.flags.append(f"conflict:{office}")
        return frozenset(accused)


@lru_cache(maxsize=4096)
def _office_id(text: str) -> OfficeId | None:
    try:
        return parse_office_id(text)
    except ValueError:
        return None


def _by_rank(entry: tuple[int, Recipient]) -> int:
    return entry[0]


def _bare(offices: Iterable[OfficeId]) -> Iterator[tuple[OfficeId, None]]:
    return ((office, None) for office in offices)
