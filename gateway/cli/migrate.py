"""hutong migrate: bring a store that nobody has open to the shape of this version."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.frame import config_option, settings_of, speaks
from gateway.engines.sqlite.store import SqliteStore


@click.command(help="升级存储 · bring the store to this version's shape; the gateway must be stopped")
@click.option(
    "--before", "only_before", is_flag=True, help="只做前半步，旧版本仍可运行 only what the old version can live with"
)
@config_option
@speaks
async def migrate(only_before: bool, config: Path) -> None:
    version = SqliteStore.migrate(settings_of(config).directory, only_before=only_before)
    click.echo(f"存储版本 store shape: {version}")
