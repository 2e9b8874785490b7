"""hutong backlog: how many deliveries wait for each office, and since when."""

from __future__ import annotations

import click

from gateway.cli.frame import Admin, acts, json_option, show, table


@click.command(help="投递积压 · what waits for each office, and since when; the longest waiting first")
@click.option("--office", metavar="OFFICE", help="只看此单位 this office alone")
@json_option
@acts
async def backlog(admin: Admin, as_json: bool, office: str | None) -> None:
    found = await admin.call("GET", "/admin/v1/backlog", office=office)
    if as_json:
        show(found)
        return
    rows = [
        {**one, "dead": " ".join(f"{reason} {count}" for reason, count in one["dead_letters"].items())} for one in found
    ]
    table(
        rows,
        {
            "office": "单位 office",
            "handover": "方式 handover",
            "due": "待取 due",
            "oldest_due_at": "最早 since",
            "leased": "已租 leased",
            "oldest_leased_at": "最早 since",
            "held": "暂缓 held",
            "dead": "死信 dead letters",
        },
    )
