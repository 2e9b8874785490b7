"""hutong serve: run a node until it is told to stop; then finish what is in flight."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click
import uvloop

from gateway.cli.frame import config_option, fail, settings_of
from gateway.config import Settings
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.interpreter import set_for_serving, set_for_start
from gateway.engines.system.logs import EventLog, take_over_logging
from gateway.engines.system.outlet import Outlet
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
    except BackgroundEnded:
        raise SystemExit(1) from None


_ENDED = "后台任务意外结束，节点随之退出 a background task ended, and the node with it; see its log"


class BackgroundEnded(Exception):
    """Something that a node does by itself failed for a reason nobody foresaw: half a node serves nobody."""


async def _serve(settings: Settings) -> None:
    from gateway.assembly import running  # a third of the start, and better under the threshold above

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failed: BaseException | None = None
    outlet = Outlet(sys.stderr.fileno())  # whether or not anybody reads it
    take_over_logging(EventLog(outlet, SystemClock()))
    try:
        async with running(settings, log_stream=outlet) as gateway:
            set_for_serving()
            events = gateway.engines.events
            take_over_logging(events)
            events.say(f"护通运行于 Hutong serves {gateway.url}")
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait({stopping, gateway.background}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            failed = gateway.background.exception() if gateway.background.done() else None
            for one in _each(failed):
                events.error("background_ended", one)
            if failed is not None:
                events.say(f"错误 error: {_ENDED}")
            events.say("正在收尾 draining")
    except BaseExceptionGroup:
        if failed is None:
            raise
    finally:
        outlet.close()
    if failed is not None:
        raise BackgroundEnded


def _each(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [one for part in error.exceptions for one in _each(part)]
    return [] if error is None else [error]
