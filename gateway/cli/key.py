"""hutong key: the keys this gateway signs receipts, releases and tokens with, and how they are changed while it runs."""

from __future__ import annotations

import click

from gateway.cli.frame import Admin, acts, json_option, show, table
from gateway.services.gateway_keys import ALGORITHMS, USES


@click.group(help="网关密钥 · list the keys this gateway signs with, rotate one, change the root key")
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


@key.command(
    "change-root",
    help="更换根密钥 · open the key store with another root key from now on, while the gateway runs. See ops/runbooks/rotate-keys.md",
)
@json_option
@acts
async def change_root(admin: Admin, as_json: bool) -> None:
    made = await admin.call("POST", "/admin/v1/root-key")
    if as_json:
        show(made)
        return
    click.echo(f"根密钥已更换 the root key was changed: {made['name'][:16]}")
    click.echo("现在备份 copy now: hutong backup DIR --root-key · hutong backup DIR --keys")
    click.echo("此前的密钥备份只能用旧根密钥打开 older copies of the keys open with the old root key alone")
