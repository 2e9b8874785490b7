"""hutong log: search the exchange log, show a record, verify that nobody rewrote it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.frame import EXIT_NO, Admin, config_option, json_option, settings_of, show, speaks, table


@click.group(help="交换日志 · the exchange log")
def log() -> None:
    pass


@log.command("search", help="检索 · newest first; the search itself is logged")
@click.option("--event", help="事件 event, e.g. disclosure_decided")
@click.option("--office", help="单位 office")
@click.option("--notice", help="通报 notice id")
@click.option("--delivery", help="投递 delivery id")
@click.option("--purpose", help="目的 purpose, e.g. P01")
@click.option("--policy", help="规则版本 policy hash")
@click.option("--outcome", help="结果 outcome")
@click.option("--since", help="起 RFC 3339")
@click.option("--until", help="止 RFC 3339")
@click.option("--before", type=int, help="从此序号之前 continue before this leaf")
@click.option("--limit", default=50, help="条数 rows")
@config_option
@json_option
@speaks
async def search(config: Path, as_json: bool, **query: str | int | None) -> None:
    found = await Admin(settings_of(config)).call("GET", "/admin/v1/log", **query)
    if as_json:
        show(found)
    else:
        table(found, {"index": "序号 index", "at": "时间 time", "event": "事件 event", "event_id": "编号 id"})


@log.command("show", help="查看 · one record, opened")
@click.argument("event_id")
@config_option
@speaks
async def show_(event_id: str, config: Path) -> None:
    show(await Admin(settings_of(config)).call("GET", f"/admin/v1/log/{event_id}"))


@log.command("verify", help="核验 · read everything back, recompute the root, open every record")
@config_option
@json_option
@speaks
async def verify(config: Path, as_json: bool) -> None:
    outcome = await Admin(settings_of(config)).call("GET", "/admin/v1/log/verification")
    if as_json:
        show(outcome)
    elif outcome["verified"]:
        click.echo(f"日志完整 verified: {outcome['size']} 条 records, root {outcome['root']}")
    else:
        click.echo(f"日志被改动 NOT verified: {outcome['reason']} at {outcome['first_bad']}", err=True)
    if not outcome["verified"]:
        raise SystemExit(EXIT_NO)
