"""hutong backup and hutong restore: copy a gateway's data, or its keys, and put a copy back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.cli.frame import config_option, json_option, settings_of, show, speaks
from gateway.engines.backup.copies import DATA, KEYS, Copy, make_copy, put_back
from gateway.engines.files.lock import OwnerLock
from gateway.model.errors import InvalidDocument

keys_option = click.option("--keys", "is_keys", is_flag=True, help="密钥而非数据 the keys instead of the data")


@click.command(help="备份 · copy the data (or --keys) into an empty folder, also while the gateway runs")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@keys_option
@config_option
@json_option
@speaks
async def backup(folder: Path, is_keys: bool, config: Path, as_json: bool) -> None:
    settings = settings_of(config)
    data, keys, target = settings.directory.resolve(), settings.key_directory.resolve(), folder.resolve()
    if any(target == one or one in target.parents for one in (data, keys)):
        raise InvalidDocument("a backup inside the gateway's own folders is none", remedy="use another disk")
    if settings.is_clustered and not is_keys:
        raise InvalidDocument(
            "a clustered gateway's data is in the database",
            remedy="use PostgreSQL's pg_basebackup or pg_dump; see ops/runbooks/backup.md",
        )
    source, kind = (keys, KEYS) if is_keys else (data, DATA)
    _tell(make_copy(source, target, kind, datetime.now(UTC)), as_json)


@click.command(help="恢复 · put a backup back where nothing is; the gateway must be stopped")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@keys_option
@config_option
@json_option
@speaks
async def restore(folder: Path, is_keys: bool, config: Path, as_json: bool) -> None:
    settings = settings_of(config)
    if settings.is_clustered and not is_keys:
        raise InvalidDocument(
            "a clustered gateway's data is in the database",
            remedy="use PostgreSQL's own tools; see ops/runbooks/backup.md",
        )
    target, kind = (settings.key_directory, KEYS) if is_keys else (settings.directory, DATA)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = OwnerLock(target)
    try:
        copy = put_back(folder, target, kind)
    finally:
        lock.release()
    _tell(copy, as_json)
    if not as_json and kind == DATA:
        click.echo(
            "启动后若曾签名更多，进入取证冻结 if more was signed than this holds, the start enters the forensic hold:"
        )
        click.echo("  hutong hold show; ops/runbooks/backup.md")


def _tell(copy: Copy, as_json: bool) -> None:
    told = {
        "kind": copy.kind,
        "made_at": copy.made_at.isoformat(),
        "files": len(copy.files),
        "log_size": copy.log_size,
        "keep_until": None if copy.keep_until is None else copy.keep_until.isoformat(),
    }
    if as_json:
        show(told)
        return
    click.echo(f"{copy.kind}: {len(copy.files)} 个文件 files, {copy.made_at:%Y-%m-%d %H:%M:%S} UTC")
    if copy.log_size is not None:
        click.echo(f"日志 log: {copy.log_size} 条 records")
    if copy.keep_until is not None:
        click.echo(f"最迟销毁 destroy by {copy.keep_until:%Y-%m-%d %H:%M} UTC")
