"""What do the tools for policies answer, as plain JSON?

One shape for the command line (`--json`) and for the admin API. Pure: the caller reads the files and gives the day. Every
answer about circumstances is exact over the modelled facts, unknown values included; how facts get their values is outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.model.errors import InvalidDocument, Problem
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId
from gateway.policy.cases import CaseReport, read_cases, run_cases
from gateway.policy.compile import compile_policy
from gateway.policy.compiled import Policy
from gateway.policy.diff import Diff
from gateway.policy.diff import diff as compare
from gateway.policy.document import load_document
from gateway.policy.explain import Why
from gateway.policy.explain import ceiling as highest
from gateway.policy.explain import who_sees as who
from gateway.policy.explain import why as explain
from gateway.policy.facts import Facts
from gateway.policy.lint import lint as remarks_on
from gateway.policy.proofs import prove
from gateway.policy.rows import Row, conditions_text, describe, facet_names, facet_text
from gateway.policy.rules import PolicyDocument, Rule

EXACT = "对已建模的事实穷尽，含未知值 · exact over the modelled facts, unknown values included"


def check(
    files: Mapping[str, str], catalogue: Mapping[FieldId, FieldSpec], day: date, division: str | None = None
) -> dict[str, Any]:
    """Whether the files load and keep what they declare, with every problem: for one division, or (None) for the whole
    country and each division that has rules of its own."""
    try:
        document = load_document(files, catalogue)
        divisions = _divisions(document) if division is None else [division]
        compiled = [compile_policy(document, day, one) for one in divisions]
    except InvalidDocument as wrong:
        return {"holds": False, "problems": problems_of(wrong.problems)}
    proofs = [prove(one) for one in compiled]
    found = dict.fromkeys(
        failure.as_problem(one) for one, proof in zip(compiled, proofs, strict=True) for failure in proof.failures
    )
    first, proved = compiled[0], proofs[0]
    return {
        "holds": not found,
        "problems": problems_of(tuple(found)),
        "policy": first.hash,
        "rules": len(document.rules) if division is None else len(first.rules),
        "field_groups": len(first.groups),
        "divisions": divisions,
        "matches_checked": sum(one.checked for one in proofs),
        "guards": [guard.rule for guard in proved.guards],
        "waivers": sorted(proved.waivers_used),
        "agreements": len(document.agreements.listed),
        "clocks": len(document.clocks),
        "routing": 0 if document.routing is None else sum(len(one.rules) for one in document.routing.by_type.values()),
        "tables": "" if document.routing is None else document.routing.version,
        "is_whole": document.routing is not None and document.safeguards is not None,
        "exact": EXACT,
    }


def _divisions(document: PolicyDocument) -> list[str]:
    return ["", *sorted({rule.region for rule in document.rules} - {""})]


def problems_of(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    return [{"code": p.code, "position": p.position, "message": p.message, "remedy": p.remedy} for p in problems]


def test(files: Mapping[str, str], policy: Policy) -> dict[str, Any]:
    """Run the worked cases among the files, with coverage of rules and of outcomes. Without a case nothing was tested."""
    return cases(run_cases(read_cases(files, policy), policy), policy)


def cases(report: CaseReport, policy: Policy) -> dict[str, Any]:
    return {
        "holds": report.holds and report.cases > 0,
        "policy": policy.hash,
        "cases": report.cases,
        "misses": [
            {
                "case": m.case,
                "position": str(m.origin),
                "claim": m.claim,
                "field": m.field,
                "wanted": m.wanted,
                "found": m.found,
            }
            for m in report.misses
        ],
        "rules": {"hit": len(report.rules_hit), "of": len(policy.rules), "untouched": list(report.rules_untouched)},
        "outcomes": {"met": report.outcomes_met, "of": report.outcomes},
    }


def lint(policy: Policy) -> list[dict[str, str]]:
    return [
        {"code": r.code, "position": str(r.origin), "zh": r.message.zh, "en": r.message.en} for r in remarks_on(policy)
    ]


def diff(old: Policy, new: Policy) -> dict[str, Any]:
    """Who newly sees or loses what between two policies, and what changed beside the rules."""
    found: Diff = compare(old, new)
    return {
        "old": old.hash,
        "new": new.hash,
        "exact": EXACT,
        "same": found.is_empty,
        "gained": [row(one, new) for one in found.gained],
        "lost": [row(one, new) for one in found.lost],
        "mixed": [row(one, new) for one in found.mixed],
        "rules": list(found.rules),
        "vocabulary": list(found.vocabulary),
        "beside": [{"document": one.document, "zh": one.text.zh, "en": one.text.en} for one in found.beside],
        "too_large": list(found.too_large),
    }


def row(one: Row, policy: Policy) -> dict[str, Any]:
    told = describe(one, policy.document)
    return {
        "fields": list(one.fields),
        "where": {name: list(values) for name, values in one.where.items()},
        "before": facet_names(one.before),
        "after": facet_names(one.after),
        "zh": told.zh,
        "en": told.en,
    }


def why(asked: Facts, policy: Policy, field: FieldId) -> dict[str, Any]:
    """Why one field is shown or not, and each single changed fact that would alter it. KeyError for an unknown field."""
    found: Why = explain(asked, policy, field)
    return {
        "field": field,
        "title": policy.document.catalogue[field].title_zh,
        "policy": policy.hash,
        "facts": asked.known(),
        "delivers": found.delivers,
        "shown": facet_names(found.decision.shown),
        "exact": EXACT,
        "granted_by": [_rule(one) for one in found.granting],
        "cut_by": [_rule(one) for one in found.cutting],
        "missed": [{"id": m.rule, "facts": list(m.facts)} for m in found.missed],
        "changes": [
            {"fact": c.fact, "from": c.value, "to": c.instead, "shown": facet_names(c.shown)} for c in found.changes
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "zh": rule.title.zh,
        "en": rule.title.en,
        "citation": list(rule.citation),
        "position": str(rule.origin),
    }


def who_sees(policy: Policy, field: FieldId) -> dict[str, Any]:
    """Under which circumstances a field shows what. Raises SpaceTooLarge; KeyError for an unknown field."""
    rows = []
    for one in who(policy, field):
        where, shown = conditions_text(one.where, policy.vocabulary), facet_text(one.after)
        rows.append({**row(one, policy), "zh": f"{shown.zh}：{where.zh}", "en": f"{shown.en}: {where.en}"})
    return {"field": field, "policy": policy.hash, "exact": EXACT, "rows": rows}


def ceiling(policy: Policy, fixed: Mapping[str, str]) -> dict[str, Any]:
    """All that whom these facts describe could ever get. Raises UnknownFactValue."""
    most = highest(policy, fixed)
    return {
        "facts": dict(fixed),
        "policy": policy.hash,
        "exact": EXACT,
        "fields": {one: facet_names(shown) for one, shown in sorted(most.items())},
    }
