"""hutong init: make a gateway in a folder: settings, keys, store, the shipped policy in force."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from gateway.assembly import create
from gateway.cli.frame import SETTINGS_FILE, speaks
from gateway.config import load_settings
from gateway.model.errors import Refusal

_SETTINGS = """\
# 护通网关设置 Hutong gateway settings. 未知的键会拒绝启动 An unknown key refuses to start.
name = "{name}"
region = "{region}"
directory = "data"      # 数据 data: notices, deliveries, log
key_directory = "keys"  # 密钥，须与数据分开保存 keys: apart from the data

[server]
host = "{host}"
port = {port}
"""


@click.command(help="建立网关 · make a gateway in DIR: settings, keys, store, policy")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--name", default="hutong.example", help="网关名称，亦为日志来源 name of the gateway and origin of its log"
)
@click.option("--region", default="440113", help="所在区划代码 division code of its area")
@click.option("--host", default="127.0.0.1", help="监听地址 address to listen on")
@click.option("--port", default=8440, help="监听端口 port to listen on")
@speaks
async def init(directory: Path, name: str, region: str, host: str, port: int) -> None:
    file = directory / SETTINGS_FILE
    if file.exists():
        raise Refusal("there is a gateway in this folder already", remedy="choose another folder")
    directory.mkdir(parents=True, exist_ok=True)
    file.write_text(_SETTINGS.format(name=name, region=region, host=host, port=port), encoding="utf-8")
    await create(load_settings(file), by=getpass.getuser())
    click.echo(f"已建立 made: {file}")
    click.echo(f"下一步 next: hutong serve --config {file}")
    click.echo(f"         hutong office add police.{region} --name ... --profile offices --config {file}")
