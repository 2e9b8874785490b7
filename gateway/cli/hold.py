"""hutong hold: what the log contradicts, and how two persons end it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import EXIT_NO, Admin, config_option, json_option, settings_of, show, speaks


@click.group(help="取证冻结 · the log contradicts what was signed: see, and end with two persons")
def hold() -> None:
    pass


@hold.command("show", help="查看 · is there a hold, and what contradicts what; exit 1 while there is one")
@config_option
@json_option
@speaks
async def show_(config: Path, as_json: bool) -> None:
    found = await Admin(settings_of(config)).call("GET", "/admin/v1/hold")
    _print(found, as_json)
    if found["hold"]:
        raise SystemExit(EXIT_NO)


@hold.command("release", help="解除 · ask for the end of a hold, or confirm it as a second person")
@click.option("--reason", required=True, help="理由代码 a code, e.g. restored-backup")
@config_option
@json_option
@speaks
async def release(reason: str, config: Path, as_json: bool) -> None:
    found = await Admin(settings_of(config)).call("POST", "/admin/v1/hold/release", {"reason": reason})
    _print(found, as_json)
    if not as_json and not found["released"]:
        click.echo("已登记，须另一人在一小时内确认 noted: a second person confirms within the hour")


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(found)
        return
    if not found["hold"]:
        click.echo(f"无冻结 no hold. 日志 log {found['origin']}, 最近签名 newest checkpoint {found['checkpoint']}")
        if not found["ordinary_disclosures"]:
            click.echo("见证不足，普通披露暂停 too few witnesses: ordinary disclosures wait")
        return
    click.echo(f"取证冻结 HOLD ({found['why']})")
    click.echo(f"  曾签名 signed before: {found['signed_size']} 条 records, root {found['signed_root']}")
    click.echo(f"  现有 own tree:       {found['own_size']} 条 records, root {found['own_root']}")
    click.echo("  报告与紧急通报继续，其余暂停 reports and urgency 2 go on, all else waits")
