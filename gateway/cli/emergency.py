"""hutong emergency: emergency accesses that wait for a second person's review."""

from __future__ import annotations

import click

from gateway.cli.frame import Admin, acts, json_option, show, table

OUTCOMES = ("justified", "not-justified", "training")


@click.group(help="紧急破例 · emergency access and its review")
def emergency() -> None:
    pass


@emergency.command("list", help="待复核的紧急破例 · emergency accesses that wait for review")
@click.option("--all", "is_all", is_flag=True, help="包括已复核 reviewed ones too, newest first")
@json_option
@acts
async def list_(admin: Admin, is_all: bool, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/emergencies", all="yes" if is_all else None)
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
@json_option
@acts
async def review(admin: Admin, id_: str, outcome: str, finding: str, as_json: bool) -> None:
    document = {"outcome": outcome, "finding": finding}
    reviewed = await admin.call("POST", f"/admin/v1/emergencies/{id_}/review", document)
    show(reviewed) if as_json else click.echo(f"{reviewed['emergency']}: {reviewed['outcome']}")
