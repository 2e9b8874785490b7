"""hutong policy: check, test, lint, diff, page and export a policy; WHICH one is told alike everywhere (`policy_source`).

Questions about one field or office (`policy_ask`), the life of a policy (`policy_life`) and what is asked of
the log (`policy_recorded`) join the same group below.

Exit codes: 0 done and nothing found, 1 the answer is no (a proof fails, a case
misses, policies differ, a record differs), 2 wrong usage, 3 refused (the files do not load), 4 no gateway runs here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli import policy_ask, policy_life, policy_recorded
from gateway.cli.frame import EXIT_NO, config_option, fail, operator_option, show, speaks
from gateway.cli.policy_source import (
    WORDS,
    Asking,
    Source,
    asks,
    files_to_hand_in,
    which_argument,
)
from gateway.engines.files.beside import problems_beside
from gateway.engines.files.documents import default_catalogue
from gateway.engines.files.packs import law_file, schema_files
from gateway.http.problems import in_both
from gateway.model.errors import InvalidDocument, Problem
from gateway.policy import answers
from gateway.policy.export_cedar import export_cedar
from gateway.policy.export_rego import export_rego
from gateway.policy.page import policy_page, read_law


@click.group(
    help="披露策略 · disclosure policies: check, test, explain, compare; hand in, approve, put in force, bring back; replay"
)
def policy() -> None:
    pass


@policy.command(
    "check",
    help=f"装载并证明，目录中其余文件一并核对 · load and prove; in a folder, what stands beside the pack too. WHICH: {WORDS}",
)
@asks(which_argument)
async def check(asking: Asking) -> None:
    source, division = await asking.source(), asking.division
    asked = division if division is not None or source.folder is not None or source.is_shipped else source.division
    told = answers.check(source.files, default_catalogue().fields, asking.day, asked)
    if source.folder is not None or source.is_shipped:
        beside = problems_beside(source.folder, source.files)
        told["problems"] += answers.problems_of(beside)
        told["holds"] = not told["problems"]
    if asking.as_json:
        show(told | {"problems": [in_both(problem) for problem in told["problems"]]})
    elif not told["holds"]:
        problems = tuple(Problem(**problem) for problem in told["problems"])
        fail(InvalidDocument("the policy does not keep what it declares", problems=problems))
    else:
        click.echo(f"{told['policy']}")
        click.echo(
            f"规则 rules {told['rules']}  字段组 field groups {told['field_groups']}  已证明 matches proved {told['matches_checked']}"
        )
        click.echo(
            f"协议 agreements {told['agreements']}  时限 clocks {told['clocks']}  路由规则 routing rules {told['routing']}"
        )
        if not told["is_whole"]:
            click.echo(
                "缺少 safeguards.yaml 或 routing/，不能提交 it lacks safeguards.yaml or routing/ and cannot be handed in"
            )
        if own := [one for one in told["divisions"] if one]:
            click.echo(f"含地方规则 with the rules of: {' '.join(own)}")
        click.echo(f"防护 guards: {' '.join(told['guards']) or '-'}")
        click.echo(f"豁免 waivers: {' '.join(told['waivers']) or '-'}")
        click.echo(answers.EXACT)
    if not told["holds"]:
        sys.exit(EXIT_NO)


@policy.command("test", help=f"运行案例 · run the worked cases, with coverage. WHICH: {WORDS}")
@asks(which_argument)
async def test(asking: Asking) -> None:
    told = answers.test((await asking.source()).files, await asking.policy())
    if asking.as_json:
        show(told)
    else:
        for miss in told["misses"]:
            click.echo(
                f"✗ {miss['position']} {miss['case']}: {miss['field']} {miss['claim']} 应为 wanted {miss['wanted']}，实为 found {miss['found']}"
            )
        rules, outcomes = told["rules"], told["outcomes"]
        if not told["cases"]:
            click.echo("没有案例，等于没有测试 no worked case, so nothing was tested")
        click.echo(f"案例 cases {told['cases']}  未符 misses {len(told['misses'])}")
        click.echo(f"规则覆盖 rules {rules['hit']}/{rules['of']}  结果覆盖 outcomes {outcomes['met']}/{outcomes['of']}")
        if rules["untouched"] and told["cases"]:
            click.echo(f"未触及 untouched: {' '.join(rules['untouched'])}")
    if not told["holds"]:
        sys.exit(EXIT_NO)


@policy.command("lint", help=f"值得再看一眼之处 · what deserves a second look; never fails. WHICH: {WORDS}")
@asks(which_argument)
async def lint(asking: Asking) -> None:
    remarks = answers.lint(await asking.policy())
    if asking.as_json:
        show(remarks)
        return
    for one in remarks:
        click.echo(f"{one['position']} [{one['code']}] {one['zh']} / {one['en']}")
    click.echo(f"{len(remarks)} 条 remarks")


@policy.command(
    "diff",
    help=f"谁新看到什么 · who newly sees or loses what between two policies. Exit 1 when they differ. OLD, NEW: {WORDS}",
)
@click.argument("old")
@click.argument("new")
@asks()
async def diff(asking: Asking, old: str, new: str) -> None:
    sources = [await asking.source(one) for one in (old, new)]
    asked = _one_division(sources, asking.division)
    told = answers.diff(*(one.load(asking.day, asked) for one in sources))
    if asking.as_json:
        show(told)
    else:
        for mark, name in (("+", "gained"), ("-", "lost"), ("±", "mixed")):
            for one in told[name]:
                click.echo(f"{mark} {one['zh']}\n  {one['en']}")
        for one in told["beside"]:
            click.echo(f"~ {one['document']}: {one['zh']}\n  {one['en']}")
        for title, name in (
            ("规则 rules", "rules"),
            ("词汇 vocabulary", "vocabulary"),
            ("过大 too large", "too_large"),
        ):
            if told[name]:
                click.echo(f"{title}: {' '.join(told[name])}")
        click.echo("没有变化 no one sees anything else" if told["same"] else answers.EXACT)
    if not told["same"]:
        sys.exit(EXIT_NO)


def _one_division(sources: list[Source], division: str | None) -> str | None:
    """Two policies are compared in one place: the gateway's, where one of them is the gateway's."""
    return division if division is not None else max((one.division for one in sources), key=len)


@policy.command(
    "copy",
    help=f"取出为目录 · write the documents of a policy into a new folder, with the schemas for editors: where a draft begins. WHICH: {WORDS}",
)
@click.argument("which")
@click.argument("folder", type=click.Path(path_type=Path))
@operator_option
@config_option
@speaks
async def copy(which: str, folder: Path, operator: str, config: Path) -> None:
    if folder.exists():
        raise InvalidDocument("there is something under this name already", remedy="name a folder that does not exist")
    files = (await files_to_hand_in(which, operator, config))["files"]
    for name, text in {**files, **schema_files()}.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InvalidDocument("a document of this policy has a name that leads out of its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    click.echo(f"{folder}: {len(files)} 份文件 documents")


@policy.command("page", help="给法律审核人看的一页 · the whole pack as a page for a legal reviewer, in Markdown")
@asks(which_argument, has_json=False)
async def page(asking: Asking) -> None:
    source, compiled = await asking.source(), await asking.policy()
    click.echo(policy_page(compiled, read_law(law_file(source.folder), compiled)), nl=False)


@policy.command("export", help="导出为 Rego 或 Cedar，供外部核对 · export for an outside check")
@which_argument
@click.option("--to", "language", type=click.Choice(["rego", "cedar"]), default="rego", help="语言 language to write")
@asks(has_json=False)
async def export(asking: Asking, language: str) -> None:
    compiled = await asking.policy()
    if language == "rego":
        click.echo(export_rego(compiled), nl=False)
    else:
        cedar = export_cedar(compiled)
        click.echo(
            f"// {compiled.hash}\n{cedar.bracket}\n// floors 底线：与上面的结果取并集 joined with OR\n{cedar.floors}",
            nl=False,
        )


policy_ask.join(policy)
policy_life.join(policy)
policy_recorded.join(policy)
