"""hutong serve: run a node until it is told to stop; then finish what is in flight."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click
import uvloop

from gateway.cli.frame import config_option, fail, settings_of
from gateway.config import Settings
from gateway.engines.system.interpreter import set_for_serving, set_for_start
from gateway.model.errors import HutongError


@click.command(help="运行节点 · run a node")
@config_option
def serve(config: Path) -> None:
    set_for_start()
    settings = settings_of(config)
    try:
        uvloop.run(_serve(settings))
    except HutongError as error:
        raise SystemExit(fail(error)) from error


async def _serve(settings: Settings) -> None:
    from gateway.assembly import running  # a third of the start, and better under the threshold above

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as gateway:
        set_for_serving()
        click.echo(f"护通运行于 Hutong serves {gateway.url}", err=True)
        await stop.wait()
        click.echo("正在收尾 draining", err=True)
