"""hutong key: the keys this gateway signs receipts, releases and tokens with, and how they are changed while it runs."""

from __future__ import annotations

import click

from gateway.cli.frame import Admin, acts, json_option, show, table
from gateway.services.gateway_keys import ALGORITHMS, USES


@click.group(help="网关密钥 · list the keys this gateway signs with, rotate one")
def key() -> None:
    pass


@key.command("list", help="在用密钥 · the keys in use; the retired ones stay in /.well-known/jwks.json")
@json_option
@acts
async def list_(admin: Admin, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/keys")
    if as_json:
        show(found)
        return
    table(found, {"use": "用途 use", "algorithm": "算法 algorithm", "kid": "编号 kid"})


@key.command("rotate", help="轮换 · sign with a fresh key from now on; what the old one signed stays verifiable")
@click.argument("use", type=click.Choice(USES))
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], help="算法 algorithm")
@json_option
@acts
async def rotate(admin: Admin, use: str, algorithm: str, as_json: bool) -> None:
    made = await admin.call("POST", f"/admin/v1/keys/{use}", {"algorithm": algorithm})
    if as_json:
        show(made)
    else:
        click.echo(f"已换用 in use: {made['use']} {made['algorithm']} {made['kid']}")
