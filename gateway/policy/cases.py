"""Do the worked decisions of `policies/cases/` come out as their authors wrote them, and what do they not touch?

A case gives facts (what is left out is unknown) and says what must be shown
and what must not, so that a policy author can pin a decision without writing
code:

    kind: cases
    scenario: S1
    title: {zh: ..., en: ...}
    cases:
      - id: s1-hospital-report-to-police
        title: {zh: ..., en: ...}
        facts: {recipient_agency: police, notice_type: RPT-M, ...}
        accepts: all                       or a list of obligations; nothing is accepted when left out
        delivers: yes
        shows: {minor-identity: clear}     exactly these facets
        at_least: {harm-type: presence}    these facets and maybe more
        at_most: {measures: generalise}    these facets or fewer
        hides: [reporter-identity]         nothing at all
        because: {harm.narrative: narrative-investigation}

Coverage counts rules that decided something in some case, and outcomes (the
different answers a group of fields can give) that some case met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.model.access import DELIVER, PRESETS, Facet
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import FieldId, RuleId
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.disclosure_document import FACETS
from gateway.policy.facts import Facts, UnknownFactValue, facts
from gateway.policy.reading import Node, Problems, read_files
from gateway.policy.rows import facet_names
from gateway.policy.vocabulary import Origin, Text

_CLAIMS: Mapping[str, Callable[[Facet, Facet], bool]] = {
    "shows": lambda shown, claimed: shown == claimed,
    "at_least": lambda shown, claimed: not claimed & ~shown,
    "at_most": lambda shown, claimed: not shown & ~claimed,
}


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    scenario: str
    title: Text
    facts: Facts
    delivers: bool | None
    claims: tuple[tuple[str, FieldId, Facet], ...]
    because: tuple[tuple[FieldId, RuleId], ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Miss:
    """One claim that does not hold."""

    case: str
    origin: Origin
    claim: str
    field: FieldId
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class CaseReport:
    cases: int
    misses: tuple[Miss, ...]
    rules_hit: frozenset[RuleId]
    rules_untouched: tuple[RuleId, ...]
    outcomes_met: int
    outcomes: int

    @property
    def holds(self) -> bool:
        return not self.misses


class _CaseReader:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.ids: dict[str, Origin] = {}

    def file(self, root: Node) -> list[Case]:
        read = root.members(required=frozenset({"kind", "scenario", "title", "cases"}))
        if "title" in read:
            read["title"].title()
        scenario = read["scenario"].text() if "scenario" in read else ""
        found = [self.case(item, scenario) for item in (read["cases"].items() if "cases" in read else [])]
        return [case for case in found if case is not None]

    def fields(self, text: str, node: Node) -> list[FieldId]:
        document = self.policy.document
        if text in document.groups:
            return sorted(document.groups[text])
        if FieldId(text) not in document.catalogue:
            node.problem("unknown-field", f"there is no field or field group `{text}`")
            return []
        return [FieldId(text)]

    def facets(self, node: Node) -> Facet:
        if node.is_scalar:
            return node.one_of(PRESETS, "preset") or Facet.NOTHING
        shown = Facet.NOTHING
        for text, item in node.texts():
            if text not in FACETS:
                item.problem("unknown-value", f"`{text}` is not a known facet", f"one of: {', '.join(FACETS)}")
            else:
                shown |= FACETS[text] | Facet.EXISTS
        return shown

    def accepts(self, node: Node | None) -> frozenset[str]:
        known = self.policy.vocabulary.obligations
        if node is None:
            return frozenset()
        if node.is_scalar and node.text() == "all":
            return frozenset(known)
        for text, item in node.texts():
            if text not in known:
                item.problem("unknown-value", f"there is no obligation `{text}`", f"one of: {', '.join(known)}")
        return frozenset(text for text, _ in node.texts())

    def asked(self, node: Node, accepts: frozenset[str]) -> Facts | None:
        values: dict[str, str | list[str]] = {}
        for name, (_, value) in node.entries().items():
            found = [text for text, _ in value.texts()]
            values[name] = found[0] if len(found) == 1 else found
        try:
            return facts(self.policy.vocabulary, values, accepts=accepts)
        except UnknownFactValue as error:
            for problem in error.problems:
                node.problem(problem.code, problem.message)
            return None

    def case(self, node: Node, scenario: str) -> Case | None:
        read = node.members(
            required=frozenset({"id", "title", "facts"}),
            optional=frozenset({"accepts", "delivers", "hides", "because", *_CLAIMS}),
        )
        if not {"id", "title", "facts"} <= read.keys():
            return None
        name = read["id"].text()
        if name in self.ids:
            read["id"].problem("duplicate-id", f"the id `{name}` is already taken at {self.ids[name]}")
        self.ids[name] = read["id"].origin
        asked = self.asked(read["facts"], self.accepts(read.get("accepts")))
        claims: list[tuple[str, FieldId, Facet]] = []
        for claim in _CLAIMS:
            for text, (key, value) in (read[claim].entries() if claim in read else {}).items():
                wanted = self.facets(value)
                claims.extend((claim, field_id, wanted) for field_id in self.fields(text, key))
        for text, item in read["hides"].texts() if "hides" in read else []:
            claims.extend(("shows", field_id, Facet.NOTHING) for field_id in self.fields(text, item))
        because: list[tuple[FieldId, RuleId]] = []
        rules = {rule.id for rule in self.policy.rules}
        for text, (key, value) in (read["because"].entries() if "because" in read else {}).items():
            for rule, item in value.texts():
                if rule not in rules:
                    item.problem("unknown-rule", f"there is no rule `{rule}` in force")
                because.extend((field_id, RuleId(rule)) for field_id in self.fields(text, key))
        delivers = read["delivers"].boolean() if "delivers" in read else None
        if not claims and not because and delivers is None:
            node.problem("idle-case", "a case that claims nothing proves nothing")
        if asked is None:
            return None
        return Case(
            name, scenario, read["title"].title(), asked, delivers, tuple(claims), tuple(because), read["id"].origin
        )


def read_cases(files: Mapping[str, str], policy: Policy) -> tuple[Case, ...]:
    """Read the files of kind `cases` (others are skipped). Raises InvalidDocument with every problem found."""
    problems = Problems()
    reader = _CaseReader(policy)
    cases: list[Case] = []
    for _, root in read_files(files, problems):
        kind = root.entries().get("kind") if root.is_mapping else None
        if kind is not None and kind[1].is_scalar and kind[1].text() == "cases":
            cases.extend(reader.file(root))
    if problems.found:
        raise InvalidDocument("the worked cases are wrong", problems=tuple(problems.found))
    return tuple(cases)


def run_cases(cases: tuple[Case, ...], policy: Policy) -> CaseReport:
    """Decide every case and compare; with coverage of rules and of outcomes."""
    misses: list[Miss] = []
    hit: set[RuleId] = set()
    met: set[tuple[int, int]] = set()
    for case in cases:
        decision = decide(case.facts, policy)
        for found in decision.fields.values():
            hit.update(found.because)
            hit.update(found.cut_by)
        if decision.delivers:
            met.update((group.number, decision.shown(group.fields[0])) for group in policy.groups)
        if case.delivers is not None and decision.delivers != case.delivers:
            wanted, found_text = ("yes", "no") if case.delivers else ("no", "yes")
            misses.append(Miss(case.id, case.origin, "delivers", DELIVER, wanted, found_text))
        for claim, field_id, wanted_facets in case.claims:
            shown = decision.shown(field_id)
            if not _CLAIMS[claim](shown, wanted_facets):
                misses.append(Miss(case.id, case.origin, claim, field_id, _words(wanted_facets), _words(shown)))
        for field_id, rule in case.because:
            decided = decision.fields.get(field_id)
            rules = (*decided.because, *decided.cut_by) if decided else ()
            if rule not in rules:
                misses.append(Miss(case.id, case.origin, "because", field_id, rule, ", ".join(rules) or "-"))
    outcomes = {(group.number, answer.shown) for group in policy.groups for answer in group.answers.values()}
    return CaseReport(
        cases=len(cases),
        misses=tuple(misses),
        rules_hit=frozenset(hit),
        rules_untouched=tuple(rule.id for rule in policy.rules if rule.id not in hit),
        outcomes_met=len(met & outcomes),
        outcomes=len(outcomes),
    )


def _words(shown: Facet) -> str:
    names = facet_names(shown)
    return names if isinstance(names, str) else "+".join(names)
