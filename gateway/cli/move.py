"""hutong move: from the embedded store to a cluster's, verified on both sides."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click

from gateway.assembly_move import move as move_store
from gateway.cli.frame import config_option, settings_of, speaks


@click.command(help="迁入集群 · move the (stopped) embedded gateway into a PostgreSQL database, verified on both sides")
@click.option(
    "--postgres",
    required=True,
    help="数据库地址（空库） postgresql://USER@HOST:PORT/DATABASE [HUTONG_POSTGRES_PASSWORD]",
)
@config_option
@speaks
async def move(postgres: str, config: Path) -> None:
    settings = settings_of(config)
    moved = await move_store(settings, postgres, os.environ.get("HUTONG_POSTGRES_PASSWORD", ""))
    stays = None if settings.object_directory else settings.objects
    _point_to(config, postgres, stays)
    click.echo(f"已迁移 moved: {moved.rows} 行 rows")
    click.echo(f"日志两侧一致 the log is the same on both sides: {moved.records} 条 records, root {moved.root.hex()}")
    click.echo(f"设置已改 settings changed: {config}")
    click.echo(
        f"附件仍在原处，其他节点须共用 documents stay where they are, other nodes must share it: {settings.objects}"
    )


def _point_to(config: Path, address: str, objects: Path | None = None) -> None:
    """Write the new storage into the settings file, in one step; what else is there stays as it is.

    `objects` is where the documents are, told where the settings did not say so: a cluster would look elsewhere.
    """
    text = config.read_text(encoding="utf-8")
    first_table = re.search(r"^\[", text, re.MULTILINE)
    at = len(text) if first_table is None else first_table.start()
    table = f"\n[postgres]\naddress = {json.dumps(address)}\n"
    where = "" if objects is None else f"object_directory = {json.dumps(os.path.relpath(objects, config.parent))}\n"
    changed = f'{text[:at]}storage = "postgres"\n{where}\n{text[at:].rstrip()}\n{table}'
    making = config.with_name(config.name + ".making")
    making.write_text(changed, encoding="utf-8")
    making.replace(config)
