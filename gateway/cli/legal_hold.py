"""hutong legal-hold: whose content is kept, whatever else would destroy it."""

from __future__ import annotations

import sys

import click

from gateway.cli.frame import Admin, acts, json_option, show, table

_COLUMNS = {
    "hold": "编号 id", "person": "人员 person", "authority": "依据 authority", "set_by": "设置人 set by", "set_at": "时间 at",
}  # fmt: skip


@click.group("legal-hold", help="证据保全 · keep a person's content from erasure and expiry")
def legal_hold() -> None:
    pass


@legal_hold.command("set", help="设置 · PERSON is KIND:NUMBER or a person id; - reads it from standard input")
@click.argument("person")
@click.option("--authority", required=True, help="依据代码 code, e.g. court-order")
@json_option
@acts
async def set_(admin: Admin, person: str, authority: str, as_json: bool) -> None:
    named = sys.stdin.readline().strip() if person == "-" else person
    body = {"person": named, "authority": authority}
    made = await admin.call("POST", "/admin/v1/legal-holds", body)
    if as_json:
        show(made)
    else:
        click.echo(
            f"已保全 held: {made['hold']}；由另一人解除 lifted by another person: hutong legal-hold lift {made['hold']}"
        )


@legal_hold.command("list", help="列出 · the holds that stand")
@json_option
@acts
async def list_(admin: Admin, as_json: bool) -> None:
    standing = await admin.call("GET", "/admin/v1/legal-holds")
    show(standing) if as_json else table(standing, _COLUMNS)


@legal_hold.command("lift", help="解除 · by another person than who set it")
@click.argument("hold")
@acts
async def lift(admin: Admin, hold: str) -> None:
    await admin.call("POST", f"/admin/v1/legal-holds/{hold}/lifting", {})
    click.echo(f"已解除 lifted: {hold}")
