"""hutong migrate: bring the store to the shape of this version.

An embedded store must not be open. A clustered one is upgraded while it serves: `--before`, the nodes one after the
other, then without it.
"""

from __future__ import annotations

from pathlib import Path

import click

from gateway.assembly_store import migrate_record
from gateway.cli.frame import config_option, settings_of, speaks


@click.command(help="升级存储 · bring the store to this version's shape; an embedded gateway must be stopped")
@click.option(
    "--before", "only_before", is_flag=True, help="只做前半步，旧版本仍可运行 only what the old version can live with"
)
@config_option
@speaks
async def migrate(only_before: bool, config: Path) -> None:
    version = await migrate_record(settings_of(config), only_before=only_before)
    click.echo(f"存储版本 store shape: {version}")
