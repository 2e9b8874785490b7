"""hutong policy submit|list|show|approve|reject|activate|rollback|retire: the life of a policy, at the running gateway.

Exit codes: 0 done, 1 handed in but its worked cases miss, 3 refused (the role is
missing, the step is not due, the files do not load), 4 no gateway runs here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import (
    EXIT_NO,
    Admin,
    acts,
    config_option,
    json_option,
    operator_option,
    settings_of,
    show,
    speaks,
    table,
)
from gateway.cli.policy_source import WORDS, files_to_hand_in

_STATES = {
    "draft": "起草 draft",
    "tested": "已测试 tested",
    "approved": "已批准 approved",
    "effective": "生效 effective",
    "retired": "已废止 retired",
}
_policy = click.argument("policy", metavar="POLICY")
SHORT = 12  # characters of a hash shown in tables; any unambiguous beginning of eight or more is taken


def join(group: click.Group) -> None:
    for command in (submit, list_, show_, approve, reject, activate, rollback, retire):
        group.add_command(command)


def short(policy: str) -> str:
    return policy.removeprefix("sha256:")[:SHORT]


@click.command(
    "submit", help=f"提交策略 · hand in a policy: prove it, run its cases, keep it for approval. WHICH: {WORDS}"
)
@click.argument("which")
@click.option("--note", default="", help="说明：改了什么、依据何在 what changed and on which basis")
@operator_option
@config_option
@json_option
@speaks
async def submit(which: str, note: str, operator: str, config: Path, as_json: bool) -> None:
    document = {**await files_to_hand_in(which, operator, config), "note": note}
    made = await Admin(settings_of(config), operator).call("POST", "/admin/v1/policies", document)
    cases = made["cases"]
    if as_json:
        show(made)
    else:
        click.echo(f"{short(made['policy'])}  {_STATES[made['state']]}")
        click.echo(f"案例 cases {cases['cases']}  未符 misses {len(cases['misses'])}")
        for miss in cases["misses"]:
            click.echo(
                f"✗ {miss['position']} {miss['case']}: {miss['field']} {miss['claim']} 应为 wanted {miss['wanted']}，实为 found {miss['found']}"
            )
        if made["widens"]:
            click.echo("地方扩大披露：须有上级审批人批准 widens in a region: an approver of the upper level must agree")
        if made["state"] == "tested":
            click.echo(f"下一步 next: hutong policy approve {short(made['policy'])} --as ANOTHER")
    if cases["misses"]:
        sys.exit(EXIT_NO)


@click.command("list", help="各版本所处阶段 · every policy and where it stands")
@json_option
@acts
async def list_(admin: Admin, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/policies")
    if as_json:
        show(found)
        return
    rows = [
        {
            "policy": short(one["policy"]),
            "state": _state(one),
            "region": one["region"],
            "author": one["author"],
            "approvers": one["approvers"],
            "from": one["effective_from"],
        }
        for one in found
    ]
    table(
        rows,
        {"policy": "策略 policy", "state": "阶段 state", "region": "区划 region", "author": "起草 author", "approvers": "审批 approved by", "from": "生效 effective from"},
    )  # fmt: skip


def _state(one: dict[str, Any]) -> str:
    """Effective is said of what decides now, and of what waits for its instant."""
    return "待生效 scheduled" if one["state"] == "effective" and not one["in_force"] else _STATES[one["state"]]


@click.command("show", help="一个版本走过的每一步 · every step one policy has taken")
@_policy
@json_option
@acts
async def show_(admin: Admin, policy: str, as_json: bool) -> None:
    _print(await admin.call("GET", f"/admin/v1/policies/{policy}"), as_json)


@click.command("approve", help="批准 · approve what another person has handed in")
@_policy
@json_option
@acts
async def approve(admin: Admin, policy: str, as_json: bool) -> None:
    _print(await admin.call("POST", f"/admin/v1/policies/{policy}/approval", {}), as_json)


@click.command("reject", help="驳回 · refuse what another person has handed in")
@_policy
@json_option
@acts
async def reject(admin: Admin, policy: str, as_json: bool) -> None:
    _print(await admin.call("POST", f"/admin/v1/policies/{policy}/rejection", {}), as_json)


@click.command(
    "activate",
    help="生效 · put an approved policy in force; answers when nothing older can leave any more (two seconds)",
)
@_policy
@click.option("--from", "start", help="何时起生效 from when on, RFC 3339 with offset [立即 at once]")
@json_option
@acts
async def activate(admin: Admin, policy: str, start: str | None, as_json: bool) -> None:
    document = {} if start is None else {"effective_from": start}
    _print(
        await admin.call("POST", f"/admin/v1/policies/{policy}/activation", document),
        as_json,
    )


@click.command("rollback", help="回退 · bring back a policy that was in force before, at once")
@_policy
@json_option
@acts
async def rollback(admin: Admin, policy: str, as_json: bool) -> None:
    _print(await admin.call("POST", f"/admin/v1/policies/{policy}/rollback", {}), as_json)


@click.command("retire", help="作罢 · give up a draft, or an activation that has not begun")
@_policy
@json_option
@acts
async def retire(admin: Admin, policy: str, as_json: bool) -> None:
    _print(await admin.call("POST", f"/admin/v1/policies/{policy}/retirement", {}), as_json)


def _print(version: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(version)
        return
    click.echo(f"{version['policy']}  {_STATES[version['state']]}")
    start = version["effective_from"]
    if start:
        click.echo(f"生效 effective from {start}")
    rows = [{**step, "state": _STATES[step["state"]]} for step in version["steps"]]
    table(rows, {"at": "时间 at", "state": "阶段 state", "by": "何人 by", "note": "说明 note"})
