"""hutong case: what happened in a case, for operators: metadata, never content."""

from __future__ import annotations

import click

from gateway.cli.frame import Admin, acts, json_option, show, table


@click.group(help="个案 · cases of this gateway, without content")
def case() -> None:
    pass


@case.command("show", help="查看个案 · the notices of a case and where each went. ID: case id, or --notice")
@click.argument("id_", metavar="ID")
@click.option("--notice", "is_notice", is_flag=True, help="ID 为通报编号 ID is a notice id")
@json_option
@acts
async def show_(admin: Admin, id_: str, is_notice: bool, as_json: bool) -> None:
    if is_notice:
        id_ = (await admin.call("GET", f"/admin/v1/notices/{id_}"))["case"]
    notices = await admin.call("GET", f"/admin/v1/cases/{id_}")
    if as_json:
        show(notices)
        return
    for notice in notices:
        click.echo(
            f"{notice['received_at']}  {notice['type']}  {notice['notice']}  {notice['sender']}  {' '.join(notice['flags'])}"
        )
        table(
            [{**delivery, "indent": ""} for delivery in notice["deliveries"]],
            {"indent": " ", "recipient": "接收 recipient", "state": "状态 state", "attempts": "次数 attempts", "reason": "原因 reason"},
        )  # fmt: skip
