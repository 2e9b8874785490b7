"""Does the policy keep what it declares, under every facts it could be asked with?

Proved when a policy is loaded, over all matches of the groups involved,
UNKNOWN facts included; exact over the modelled facts:

    implies    no field is shown whose value tells a hidden field
    direction  going the declared way (conflict, withdrawal, end of an emergency) never shows more
    hidden     no outcome depends on a fact that tells a field the recipient does not see
    dead       every permit shows something that would be hidden without it
    no-rule    every field of the catalogue may be seen by somebody, or is withheld from all by a limit
    floor      a report of harm shows the competent police at least what `report_floor` names, under any facts

Floors hold by construction (they are joined last, and obligations do not
touch them); the loader refuses floors that could be undone. A limit that binds
nothing today is a *guard*: reported, not refused. A failure is an error unless
a waiver with a reason covers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.model.access import Facet
from gateway.model.errors import Problem
from gateway.model.identifiers import FieldId, RuleId
from gateway.policy.compiled import Group, Policy
from gateway.policy.masks import reachable
from gateway.policy.report_floor import hidden_from_police
from gateway.policy.rows import Row, describe, fields_text, merge_rows
from gateway.policy.rules import Direction, RuleKind, Waiver
from gateway.policy.space import Space, SpaceTooLarge, Tables, with_marks
from gateway.policy.vocabulary import UNKNOWN, Origin, Text

MAX_ROWS = 6
_TELLING = int(Facet.COARSE | Facet.PARTIAL | Facet.FULL | Facet.SUMMARY)


@dataclass(frozen=True, slots=True)
class Failure:
    """One promise that does not hold: where it was made or broken, and in which circumstances."""

    proof: str
    of: str
    origin: Origin
    fields: tuple[FieldId, ...]
    message: Text
    rows: tuple[Row, ...] = ()
    more_rows: bool = False

    def as_problem(self, policy: Policy) -> Problem:
        told = "".join(f"\n    {describe(row, policy.document)}" for row in self.rows)
        if self.more_rows:
            told += "\n    …… / and more"
        remedies = {
            "implies": "couple the fields, or write a waiver with the reason",
            "direction": "narrow the permit, add a limit, or write a waiver with the reason",
            "hidden": "let the rule not look at this fact, or write a waiver with the reason",
            "dead": "remove the permit, or narrow the others",
            "no-rule": "permit it to somebody, or withhold it by a limit",
            "floor": "put these fields into a floor without `unless` and without an end",
        }
        return Problem(f"proof-{self.proof}", str(self.origin), f"{self.message}{told}", remedies[self.proof])


@dataclass(frozen=True, slots=True)
class Guard:
    """A limit that takes nothing away today."""

    rule: RuleId
    origin: Origin


@dataclass(frozen=True, slots=True)
class Proofs:
    failures: tuple[Failure, ...]
    guards: tuple[Guard, ...]
    waivers_used: frozenset[str]
    checked: int  # matches looked at


class _Prover:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.failures: list[Failure] = []
        self.used: set[str] = set()
        self.checked = 0

    # -- shared ------------------------------------------------------------------------------------------------

    def waivers(self, proof: str, of: Iterable[str], fields: Iterable[FieldId], told: FieldId | None) -> list[Waiver]:
        names, asked = set(of), set(fields)
        return [
            waiver
            for waiver in self.policy.document.waivers
            if waiver.proof == proof
            and (not waiver.of or waiver.of in names)
            and (not waiver.fields or asked <= waiver.fields)
            and (not waiver.tells or told in waiver.tells)
        ]

    def marked(self, mask: int, waivers: Sequence[Waiver], without: str = "") -> tuple[dict[str, dict[str, int]], int]:
        """Tables with one bit more per waiver, and the mask of those bits."""
        offset = mask.bit_length()
        boxes = [{name: values for name, values in waiver.where.items() if name != without} for waiver in waivers]
        tables = with_marks(self.policy.tables, mask, offset, boxes)
        tables.pop(without, None)
        return tables, ((1 << len(waivers)) - 1) << offset

    def violations(
        self,
        tables: Tables,
        mask: int,
        marks: int,
        waivers: Sequence[Waiver],
        fails: Callable[[int], tuple[int, int] | None],
    ) -> bool:
        """Whether some reachable match fails and no waiver covers it; notes the waivers that were needed."""
        found = False
        for match in reachable(tables, mask | marks):
            self.checked += 1
            if fails(match) is not None:
                waived = match & marks
                if waived:
                    base = mask.bit_length()
                    self.used.update(waiver.id for i, waiver in enumerate(waivers) if waived >> (base + i) & 1)
                else:
                    found = True
        return found

    def rows(
        self,
        tables: Tables,
        mask: int,
        marks: int,
        fields: Sequence[FieldId],
        fails: Callable[[int], tuple[int, int] | None],
    ) -> tuple[tuple[Row, ...], bool]:
        try:
            space = Space(tables, mask | marks)
        except SpaceTooLarge:
            return (), True
        rows: list[Row] = []
        more = False
        for (before, after), cells in space.partition(lambda match: None if match & marks else fails(match)).items():
            boxes = space.cover(cells, MAX_ROWS + 1)
            more = more or len(boxes) > MAX_ROWS
            rows.extend(Row(tuple(fields), box, Facet(before), Facet(after)) for box in boxes[:MAX_ROWS])
        merged = merge_rows(rows)
        return merged[:MAX_ROWS], more or len(merged) > MAX_ROWS

    # -- implies -----------------------------------------------------------------------------------------------

    def implies(self) -> None:
        cases: dict[tuple[int, int, int, int, Origin, frozenset[str]], tuple[list[FieldId], list[FieldId]]] = {}
        for declared in self.policy.document.implications:
            source, told = self.policy.group(declared.field), self.policy.group(declared.told)
            waivers = self.waivers("implies", (declared.id,), (declared.field,), declared.told)
            key = (
                source.number,
                told.number,
                int(declared.facet),
                int(declared.told_facet),
                declared.origin,
                frozenset(waiver.id for waiver in waivers),
            )
            fields, tolds = cases.setdefault(key, ([], []))
            fields.append(declared.field)
            tolds.append(declared.told)
        verdicts: dict[tuple[object, ...], bool] = {}
        for (a, b, facet, told_facet, origin, ids), (fields, tolds) in cases.items():
            source, target = self.policy.groups[a], self.policy.groups[b]
            waivers = [waiver for waiver in self.policy.document.waivers if waiver.id in ids]
            mask = source.mask | target.mask
            tables, marks = self.marked(mask, waivers)

            def fails(
                match: int,
                source: Group = source,
                target: Group = target,
                facet: int = facet,
                told_facet: int = told_facet,
            ) -> tuple[int, int] | None:
                shown = source.answers[match & source.mask].shown
                if not shown & facet:
                    return None
                hidden = target.answers[match & target.mask].shown
                return None if hidden & told_facet else (shown, hidden)

            verdict_key = (a, b, facet, told_facet, ids)
            if verdict_key not in verdicts:
                verdicts[verdict_key] = self.violations(tables, mask, marks, waivers, fails)
            if verdicts[verdict_key]:
                rows, more = self.rows(tables, mask, marks, sorted(set(fields)), fails)
                what = fields_text(sorted(set(fields)), self.policy.document)
                told_text = fields_text(sorted(set(tolds)), self.policy.document)
                message = Text(
                    f"披露{what.zh}会透露未披露的{told_text.zh}",
                    f"showing {what.en} tells what is not shown: {told_text.en}",
                )
                self.failures.append(
                    Failure(
                        "implies",
                        f"{fields[0]} -> {tolds[0]}",
                        self._shown_by(source, origin),
                        tuple(fields),
                        message,
                        rows,
                        more,
                    )
                )

    def _shown_by(self, group: Group, declared: Origin) -> Origin:
        """The line to mend: the declaration in a policy file, or the first permit that shows the telling field."""
        if not declared.file.startswith("schemas:"):
            return declared
        permits = [rule.origin for rule in group.rules if rule.kind is not RuleKind.LIMIT and rule.facets & Facet.FULL]
        return min(permits, key=lambda origin: (origin.file, origin.line)) if permits else declared

    # -- direction ---------------------------------------------------------------------------------------------

    def directions(self) -> None:
        for direction in self.policy.document.directions:
            for group in self.policy.groups:
                if any(name == direction.fact for name, _ in group.axes):
                    self.direction(direction, group)

    def direction(self, direction: Direction, group: Group) -> None:
        waivers = self.waivers("direction", (direction.id,), group.fields, None)
        tables, marks = self.marked(group.mask, waivers, direction.fact)
        steps = self.policy.tables[direction.fact]
        for before in direction.before:
            for after in direction.after:

                def fails(match: int, first: int = steps[before], then: int = steps[after]) -> tuple[int, int] | None:
                    had = group.answers[match & first & group.mask].shown
                    has = group.answers[match & then & group.mask].shown
                    return (had, has) if has & ~had else None

                if not self.violations(tables, group.mask, marks, waivers, fails):
                    continue
                rows, more = self.rows(tables, group.mask, marks, group.fields, fails)
                what = fields_text(group.fields, self.policy.document)
                words = [self.policy.vocabulary.title_of(direction.fact, value) for value in (before, after)]
                message = Text(
                    f"{direction.title.zh}（{words[0].zh}→{words[1].zh}）反而多披露：{what.zh}",
                    f"{direction.title.en} ({words[0].en} -> {words[1].en}) shows more: {what.en}",
                )
                self.failures.append(
                    Failure(
                        "direction",
                        direction.id,
                        self._widened_by(group, direction, after),
                        group.fields,
                        message,
                        rows,
                        more,
                    )
                )

    def _widened_by(self, group: Group, direction: Direction, after: str) -> Origin:
        """The permit that speaks of the value the step leads to, or the declaration itself."""
        for rule in group.rules:
            if rule.kind is not RuleKind.LIMIT and after in rule.where.get(direction.fact, ()):
                return rule.origin
        for rule in group.rules:
            if any(direction.fact in box for box in (rule.where, *rule.unless)):
                return rule.origin
        return direction.origin

    # -- hidden ------------------------------------------------------------------------------------------------

    def hidden(self) -> None:
        for spec in self.policy.vocabulary.facts.values():
            for told_id in sorted(spec.tells):
                told = self.policy.group(told_id)
                for group in self.policy.groups:
                    if any(name == spec.name for name, _ in group.axes):
                        self.hidden_fact(spec.name, told_id, told, group)

    def hidden_fact(self, fact: str, told_id: FieldId, told: Group, group: Group) -> None:
        waivers = self.waivers("hidden", (fact,), group.fields, told_id)
        mask = group.mask | told.mask
        tables, marks = self.marked(mask, waivers, fact)
        steps = [standing for value, standing in self.policy.tables[fact].items() if value != UNKNOWN]

        def fails(match: int) -> tuple[int, int] | None:
            shown = [group.answers[match & step & group.mask].shown for step in steps]
            if len(set(shown)) == 1:
                return None
            if all(told.answers[match & step & told.mask].shown & _TELLING for step in steps):
                return None
            return min(shown), max(shown)

        if self.violations(tables, mask, marks, waivers, fails):
            rows, more = self.rows(tables, mask, marks, group.fields, fails)
            spec = self.policy.vocabulary.facts[fact]
            what, secret = fields_text(group.fields, self.policy.document), fields_text([told_id], self.policy.document)
            message = Text(
                f"{what.zh}是否披露取决于“{spec.title.zh}”，由此可推知未披露的{secret.zh}",
                f"whether {what.en} is shown depends on `{fact}`, which tells the hidden {secret.en}",
            )
            origins = [rule.origin for rule in group.rules if any(fact in box for box in (rule.where, *rule.unless))]
            self.failures.append(Failure("hidden", fact, origins[0], group.fields, message, rows, more))

    # -- rules -------------------------------------------------------------------------------------------------

    def effects(self) -> tuple[Guard, ...]:
        """Dead permits fail; idle limits are guards."""
        effective: set[RuleId] = set()
        for group in self.policy.groups:
            for match in group.answers:
                self.checked += 1
                standing = [bits for bits in group.bits if match & bits.stands and not match & bits.falls]
                effective.update(
                    _with_effect([(bits.rule.id, bits.rule.kind, int(bits.rule.facets)) for bits in standing])
                )
        guards: list[Guard] = []
        widened = any(rule.region and rule.kind is not RuleKind.LIMIT for rule in self.policy.rules)
        for rule in self.policy.rules:
            if rule.id in effective:
                continue
            if rule.kind is RuleKind.LIMIT:
                guards.append(Guard(rule.id, rule.origin))
            elif rule.kind is RuleKind.PERMIT and (rule.region or not widened):
                # where a region widens, a national permit may well be idle there
                waivers = self.waivers("dead", (rule.id,), rule.fields, None)
                self.used.update(waiver.id for waiver in waivers)
                if not waivers:
                    message = Text(
                        f"许可 {rule.id}“{rule.title.zh}”没有任何作用：去掉它，任何人看到的都不变",
                        f"the permit `{rule.id}` has no effect: without it everybody sees the same",
                    )
                    self.failures.append(Failure("dead", rule.id, rule.origin, tuple(sorted(rule.fields)), message))
        return tuple(guards)

    def ungoverned(self) -> None:
        bare = [field_id for group in self.policy.groups if not _is_governed(group) for field_id in group.fields]
        for field_id in bare:
            if not self.policy.document.catalogue[field_id].path and field_id.endswith(".count"):
                continue
            near = self._neighbour(field_id)
            spec = self.policy.document.catalogue[field_id]
            message = Text(
                f"字段 {spec.title_zh}（{field_id}）没有任何规则", f"the field `{field_id}` is under no rule"
            )
            self.failures.append(Failure("no-rule", field_id, near, (field_id,), message))

    def report_floor(self) -> None:
        """Of a pack that routes by itself. A pack without tables of its own is no whole pack, and is never handed in."""
        if self.policy.document.routing is None:
            return
        floors = [rule.origin for rule in self.policy.rules if rule.kind is RuleKind.FLOOR]
        origin = min(floors, key=lambda one: (one.file, one.line), default=Origin("policies", 1))
        for report, lost in hidden_from_police(self.policy.rules):
            what = fields_text(lost, self.policy.document)
            message = Text(
                f"报告 {report} 送主管公安时不保证给到：{what.zh}",
                f"a report {report} would not surely show the competent police: {what.en}",
            )
            self.failures.append(Failure("floor", report, origin, lost, message))

    def _neighbour(self, field_id: FieldId) -> Origin:
        """Where such a field would be written: the rule that decides most fields of its kind."""
        prefix = field_id.split(".", 1)[0] + "."
        rules = [rule for rule in self.policy.rules if rule.kind is not RuleKind.LIMIT]
        if not rules:
            return Origin("policies", 1)
        best = max(rules, key=lambda rule: (sum(one.startswith(prefix) for one in rule.fields), -len(rule.fields)))
        return best.origin


def _is_governed(group: Group) -> bool:
    """Somebody may see the fields, or a limit without conditions says that nobody may."""
    return any(rule.kind is not RuleKind.LIMIT or not rule.where for rule in group.rules)


def _with_effect(standing: Sequence[tuple[RuleId, RuleKind, int]]) -> set[RuleId]:
    """Which of the standing rules change what is shown."""

    def shown(rules: Iterable[tuple[RuleId, RuleKind, int]]) -> int:
        granted, allowed, floor = 0, 127, 0
        for _, kind, facets in rules:
            if kind is RuleKind.PERMIT:
                granted |= facets
            elif kind is RuleKind.LIMIT:
                allowed &= facets
            else:
                floor |= facets
        return granted & allowed | floor

    whole = shown(standing)
    return {one[0] for one in standing if shown(other for other in standing if other is not one) != whole}


def prove(policy: Policy) -> Proofs:
    """Check every promise of a compiled policy; failures that a waiver covers are left out."""
    prover = _Prover(policy)
    prover.implies()
    prover.directions()
    prover.hidden()
    guards = prover.effects()
    prover.ungoverned()
    prover.report_floor()
    failures = sorted(
        prover.failures, key=lambda failure: (failure.origin.file, failure.origin.line, failure.proof, failure.fields)
    )
    return Proofs(tuple(failures), guards, frozenset(prover.used), prover.checked)
