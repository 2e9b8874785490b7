"""hutong dead-letter: deliveries that did not get through, and driving them again in bulk."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from gateway.cli.frame import Admin, acts, json_option, show, table


@click.group(name="dead-letter", help="死信 · deliveries that did not get through")
def dead_letter() -> None:
    pass


def _filters(command: Any) -> Any:
    for name, text in (
        ("recipient", "接收单位 recipient"), ("sender", "发送单位 sender"), ("reason", "原因 reason"),
        ("notice-type", "通报类型 notice type"), ("since", "起，RFC 3339 from then on"), ("until", "止，RFC 3339 until then"),
        ("delivery", "投递编号 delivery id"),
    ):  # fmt: skip
        command = click.option(f"--{name}", help=text)(command)
    return command


@dead_letter.command("list", help="列出 · by recipient, sender, reason, type, time")
@_filters
@click.option("--after", help="从此投递之后 continue after this delivery")
@json_option
@acts
async def list_(admin: Admin, as_json: bool, after: str | None, **where: str | None) -> None:
    found = await admin.call("GET", "/admin/v1/dead-letters", after=after, **where)
    if as_json:
        show(found)
    else:
        table(
            found,
            {
                "delivery": "投递 delivery",
                "type": "类型 type",
                "recipient": "接收 recipient",
                "reason": "原因 reason",
                "attempts": "次数",
                "created_at": "时间 created",
            },
        )


@dead_letter.command("show", help="查看 · one dead letter")
@click.argument("id_", metavar="DELIVERY")
@acts
async def show_(admin: Admin, id_: str) -> None:
    show(await admin.call("GET", f"/admin/v1/dead-letters/{quote(id_, safe='')}"))


@dead_letter.command("retry", help="重投 · drive again; a dry run unless --go")
@_filters
@click.option("--go", is_flag=True, help="真正重投 do it; without this only count")
@click.option("--per-second", default=10.0, help="每秒最多 at most per second")
@acts
async def retry(admin: Admin, go: bool, per_second: float, **where: str | None) -> None:
    given = {name: value for name, value in where.items() if value is not None}
    document = {"where": given, "dry_run": not go, "per_second": per_second}
    outcome = await admin.call("POST", "/admin/v1/dead-letters/retry", document)
    click.echo(f"匹配 matched {outcome['matched']}  重投 driven {outcome['driven']}" + ("" if go else "  (dry run)"))


@dead_letter.command("stop", help="停止 · stop the bulk retry that is under way")
@acts
async def stop(admin: Admin) -> None:
    await admin.call("POST", "/admin/v1/dead-letters/stop", {})


@dead_letter.command("held", help="暂缓 · what waits for a person, for one office (enrolled or not)")
@click.argument("office")
@acts
async def held(admin: Admin, office: str) -> None:
    found = await admin.call("GET", f"/admin/v1/offices/{office}/held")
    table(
        found,
        {
            "delivery": "投递 delivery",
            "type": "类型 type",
            "sender": "发送 sender",
            "reason": "原因 reason",
            "created_at": "时间 created",
        },
    )


@dead_letter.command("release", help="放行 · let a held delivery go; what may be seen is decided anew")
@click.argument("id_", metavar="DELIVERY")
@acts
async def release(admin: Admin, id_: str) -> None:
    outcome = await admin.call("POST", f"/admin/v1/deliveries/{id_}/release", {})
    click.echo(f"{outcome['delivery']}: {outcome['state']}")
