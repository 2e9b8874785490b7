"""hutong emergency: emergency accesses that wait for a second person's review."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.frame import Admin, config_option, json_option, operator_option, settings_of, show, speaks, table

OUTCOMES = ("justified", "not-justified", "training")


@click.group(help="紧急破例 · emergency access and its review")
def emergency() -> None:
    pass


@emergency.command("list", help="待复核的紧急破例 · emergency accesses that wait for review")
@click.option("--all", "is_all", is_flag=True, help="包括已复核 reviewed ones too, newest first")
@operator_option
@config_option
@json_option
@speaks
async def list_(is_all: bool, operator: str, config: Path, as_json: bool) -> None:
    found = await Admin(settings_of(config), operator).call(
        "GET", "/admin/v1/emergencies", all="yes" if is_all else None
    )
    if as_json:
        show(found)
        return
    table(
        found,
        {"emergency": "编号 id", "office": "单位 office", "granted_at": "时间 at", "reason_code": "原因 reason",
         "reason": "说明 in words", "outcome": "结论 outcome"},
    )  # fmt: skip


@emergency.command("review", help="复核 · review one. ID: see `list`; by the operator, who did not ask for it")
@click.argument("id_", metavar="ID")
@click.argument("outcome", type=click.Choice(OUTCOMES))
@click.option("--finding", default="", help="复核意见 what was found")
@operator_option
@config_option
@json_option
@speaks
async def review(id_: str, outcome: str, finding: str, operator: str, config: Path, as_json: bool) -> None:
    document = {"outcome": outcome, "finding": finding}
    reviewed = await Admin(settings_of(config), operator).call("POST", f"/admin/v1/emergencies/{id_}/review", document)
    show(reviewed) if as_json else click.echo(f"{reviewed['emergency']}: {reviewed['outcome']}")
