"""hutong policy: check, test, compare and explain disclosure policies. These read files and need no running gateway;
the life of a policy (`policy_life`) and what is asked of the log (`policy_recorded`) join the same group below.

Exit codes: 0 done and nothing found, 1 the answer is no (a proof fails, a case
misses, policies differ, a record differs), 2 wrong usage, 3 refused (the files do not load).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from gateway.cli import policy_life, policy_recorded
from gateway.cli.frame import EXIT_NO, fail, json_option, show, table
from gateway.engines.files.documents import default_catalogue
from gateway.engines.files.packs import law_file
from gateway.engines.files.policies import policy_files, read_policy
from gateway.model.errors import HutongError, InvalidDocument
from gateway.model.identifiers import FieldId
from gateway.policy.cases import read_cases, run_cases
from gateway.policy.compile import Policy, compile_policy
from gateway.policy.diff import diff as compare
from gateway.policy.document import load_document
from gateway.policy.explain import ceiling as highest
from gateway.policy.explain import who_sees as who
from gateway.policy.explain import why as explain
from gateway.policy.export_cedar import export_cedar
from gateway.policy.export_rego import export_rego
from gateway.policy.facts import facts
from gateway.policy.lint import lint as remarks_on
from gateway.policy.page import policy_page, read_law
from gateway.policy.proofs import prove
from gateway.policy.rows import Row, conditions_text, describe, facet_names, facet_text
from gateway.policy.space import SpaceTooLarge

P = ParamSpec("P")
CHINA = timezone(timedelta(hours=8))
EXACT = "对已建模的事实穷尽，含未知值 · exact over the modelled facts, unknown values included"

folder_option = click.option(
    "--policies", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="策略目录 policy folder [随附 the pack of this build]",
)  # fmt: skip
as_of_option = click.option(
    "--as-of",
    "as_of",
    default=lambda: datetime.now(CHINA).date().isoformat(),
    help="生效日 day YYYY-MM-DD [今天 today]",
)
division_option = click.option("--division", default="", help="区划代码，含其地方补充 division code, with its overlays")


def speaks_of_policy(command: Callable[P, None]) -> Callable[P, None]:
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except HutongError as error:
            raise SystemExit(fail(error)) from error
        except SpaceTooLarge as error:
            raise click.ClickException(f"情形过多，无法逐一列出 too many circumstances to list: {error}") from error

    return run


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("YYYY-MM-DD", param_hint="--as-of") from error


def load_folder(folder: Path | None, as_of: str, division: str) -> Policy:
    return read_policy(_day(as_of), division, folder)


def _field(policy: Policy, text: str) -> FieldId:
    if text not in policy.group_of:
        raise click.BadParameter(f"没有这个字段 no such field: {text}", param_hint="FIELD")
    return FieldId(text)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise click.BadParameter("事实=值 fact=value", param_hint="--fact")
        found[name] = value
    return found


def _row(row: Row, policy: Policy) -> dict[str, Any]:
    told = describe(row, policy.document)
    return {
        "fields": list(row.fields),
        "where": {name: list(values) for name, values in row.where.items()},
        "before": facet_names(row.before),
        "after": facet_names(row.after),
        "zh": told.zh,
        "en": told.en,
    }


@click.group(
    help="披露策略 · disclosure policies: check, test, explain, compare; hand in, approve, put in force, bring back; replay"
)
def policy() -> None:
    pass


@policy.command("check", help="装载并证明 · load and prove")
@folder_option
@as_of_option
@division_option
@json_option
@speaks_of_policy
def check(folder: Path | None, as_of: str, division: str, as_json: bool) -> None:
    try:
        document = load_document(policy_files(folder), default_catalogue().fields)
        compiled = compile_policy(document, _day(as_of), division)
        proofs = prove(compiled)
        problems = tuple(failure.as_problem(compiled) for failure in proofs.failures)
    except InvalidDocument as error:
        if not as_json:
            raise
        problems, compiled, proofs = error.problems, None, None
    if as_json:
        told: dict[str, Any] = {
            "holds": not problems,
            "problems": [
                {"code": p.code, "position": p.position, "message": p.message, "remedy": p.remedy} for p in problems
            ],
        }
        if compiled is not None and proofs is not None:
            told |= {
                "policy": compiled.hash,
                "rules": len(compiled.rules),
                "field_groups": len(compiled.groups),
                "matches_checked": proofs.checked,
                "guards": [guard.rule for guard in proofs.guards],
                "waivers": sorted(proofs.waivers_used),
            }
        show(told)
    elif problems:
        fail(InvalidDocument("the policy does not keep what it declares", problems=problems))
    elif compiled is not None and proofs is not None:
        click.echo(f"{compiled.hash}")
        click.echo(
            f"规则 rules {len(compiled.rules)}  字段组 field groups {len(compiled.groups)}  已证明 matches proved {proofs.checked}"
        )
        click.echo(f"防护 guards: {' '.join(guard.rule for guard in proofs.guards) or '-'}")
        click.echo(f"豁免 waivers: {' '.join(sorted(proofs.waivers_used)) or '-'}")
        click.echo(EXACT)
    if problems:
        sys.exit(EXIT_NO)


@policy.command("test", help="运行案例 · run the worked cases, with coverage")
@folder_option
@as_of_option
@division_option
@json_option
@speaks_of_policy
def test(folder: Path | None, as_of: str, division: str, as_json: bool) -> None:
    compiled = load_folder(folder, as_of, division)
    report = run_cases(read_cases(policy_files(folder), compiled), compiled)
    if as_json:
        show({
            "holds": report.holds,
            "cases": report.cases,
            "misses": [
                {"case": m.case, "position": str(m.origin), "claim": m.claim, "field": m.field, "wanted": m.wanted, "found": m.found}
                for m in report.misses
            ],
            "rules": {"hit": len(report.rules_hit), "of": len(compiled.rules), "untouched": list(report.rules_untouched)},
            "outcomes": {"met": report.outcomes_met, "of": report.outcomes},
        })  # fmt: skip
    else:
        for miss in report.misses:
            click.echo(
                f"✗ {miss.origin} {miss.case}: {miss.field} {miss.claim} 应为 wanted {miss.wanted}，实为 found {miss.found}"
            )
        click.echo(f"案例 cases {report.cases}  未符 misses {len(report.misses)}")
        click.echo(
            f"规则覆盖 rules {len(report.rules_hit)}/{len(compiled.rules)}  结果覆盖 outcomes {report.outcomes_met}/{report.outcomes}"
        )
        if report.rules_untouched:
            click.echo(f"未触及 untouched: {' '.join(report.rules_untouched)}")
    if not report.holds:
        sys.exit(EXIT_NO)


@policy.command("lint", help="值得再看一眼之处 · what deserves a second look; never fails")
@folder_option
@as_of_option
@division_option
@json_option
@speaks_of_policy
def lint(folder: Path | None, as_of: str, division: str, as_json: bool) -> None:
    remarks = remarks_on(load_folder(folder, as_of, division))
    if as_json:
        show([{"code": r.code, "position": str(r.origin), "zh": r.message.zh, "en": r.message.en} for r in remarks])
        return
    for remark in remarks:
        click.echo(f"{remark.origin} [{remark.code}] {remark.message}")
    click.echo(f"{len(remarks)} 条 remarks")


@policy.command(
    "diff", help="谁新看到什么 · who newly sees or loses what between two policy folders. Exit 1 when they differ"
)
@click.argument("old", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("new", type=click.Path(path_type=Path, exists=True, file_okay=False))
@as_of_option
@division_option
@json_option
@speaks_of_policy
def diff(old: Path, new: Path, as_of: str, division: str, as_json: bool) -> None:
    before, after = load_folder(old, as_of, division), load_folder(new, as_of, division)
    found = compare(before, after)
    if as_json:
        show({
            "old": before.hash, "new": after.hash, "exact": EXACT,
            "gained": [_row(row, after) for row in found.gained],
            "lost": [_row(row, after) for row in found.lost],
            "mixed": [_row(row, after) for row in found.mixed],
            "rules": list(found.rules), "vocabulary": list(found.vocabulary), "too_large": list(found.too_large),
        })  # fmt: skip
    else:
        for mark, told in found.sentences(after):
            click.echo(f"{mark} {told.zh}\n  {told.en}")
        for title, names in (
            ("规则 rules", found.rules),
            ("词汇 vocabulary", found.vocabulary),
            ("过大 too large", found.too_large),
        ):
            if names:
                click.echo(f"{title}: {' '.join(names)}")
        click.echo("没有变化 no one sees anything else" if found.is_empty else EXACT)
    if not found.is_empty:
        sys.exit(EXIT_NO)


_facts = click.option(
    "--fact", "given", multiple=True, help="事实=值，可多次 fact=value, repeatable; 未给出即未知 left out = unknown"
)
_accept = click.option(
    "--accept", "accepts", multiple=True, help="接收方承诺的义务，all 为全部 obligations accepted; all = every one"
)


@policy.command("why", help="为何看到或看不到一个字段 · why a field is shown or not, and what would change it")
@click.argument("field")
@_facts
@_accept
@folder_option
@as_of_option
@division_option
@json_option
@speaks_of_policy
def why(
    field: str,
    given: tuple[str, ...],
    accepts: tuple[str, ...],
    folder: Path | None,
    as_of: str,
    division: str,
    as_json: bool,
) -> None:
    compiled = load_folder(folder, as_of, division)
    vocabulary, wanted = compiled.vocabulary, _field(compiled, field)
    accepted = tuple(vocabulary.obligations) if "all" in accepts else accepts
    found = explain(facts(vocabulary, _pairs(given), accepts=accepted), compiled, wanted)
    if as_json:
        show({
            "field": field, "delivers": found.delivers, "shown": facet_names(found.decision.shown), "exact": EXACT,
            "granted_by": [{"id": r.id, "zh": r.title.zh, "en": r.title.en, "citation": list(r.citation)} for r in found.granting],
            "cut_by": [{"id": r.id, "zh": r.title.zh, "en": r.title.en, "citation": list(r.citation)} for r in found.cutting],
            "missed": [{"id": m.rule, "facts": list(m.facts)} for m in found.missed],
            "changes": [
                {"fact": c.fact, "from": c.value, "to": c.instead, "shown": facet_names(c.shown)} for c in found.changes
            ],
        })  # fmt: skip
        return
    told = facet_text(found.decision.shown)
    click.echo(f"{compiled.document.catalogue[FieldId(field)].title_zh}（{field}）：{told}")
    if not found.delivers:
        click.echo("该通报不送达 the notice is not delivered")
    for rule in found.granting:
        click.echo(f"  + {rule.id} {rule.title} 〔{'；'.join(rule.citation)}〕 {rule.origin}")
    for rule in found.cutting:
        click.echo(f"  - {rule.id} {rule.title} 〔{'；'.join(rule.citation)}〕 {rule.origin}")
    for missed in found.missed[:5]:
        click.echo(f"  · {missed.rule} 未适用，因为 did not apply because of: {', '.join(missed.facts)}")
    if found.changes:
        click.echo("只改一项事实即会改变 one changed fact would alter it:")
    for change in found.changes[:12]:
        spec, value = vocabulary.facts[change.fact], vocabulary.title_of(change.fact, change.instead)
        shown = facet_text(change.shown)
        click.echo(f"  {spec.title.zh}→{value.zh}：{shown.zh} / {change.fact}={change.instead}: {shown.en}")
    click.echo(EXACT)


@policy.command(
    "who-sees", help="谁能看到一个字段 · who sees a field, under which circumstances, where the notice is delivered"
)
@click.argument("field")
@folder_option
@as_of_option
@division_option
@json_option
@speaks_of_policy
def who_sees(field: str, folder: Path | None, as_of: str, division: str, as_json: bool) -> None:
    compiled = load_folder(folder, as_of, division)
    rows = who(compiled, _field(compiled, field))
    if as_json:
        show({"field": field, "exact": EXACT, "rows": [_row(row, compiled) for row in rows]})
        return
    for row in rows:
        where, shown = conditions_text(row.where, compiled.vocabulary), facet_text(row.after)
        click.echo(f"{shown.zh}：{where.zh}\n  {shown.en}: {where.en}")
    click.echo(EXACT if rows else "无人 nobody")


@policy.command("ceiling", help="一个单位至多能看到什么 · all that such a recipient could ever get, over all purposes")
@_facts
@folder_option
@as_of_option
@division_option
@json_option
@speaks_of_policy
def ceiling(given: tuple[str, ...], folder: Path | None, as_of: str, division: str, as_json: bool) -> None:
    compiled = load_folder(folder, as_of, division)
    most = highest(compiled, _pairs(given))
    if as_json:
        show(
            {
                "facts": _pairs(given),
                "exact": EXACT,
                "fields": {one: facet_names(shown) for one, shown in sorted(most.items())},
            }
        )
        return
    catalogue = compiled.document.catalogue
    table(
        [
            {"field": one, "zh": catalogue[one].title_zh, "shown": str(facet_text(shown))} for one, shown in sorted(most.items())
        ],
        {"field": "字段 field", "zh": "名称 title", "shown": "至多 at most"},
    )  # fmt: skip
    click.echo(EXACT)


@policy.command("page", help="给法律审核人看的一页 · the whole pack as a page for a legal reviewer, in Markdown")
@folder_option
@as_of_option
@division_option
@speaks_of_policy
def page(folder: Path | None, as_of: str, division: str) -> None:
    compiled = load_folder(folder, as_of, division)
    click.echo(policy_page(compiled, read_law(law_file(folder), compiled)), nl=False)


@policy.command("export", help="导出为 Rego 或 Cedar，供外部核对 · export for an outside check")
@click.option("--to", "language", type=click.Choice(["rego", "cedar"]), default="rego")
@folder_option
@as_of_option
@division_option
@speaks_of_policy
def export(language: str, folder: Path | None, as_of: str, division: str) -> None:
    compiled = load_folder(folder, as_of, division)
    if language == "rego":
        click.echo(export_rego(compiled), nl=False)
    else:
        cedar = export_cedar(compiled)
        click.echo(
            f"// {compiled.hash}\n{cedar.bracket}\n// floors 底线：与上面的结果取并集 joined with OR\n{cedar.floors}",
            nl=False,
        )


policy_life.join(policy)
policy_recorded.join(policy)
