"""hutong conflict: two compliance officers clear what is not known of a guardian, or one takes it back (DOMAIN 5.6 K6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gateway.cli.frame import Admin, acts, json_option, show

_STATES = {
    "asked": "已登记，须另一人在一日内确认 noted: a second person confirms within a day",
    "cleared": "已解除 cleared: holds for what this case has received so far",
    "reversed": "已恢复为未知 taken back: unknown again",
}


@click.group(help="利益冲突 · clear an unknown conflict of a guardian, or take that back")
def conflict() -> None:
    pass


@conflict.command(
    "clear", help="解除 · ask for a clearing, or make it as the second person. GUARDIAN: KIND:NUMBER or a person id"
)
@click.argument("guardian")
@click.option("--case", required=True, metavar="CASE", help="个案 the case, as `hutong case show` has it")
@click.option("--reason", required=True, help="理由代码 a code, e.g. lives-apart")
@json_option
@acts
async def clear(admin: Admin, as_json: bool, **asked: str) -> None:
    await _ask(admin, "clearing", asked, as_json)


@conflict.command("reverse", help="恢复 · take a clearing back; answers when nothing decided before can leave any more")
@click.argument("guardian")
@click.option("--case", required=True, metavar="CASE", help="个案 the case")
@click.option("--reason", required=True, help="理由代码 a code")
@json_option
@acts
async def reverse(admin: Admin, as_json: bool, **asked: str) -> None:
    await _ask(admin, "reversal", asked, as_json)


async def _ask(admin: Admin, what: str, asked: Mapping[str, str], as_json: bool) -> None:
    """`asked` are guardian, case and reason."""
    done: dict[str, Any] = await admin.call("POST", f"/admin/v1/conflicts/{what}", asked)
    if as_json:
        show(done)
    else:
        click.echo(_STATES[done["state"]])
