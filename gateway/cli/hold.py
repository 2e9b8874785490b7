"""hutong hold: what the log contradicts, and how two persons end it."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.frame import (
    EXIT_NO,
    Admin,
    acts,
    json_option,
    show,
)


@click.group(help="取证冻结 · the log contradicts what was signed: see, and end with two persons")
def hold() -> None:
    pass


@hold.command("show", help="查看 · is there a hold, and what contradicts what; exit 1 while there is one")
@json_option
@acts
async def show_(admin: Admin, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/hold")
    _print(found, as_json)
    if found["hold"]:
        raise SystemExit(EXIT_NO)


@hold.command("release", help="解除 · ask for the end of a hold, or confirm it as a second person")
@click.option("--reason", required=True, help="理由代码 a code, e.g. restored-backup")
@json_option
@acts
async def release(admin: Admin, reason: str, as_json: bool) -> None:
    found = await admin.call("POST", "/admin/v1/hold/release", {"reason": reason})
    _print(found, as_json)
    if not as_json and not found["released"]:
        click.echo("已登记，须另一人在一小时内确认 noted: a second person confirms within the hour")


@hold.command(
    "journals", help="冻结期日志 · the journal of each hold, its keys, and how to verify it without this gateway"
)
@json_option
@acts
async def journals(admin: Admin, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/hold/journals")
    if as_json:
        show(found)
    else:
        for one in found["journals"]:
            state = "已并入日志 joined to the log" if one["joined"] else "未并入 not joined"
            if not one["holds"]:
                click.echo(f"{one['journal']}  内容与签名不符，保留为证据 NOT as it was signed: keep {one['folder']}")
                continue
            click.echo(f"{one['journal']}  {one['size']} 条 records, root {one['root']}, {state}")
            keys = " ".join(f"--key {key}" for key in one["keys"])
            click.echo(f"  python3 hutong_verify.py log {one['folder']} --records {one['folder']}/records.jsonl {keys}")
        click.echo(f"下一份 next: {found['next']['origin']}")
        for key in found["next"]["keys"]:
            click.echo(f"  {key}")
    if not all(one["holds"] for one in found["journals"]):
        raise SystemExit(EXIT_NO)


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
    if found["journal_problem"]:
        click.echo(f"  冻结期日志写入受阻 the hold's journal is behind: {found['journal_problem']}")
