"""hutong init: make a gateway in a folder: settings, keys, store, the shipped policy in force.

With `--postgres` the store is made in that (empty) database. Another node of the same cluster is made with `--join` and
the key directory that all nodes share: then settings are written and nothing else.

Where settings are there already (those of ops/, written by hand), `hutong init --config FILE` makes keys and store where
they say, once for a cluster.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from gateway.assembly import create
from gateway.cli.frame import SETTINGS_FILE, speaks, who_acts
from gateway.config import load_settings
from gateway.model.errors import Refusal

_SETTINGS = """\
# 护通网关设置 Hutong gateway settings. 未知的键会拒绝启动 An unknown key refuses to start.
name = "{name}"
region = "{region}"
directory = "data"      # 数据 data: notices, deliveries, log
key_directory = {keys}  # 密钥，须与数据分开保存 keys: apart from the data
{storage}
[server]
host = "{host}"
port = {port}
"""

_POSTGRES = """\
storage = "postgres"    # 多节点共用一个数据库 many nodes share one database; password: HUTONG_POSTGRES_PASSWORD

[postgres]
address = {address}
"""


@click.command(help="建立网关 · make a gateway in DIR: settings, keys, store, policy")
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="按已写好的设置建立，一个集群只做一次 with settings that are written already; once for a cluster",
)
@click.option(
    "--name", default="hutong.example", help="网关名称，亦为日志来源 name of the gateway and origin of its log"
)
@click.option("--region", default="440113", help="所在区划代码 division code of its area")
@click.option("--host", default="127.0.0.1", help="监听地址 address to listen on")
@click.option("--port", default=8440, help="监听端口 port to listen on")
@click.option(
    "--public-url", default="", help="各单位访问的地址 what offices call this gateway, the same on every node"
)
@click.option(
    "--postgres", default="", help="数据库地址（空库） postgresql://USER@HOST:PORT/DATABASE, empty: a cluster's store"
)
@click.option(
    "--join",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="加入集群：共用的密钥目录 join a cluster: its shared key directory; only settings are written",
)
@speaks
async def init(
    directory: Path | None,
    config: Path | None,
    name: str,
    region: str,
    host: str,
    port: int,
    public_url: str,
    postgres: str,
    join: Path | None,
) -> None:
    if (directory is None) == (config is None):
        raise Refusal("init makes a gateway in a folder, or with settings", remedy="give DIR, or --config FILE")
    if directory is None:
        assert config is not None
        await _create(config)
        return
    file = directory / SETTINGS_FILE
    if file.exists():
        raise Refusal("there is a gateway in this folder already", remedy="choose another folder")
    if join is not None and not postgres:
        raise Refusal("only nodes of a cluster share keys", remedy="give the database with --postgres")
    directory.mkdir(parents=True, exist_ok=True)
    keys = "keys" if join is None else str(join.resolve())
    storage = _POSTGRES.format(address=_text(postgres)) if postgres else ""
    text = _SETTINGS.format(name=name, region=region, host=host, port=port, keys=_text(keys), storage=storage)
    if public_url:
        text += f"public_url = {_text(public_url)}\n"
    file.write_text(text, encoding="utf-8")
    settings = load_settings(file)
    if join is not None:
        settings.directory.mkdir(mode=0o700, exist_ok=True)
        click.echo(f"已加入 joined: {file}")
        return
    await _create(file)


async def _create(file: Path) -> None:
    """Keys and store where the settings of the file say, and what to do next."""
    settings, first = load_settings(file), who_acts()
    await create(settings, by=first)
    click.echo(f"已建立 made: {file}")
    click.echo(
        f"名称 name: {settings.name}（日志与回执以此署名，以后不能改 signs log and receipts, never changed afterwards: --name）"
    )
    click.echo(f"区划 region: {settings.region}")
    click.echo(f"安全管理员 security administrator: {first}")
    click.echo(f"下一步 next: hutong serve --config {file}")
    click.echo(f"         hutong office add police.{settings.region} --name ... --profile offices --config {file}")


def _text(value: str) -> str:
    """A TOML basic string."""
    return json.dumps(value, ensure_ascii=False)
