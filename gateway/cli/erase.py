"""hutong erase: two people erase a person; the log goes on proving."""

from __future__ import annotations

import sys

import click

from gateway.cli.frame import Admin, acts, json_option, show, table
from gateway.model.errors import InvalidDocument

_COLUMNS = {"erasure": "编号 id", "authority": "依据 authority", "asked_by": "申请人 asked by", "asked_at": "时间 at"}


@click.command(
    help="删除个人信息 · erase PERSON... (KIND:NUMBER or person id); a second person approves each with --approve ID"
)
@click.argument("persons", nargs=-1, metavar="[PERSON]...")
@click.option(
    "--authority", default="rights-request", help="依据代码 code of the ground, e.g. rights-request, court, retention"
)
@click.option(
    "--approve", "approvals", multiple=True, metavar="ID", help="第二人批准 approve as the second person, and carry out"
)
@json_option
@acts
async def erase(
    admin: Admin, persons: tuple[str, ...], authority: str, approvals: tuple[str, ...], as_json: bool
) -> None:
    """Without arguments: what waits for approval. An identifier typed here is kept nowhere; `-` reads one a line from standard input."""
    if persons and approvals:
        raise InvalidDocument("ask or approve, not both at once")
    if not persons and not approvals:
        waiting = await admin.call("GET", "/admin/v1/erasures")
        show(waiting) if as_json else table(waiting, _COLUMNS)
        return
    done = [await admin.call("POST", f"/admin/v1/erasures/{one}/approval", {}) for one in approvals]
    named = sys.stdin.read().split() if persons == ("-",) else list(persons)
    asked = [await admin.call("POST", "/admin/v1/erasures", {"person": one, "authority": authority}) for one in named]
    if as_json:
        show([*done, *asked])
        return
    for one in done:
        click.echo(
            f"已删除 erased {one['erasure']}: 密钥 keys {one['keys']}, 原文 raw {one['raw_bodies']}, 日志 records {one['records']}"
        )
        if one["shared_notices"]:
            click.echo(
                f"  {one['shared_notices']} 件通报另涉他人，共同内容保留 notices name another child: their common text stays"
            )
    for one in asked:
        click.echo(f"待第二人批准 waits for a second person: hutong erase --approve {one['erasure']}")
        if one["same_person"]:
            same = " ".join(one["same_person"])
            click.echo(f"  同一人另有记录，须分别申请 joined with, and to be asked for each: {same}")
