"""Which other offices of a case may the sender of a notice know of?

Some notices go to whoever takes part in the case (who is active in it, leads it, reported or applied in it, or got the
notice that this one changes). That list, and how it grows, tells who else has to do with a child: a school could read from it
that it was accused (K5, S9), a contractor that the police have a report, anybody who holds the handle of a case what was not
addressed to them (promise 5). So an office is told of those alone whom it knows by what it sent or got itself, of a real notice
as of a trial (`notices:check`), whether it is accused or not: one answer for all. The notice reaches the others all the same;
the log names them, and what becomes of it there is the operators' to see to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.model.identifiers import CaseId, OfficeId
from gateway.policy.routing_rules import RoutingTables, Source
from gateway.ports.storage import NoticeStorage, NoticeSummary

_BY_CASE = frozenset({Source.ACTIVE, Source.OWNER, Source.REPORTING_UNITS, Source.APPLICANTS, Source.PRIOR_RECIPIENTS})

IsTold = Callable[[str, OfficeId], bool]  # of a rule and the office it leads to


class Participants:
    """`tables` gives those that are in force; what was routed by a rule that is gone since is told of to nobody new."""

    def __init__(self, notices: NoticeStorage, tables: Callable[[], RoutingTables]) -> None:
        self._notices, self._tables = notices, tables
        self._read: RoutingTables | None = None
        self._named = frozenset[str]()  # rules whose recipients follow from the notice itself

    def is_named(self, rule: str) -> bool:
        """Whether whoever was found by this rule is named by the notice itself."""
        return rule in self._named_rules()

    async def told(self, office: OfficeId, case: CaseId, rules: Iterable[str]) -> IsTold:
        """Whom of a notice's recipients its sender is told of. `rules` are those that its recipients were found by."""
        named = self._named_rules()
        if named.issuperset(rules):
            return lambda _rule, _recipient: True
        known = _known(office, await self._notices.summarise(case), named)
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
