"""Which other offices of a case may the sender of a notice know of?

Some notices go to whoever takes part in the case (who is active in it, leads it, reported or applied in it). From that list,
and from how it grows, a school that a report of the case accuses could read that there is one (K5, S9). So a school is told
of those alone whom it knows by what it sent or got itself, whether it is accused or not: one answer for both. The notice
reaches the others all the same, and the log names them. A trial (`notices:check`) tells every office no more than that: it
leaves no trace, and whoever holds the handle of a case could ask at leisure who else has to do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.model.agency import Office
from gateway.model.identifiers import CaseId, OfficeId
from gateway.policy.routing_rules import RoutingTables, Source
from gateway.ports.storage import NoticeStorage, NoticeSummary
from gateway.services.conflicts import own_school

_BY_CASE = frozenset({Source.ACTIVE, Source.OWNER, Source.REPORTING_UNITS, Source.APPLICANTS})

IsTold = Callable[[str, OfficeId], bool]  # of a rule and the office it leads to


class Participants:
    def __init__(self, notices: NoticeStorage, tables: RoutingTables) -> None:
        self._notices = notices
        rules = (rule for table in tables.by_type.values() for rule in table.rules)
        self._by_case = frozenset(rule.id for rule in rules if rule.source in _BY_CASE)

    async def told(self, office: Office, case: CaseId, rules: Iterable[str], *, is_trial: bool = False) -> IsTold:
        """Whom of a notice's recipients an office is told of. `rules` are those that its recipients were found by."""
        if self._by_case.isdisjoint(rules) or not (is_trial or own_school(office) is not None):
            return lambda _rule, _recipient: True
        known = self._known(office.id, await self._notices.summarise(case))
        return lambda rule, recipient: rule not in self._by_case or recipient in known

    def _known(self, office: OfficeId, summaries: Iterable[NoticeSummary]) -> frozenset[OfficeId]:
        found: set[OfficeId] = set()
        for one in summaries:
            if one.sender == office:
                found.update(status.recipient for status in one.deliveries if status.rule not in self._by_case)
            elif any(status.recipient == office and status.attempts for status in one.deliveries):
                found.add(one.sender)
        return frozenset(found)
