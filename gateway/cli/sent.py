"""hutong sent: what became of the notices an office has sent, by receipts whose signatures are verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import json_option, show, speaks, table
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Profile

STATES_ZH = {
    "held": "待人工",
    "due": "待领",
    "acknowledged": "已收",
    "accepted": "已受理",
    "declined": "不受理",
    "acted-on": "已反馈",
    "refused": "按规则不给",
    "dead-letter": "未能送达",
    "withdrawn": "已撤回",
    "expired": "过期未领",
    "superseded": "已被替换",
}
_COLUMNS = {
    "updated_at": "时间 time",
    "notice": "通报 notice",
    "type": "类型 type",
    "recipient": "接收 recipient",
    "told": "状态 state",
}


@click.command(help="已报 · what became of NOTICE; without it, of everything that changed since a cursor")
@click.argument("notice", metavar="[NOTICE]", required=False)
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--since", "cursor", default="", metavar="CURSOR", help="上次给出的游标 the cursor that was printed last")
@click.option("--follow", is_flag=True, help="持续等待 go on waiting")
@profile_option
@json_option
@speaks
async def sent(notice: str | None, office: str, cursor: str, follow: bool, profile: Path, as_json: bool) -> None:
    async with AgencyClient(Profile.load(profile, office)) as client:
        if notice is not None:
            found = await client.notice(notice)
            rows = [{**one, "notice": found["notice"], "type": found["type"]} for one in found["deliveries"]]
            show(found) if as_json else _print(rows)
            return
        is_first = True
        while True:
            found = await client.changes(cursor, wait_seconds=30 if follow else 0)
            if as_json:
                show(found)
            elif found["changes"] or (is_first and not follow):
                _print(found["changes"])
            is_first = False
            if not found["changes"] and not follow:
                break
            cursor = found["cursor"]
        if not as_json:
            click.echo(f"下次 next: --since {found['cursor']}")


def _print(rows: list[dict[str, Any]]) -> None:
    table([{**row, "told": f"{STATES_ZH[row['state']]} {row['state']}"} for row in rows], _COLUMNS)
