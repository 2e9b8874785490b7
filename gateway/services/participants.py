"""Which other offices of a case may the sender of a notice know of?

Some notices go to whoever takes part in the case (who is active in it, leads it, reported or applied in it, or got the
notice that this one changes). From that list, and from how it grows, a school that a report of the case accuses could
read that there is one (K5, S9). So a school is told of those alone whom it knows by what it sent or got itself, whether
it is accused or not: one answer for both. The notice reaches the others all the same, and the log names them. A trial
(`notices:check`) tells every office no more than that: it leaves no trace, and whoever holds the handle of a case could
ask at leisure who else has to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.model.agency import Office
from gateway.model.identifiers import CaseId, OfficeId
from gateway.policy.routing_rules import RoutingTables, Source
from gateway.ports.storage import NoticeStorage, NoticeSummary
from gateway.services.conflicts import own_school

_BY_CASE = frozenset({Source.ACTIVE, Source.OWNER, Source.REPORTING_UNITS, Source.APPLICANTS, Source.PRIOR_RECIPIENTS})

IsTold = Callable[[str, OfficeId], bool]  # of a rule and the office it leads to


class Participants:
    """`tables` gives those that are in force; what was routed by a rule that is gone since is told of to nobody new."""

    def __init__(self, notices: NoticeStorage, tables: Callable[[], RoutingTables]) -> None:
        self._notices, self._tables = notices, tables
        self._read: RoutingTables | None = None
        self._named = frozenset[str]()  # rules whose recipients follow from the notice itself

    async def told(self, office: Office, case: CaseId, rules: Iterable[str], *, is_trial: bool = False) -> IsTold:
        """Whom of a notice's recipients an office is told of. `rules` are those that its recipients were found by."""
        named = self._named_rules()
        if named.issuperset(rules) or not (is_trial or own_school(office) is not None):
            return lambda _rule, _recipient: True
        known = _known(office.id, await self._notices.summarise(case), named)
        return lambda rule, recipient: rule in named or recipient in known

    def _named_rules(self) -> frozenset[str]:
        tables = self._tables()
        if tables is not self._read:
            rules = (rule for table in tables.by_type.values() for rule in table.rules)
            self._named = frozenset(rule.id for rule in rules if rule.source not in _BY_CASE)
            self._read = tables
        return self._named


def _known(office: OfficeId, summaries: Iterable[NoticeSummary], named: frozenset[str]) -> frozenset[OfficeId]:
    found: set[OfficeId] = set()
    for one in summaries:
        if one.sender == office:
            found.update(status.recipient for status in one.deliveries if status.rule in named)
        elif any(status.recipient == office and status.attempts for status in one.deliveries):
            found.add(one.sender)
    return frozenset(found)
