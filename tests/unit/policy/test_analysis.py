"""What the tools tell administrators is exact, short and in both languages."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import replace

import pytest

from gateway.engines.files.packs import pack_files
from gateway.model.access import DELIVER, PRESETS, Facet
from gateway.model.identifiers import FieldId
from gateway.policy.cases import read_cases, run_cases
from gateway.policy.compiled import Policy
from gateway.policy.decide import Decider, decide
from gateway.policy.diff import diff
from gateway.policy.explain import ceiling, who_sees, why
from gateway.policy.facts import facts
from gateway.policy.lint import lint
from gateway.policy.load import load_policy
from gateway.policy.oracle import applies
from gateway.policy.proofs import prove
from gateway.policy.replay import record, replay, simulate
from gateway.policy.rows import Row
from gateway.policy.rules import EVERY_FACET, Rule, RuleKind
from gateway.policy.space import Space
from gateway.policy.vocabulary import UNKNOWN
from tests.unit.policy.builders import DOMAINS, policy, random_rules
from tests.unit.policy.default_pack import ROOT, TODAY, catalogue, changed, files, pack
from tests.unit.policy.test_exports import random_facts

PERSONS = "policies/disclosure/persons.yaml"
CASE = "policies/disclosure/case.yaml"
OBLIGATIONS = ("no_onward", "retention_days")


def contexts(rules: Policy) -> list[dict[str, str]]:
    """Every context of the small test vocabulary, unknown values included, persons and bases left unknown."""
    names = list(DOMAINS)
    domains = [
        [*rules.vocabulary.facts[name].values, *([] if rules.vocabulary.facts[name].certain else [UNKNOWN])]
        for name in names
    ]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*domains)]


def inside(row: Row, context: dict[str, str]) -> bool:
    return all(context.get(name, UNKNOWN) in values for name, values in row.where.items())


def test_the_rows_of_a_diff_are_exactly_the_cells_that_differ() -> None:
    rng = random.Random(21)
    for _ in range(12):
        old, new = policy(random_rules(rng, rng.randint(2, 12))), policy(random_rules(rng, rng.randint(2, 12)))
        found = diff(old, new)
        rows = (*found.gained, *found.lost, *found.mixed)
        for context in contexts(old):
            asked_old = facts(old.vocabulary, context, accepts=OBLIGATIONS)
            asked_new = facts(new.vocabulary, context, accepts=OBLIGATIONS)
            had, has = decide(asked_old, old), decide(asked_new, new)
            for field_id in (one for one in old.group_of if one in new.group_of):
                if field_id != DELIVER and not (had.delivers and has.delivers):
                    continue
                told = [row for row in rows if field_id in row.fields and inside(row, context)]
                differs = had.shown(field_id) != has.shown(field_id)
                assert bool(told) == differs
                assert all((row.before, row.after) == (had.shown(field_id), has.shown(field_id)) for row in told)


def test_a_one_rule_change_of_the_pack_reads_as_one_sentence_and_is_exact() -> None:
    old = pack()
    text = "    where: {recipient_agency: [womens_federation]}\n    fields: [school]"
    new = load_policy(
        changed(PERSONS, text, text.replace("womens_federation]", "womens_federation, judiciary]")), catalogue(), TODAY
    )
    start = time.thread_time()
    found = diff(old, new)
    assert time.thread_time() - start < 1, "of processor time"
    assert found.rules == ("~school-general",)
    assert len(found.gained) == 1 and not found.lost and not found.mixed
    row = found.gained[0]
    assert row.before is Facet.NOTHING and row.after == PRESETS["generalise"]
    assert set(row.fields) == old.document.groups["school"]
    ((mark, told),) = found.sentences(new)
    assert mark == "+"
    assert told.zh.startswith("接收机构＝司法行政") and "概化" in told.zh
    assert told.en.startswith("recipient agency is justice bureau")
    rng = random.Random(22)
    for _ in range(400):
        asked = random_facts(rng, old, 0.3)
        again = facts(new.vocabulary, asked.known(), accepts=asked.accepts)
        had, has = decide(asked, old), decide(again, new)
        context = {name: asked.value(name) for name in asked}
        if had.delivers:
            for field_id in old.group_of:
                assert (had.shown(field_id) != has.shown(field_id)) == (field_id in row.fields and inside(row, context))


ONE_RULE_CHANGES = (
    pytest.param(
        PERSONS, "    where: {recipient_agency: [womens_federation]}\n    fields: [school]\n    show: generalise",
        "    where: {recipient_agency: [womens_federation]}\n    fields: [school]\n    show: clear",
        marks=pytest.mark.slow,  # 225,792 contexts for each school field
    ),
    (CASE, "{recipient_agency: [education, health, womens_federation, contractor]}\n    fields: [assessment.risk_level]",
     "{recipient_agency: [education, health, womens_federation]}\n    unless: {recipient_level: [township]}\n    fields: [assessment.risk_level]"),
)  # fmt: skip


def said(rule: Rule) -> object:
    return rule.id, repr(sorted(rule.where.items())), repr(rule.unless), rule.facets, rule.obligations


class Reading:
    """One field by the definition of DESIGN 4: the oracle's reading of the rules that speak of it.

    What a rule says is remembered by the values of the facts it looks at, so that every context can be asked.
    """

    def __init__(self, rules: tuple[Rule, ...], names: list[str], possible: list[dict[str, tuple[str, ...]]]) -> None:
        self.possible, self.rules = possible, []
        for rule in rules:
            own = {name for box in (rule.where, *rule.unless) for name in box}
            self.rules.append((rule, [place for place, name in enumerate(names) if name in own], {}))
        self.names = names

    def __call__(self, values: tuple[str, ...]) -> Facet:
        granted, allowed, floor = Facet.NOTHING, EVERY_FACET, Facet.NOTHING
        for rule, places, said in self.rules:
            key = tuple(values[place] for place in places)
            if key not in said:
                said[key] = applies(rule, {self.names[at]: self.possible[at][values[at]] for at in places})
            if not said[key]:
                continue
            if rule.kind is RuleKind.PERMIT:
                granted |= rule.facets
            elif rule.kind is RuleKind.LIMIT:
                allowed &= rule.facets
            else:
                floor |= rule.facets
        return (granted & allowed) | floor


@pytest.mark.parametrize(("name", "text", "instead"), ONE_RULE_CHANGES)
def test_a_one_rule_diff_of_the_pack_is_exact_over_every_context_of_the_factored_space(
    name: str, text: str, instead: str
) -> None:
    """Every context of every fact that the two rule sets of a field look at, unknown included, against the oracle."""
    old, new = pack(), load_policy(changed(name, text, instead), catalogue(), TODAY)
    begin = time.process_time()
    found = diff(old, new)
    assert time.process_time() - begin < 1
    assert len(found.rules) == 1 and not found.too_large and not found.is_empty
    rows = (*found.gained, *found.lost, *found.mixed)
    checked = told = 0
    asked: dict[tuple[object, ...], list[FieldId]] = {}
    for field_id in old.group_of:
        both = tuple(tuple(said(rule) for rule in one.rules if field_id in rule.fields) for one in (old, new))
        if both[0] != both[1]:
            asked.setdefault(both, []).append(field_id)
    for fields in asked.values():
        before, after = (tuple(rule for rule in one.rules if fields[0] in rule.fields) for one in (old, new))
        names = sorted({name for rule in (*before, *after) for box in (rule.where, *rule.unless) for name in box})
        specs = [old.vocabulary.facts[name] for name in names]
        domains = [[*spec.values, *([] if spec.certain else [UNKNOWN])] for spec in specs]
        possible = [{**{value: (value,) for value in spec.values}, UNKNOWN: tuple(spec.values)} for spec in specs]
        read_old, read_new = Reading(before, names, possible), Reading(after, names, possible)
        here = [row for row in rows if fields[0] in row.fields]
        assert all(set(fields) <= set(row.fields) and row.where.keys() <= set(names) for row in here)
        for values in itertools.product(*domains):
            had, has = read_old(values), read_new(values)
            context = dict(zip(names, values, strict=True)) if had != has or here else {}
            found_here = [row for row in here if inside(row, context)]
            assert bool(found_here) == (had != has), context
            assert all((row.before, row.after) == (had, has) for row in found_here)
            checked, told = checked + 1, told + bool(found_here)
    assert told and checked > 200
    assert {field_id for row in rows for field_id in row.fields} <= {one for fields in asked.values() for one in fields}


def test_the_pack_is_loaded_compiled_and_proved_in_seconds() -> None:
    begin = time.process_time()
    load_policy(files(), catalogue(), TODAY)
    assert time.process_time() - begin < 5


def test_a_policy_does_not_differ_from_itself() -> None:
    assert diff(pack(), pack()).is_empty


def test_cover_is_exact_and_no_longer_than_the_rule_that_made_it() -> None:
    rules = policy(random_rules(random.Random(23), 10))
    for group in rules.groups:
        space = Space(rules.tables, group.mask)
        parts = space.partition(lambda match, group=group: (0, group.answers[match].shown))  # type: ignore[misc]
        union = 0
        for cells in parts.values():
            assert not union & cells
            union |= cells
        assert union == (1 << space.size) - 1


def test_who_sees_agrees_with_decisions() -> None:
    rules, rng = pack(), random.Random(24)
    for field_id in map(FieldId, ("harm.narrative", "minor.placement.org", "order.terms.item", "minor.mental_health")):
        rows = who_sees(rules, field_id)
        for _ in range(150):
            asked = facts(rules.vocabulary, random_facts(rng, rules, 0.1).known(), accepts=rules.vocabulary.obligations)
            decision = decide(asked, rules)
            if decision.delivers:
                context = {name: asked.value(name) for name in asked}
                told = {row.after for row in rows if inside(row, context)}
                assert told == ({decision.shown(field_id)} - {Facet.NOTHING})


def test_no_decision_passes_the_ceiling() -> None:
    rules, rng = pack(), random.Random(25)
    for agency in ("education", "contractor", "police"):
        most = ceiling(rules, {"recipient_agency": agency})
        for _ in range(150):
            asked = random_facts(rng, rules, 0.1).with_values(recipient_agency=agency)
            decision = decide(asked, rules)
            for field_id in rules.group_of:
                assert not decision.shown(field_id) & ~most.get(field_id, Facet.NOTHING)


def test_a_school_can_never_get_harm_and_a_contractor_no_protected_compartment() -> None:
    school = ceiling(pack(), {"recipient_agency": "education"})
    assert not [
        one
        for one in school
        if one.startswith(("harm.", "infringer.", "report.", "reporter.")) and one not in ("infringer.key",)
    ]
    contractor = ceiling(pack(), {"recipient_agency": "contractor"})
    kept = {one for one, spec in catalogue().items() if spec.compartment != "GENERAL"}
    assert not kept & contractor.keys()


def test_why_names_the_rules_and_every_single_change_that_would_alter_the_answer() -> None:
    rules = pack()
    base = {
        "recipient_agency": "health", "recipient_role": "executor", "purpose": "P04", "notice_type": "REF", "emergency": "no",
        "legal_basis_kind": "statutory_duty", "suspended": "no", "conflict": "none", "recipient_conflict": "no", "own_subject": "no",
    }  # fmt: skip
    asked = facts(rules.vocabulary, base, accepts=rules.vocabulary.obligations)
    found = why(asked, rules, FieldId("minor.name"))
    assert found.decision.shown is Facet.NOTHING and found.delivers
    assert found.missed[0].rule == "identity-own" and found.missed[0].facts == ("own_subject",)
    assert ("own_subject", "yes", PRESETS["clear"]) in {(one.fact, one.instead, one.shown) for one in found.changes}
    for change in found.changes:
        again = decide(asked.with_value(change.fact, change.instead), rules)
        assert again.shown(FieldId("minor.name")) == change.shown != found.decision.shown
    seen = why(asked.with_values(own_subject="yes"), rules, FieldId("minor.name"))
    assert [rule.id for rule in seen.granting] == ["identity-own"]
    assert any(change.fact == "own_subject" and change.instead == UNKNOWN for change in seen.changes)


def test_worked_cases_hold_and_a_wrong_claim_is_found_with_its_line() -> None:
    rules = pack()
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "policies/cases").glob("*.yaml")}
    report = run_cases(read_cases(texts, rules), rules)
    assert report.holds, report.misses
    assert report.cases >= 15
    assert len(report.rules_hit) > 60 and report.outcomes_met > 150
    name = "policies/cases/s1.yaml"
    wrong = texts[name].replace("shows: {police.status: generalise}", "shows: {police.status: clear}")
    missed = run_cases(read_cases({name: wrong}, rules), rules).misses
    assert [(one.case, one.field, one.wanted, one.found) for one in missed] == [
        ("s1-progress-hospital", "police.status", "clear", "generalise")
    ]


def test_a_recorded_decision_replays_and_a_draft_is_simulated() -> None:
    rules, rng = pack(), random.Random(26)
    records = []
    for i in range(60):
        asked = facts(rules.vocabulary, random_facts(rng, rules, 0.1).known(), accepts=rules.vocabulary.obligations)
        asked = asked.with_values(
            suspended="no",
            conflict="none",
            recipient_conflict="no",
            legal_basis_kind="statutory_duty",
            notice_type="REF",
            purpose="P01",
        )
        records.append(record(f"d{i}", decide(asked, rules), asked.accepts))
    assert all(replay(one, rules).holds and replay(one, rules).same_policy for one in records)
    text = "    where: {recipient_agency: [womens_federation]}\n    fields: [school]"
    draft = load_policy(
        changed(PERSONS, text, text.replace("womens_federation]", "womens_federation, judiciary]")), catalogue(), TODAY
    )
    found = simulate(draft, records)
    assert found.records == 60 and not found.undecidable
    assert set(found.by_field) == draft.document.groups["school"]
    assert all(more and not less for more, less in found.by_field.values())


def test_a_remembered_decision_is_the_decision() -> None:
    rules, rng, decider = pack(), random.Random(27), Decider(most=8)
    for _ in range(40):
        asked = random_facts(rng, rules)
        assert decider(asked, rules) is decider(asked, rules)
        assert decider(asked, rules).outcome == decide(asked, rules).outcome


def test_a_decision_is_not_remembered_for_facts_whose_places_mean_something_else() -> None:
    rules, rng, decider = pack(), random.Random(28), Decider()
    names = list(rules.vocabulary.facts)
    one, two = names.index("emergency"), names.index("own_subject")
    names[one], names[two] = names[two], names[one]
    swapped = replace(rules.vocabulary, facts={name: rules.vocabulary.facts[name] for name in names})
    differing = 0
    for _ in range(300):
        asked = random_facts(rng, rules)
        if UNKNOWN in (asked.signature[one], asked.signature[two]):
            continue
        remembered, other = decider(asked, rules), replace(asked, vocabulary=swapped)
        expected = decide(other, rules)
        assert decider(other, rules).outcome == expected.outcome
        differing += expected.outcome != remembered.outcome
    assert differing


def test_lint_reports_guards_and_words_nobody_uses() -> None:
    codes = {remark.code for remark in lint(pack())}
    assert {"guard", "unused-fact"} <= codes


def test_the_worked_cases_of_all_scenarios_touch_every_rule_but_the_guards() -> None:
    rules = pack()
    report = run_cases(read_cases(pack_files(), rules), rules)
    assert report.holds
    guards = {guard.rule for guard in prove(rules).guards}
    assert set(report.rules_untouched) <= guards
    assert report.outcomes_met >= report.outcomes - 1
    scenarios = {case.scenario for case in read_cases(pack_files(), rules)}
    assert scenarios == {f"S{number}" for number in range(1, 12)}
