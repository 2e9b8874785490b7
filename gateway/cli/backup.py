"""hutong backup and hutong restore: copy a gateway's data, its keys, or the root key that opens them, and put a copy back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import config_option, json_option, settings_of, show, speaks
from gateway.engines.backup.copies import DATA, KEYS, ROOT, ROOT_KEY_FILE, Copy, make_copy, put_back
from gateway.engines.files.lock import OwnerLock
from gateway.model.errors import InvalidDocument

KIND_OPTIONS = (
    click.option("--keys", "kind", flag_value=KEYS, help="密钥而非数据 the keys instead of the data"),
    click.option(
        "--root-key", "kind", flag_value=ROOT, help="根密钥，一次，另存一处 the root key: once, to a third place"
    ),
)


def kind_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in KIND_OPTIONS:
        command = option(command)
    return command


@click.command(help="备份 · copy the data (or --keys) into an empty folder, also while the gateway runs")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@kind_options
@config_option
@json_option
@speaks
async def backup(folder: Path, kind: str | None, config: Path, as_json: bool) -> None:
    settings, kind = settings_of(config), kind or DATA
    data, keys, target = settings.directory.resolve(), settings.key_directory.resolve(), folder.resolve()
    if any(target == one or one in target.parents for one in (data, keys)):
        raise InvalidDocument("a backup inside the gateway's own folders is none", remedy="use another disk")
    if settings.is_clustered and kind == DATA:
        raise InvalidDocument(
            "a clustered gateway's data is in the database",
            remedy="use PostgreSQL's pg_basebackup or pg_dump; see ops/runbooks/backup.md",
        )
    if kind == ROOT and not (keys / ROOT_KEY_FILE).is_file():
        raise InvalidDocument("the root key is no file here", remedy="keep its passphrase on paper, in a safe")
    copy = make_copy(data if kind == DATA else keys, target, kind, datetime.now(UTC))
    _tell(copy, as_json, left_out=kind == KEYS and (keys / ROOT_KEY_FILE).is_file())


@click.command(help="恢复 · put a backup back where nothing is; the gateway must be stopped")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@kind_options
@config_option
@json_option
@speaks
async def restore(folder: Path, kind: str | None, config: Path, as_json: bool) -> None:
    settings, kind = settings_of(config), kind or DATA
    if settings.is_clustered and kind == DATA:
        raise InvalidDocument(
            "a clustered gateway's data is in the database",
            remedy="use PostgreSQL's own tools; see ops/runbooks/backup.md",
        )
    target = settings.directory if kind == DATA else settings.key_directory
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = OwnerLock(target)
    try:
        copy = put_back(folder, target, kind)
    finally:
        lock.release()
    is_open = bool(settings.key_passphrase) or (settings.key_directory / ROOT_KEY_FILE).is_file()
    _tell(copy, as_json, left_out=kind == KEYS and not is_open)
    if not as_json and kind == DATA:
        click.echo(
            "启动后若曾签名更多，进入取证冻结 if more was signed than this holds, the start enters the forensic hold:"
        )
        click.echo("  hutong hold show; ops/runbooks/backup.md")


def _tell(copy: Copy, as_json: bool, *, left_out: bool) -> None:
    """`left_out`: the root key is a file, and not among these."""
    told = {
        "kind": copy.kind,
        "made_at": copy.made_at.isoformat(),
        "files": len(copy.files),
        "log_size": copy.log_size,
        "keep_until": None if copy.keep_until is None else copy.keep_until.isoformat(),
        "left_out": [ROOT_KEY_FILE] if left_out else [],
    }
    if as_json:
        show(told)
        return
    click.echo(f"{copy.kind}: {len(copy.files)} 个文件 files, {copy.made_at:%Y-%m-%d %H:%M:%S} UTC")
    if copy.log_size is not None:
        click.echo(f"日志 log: {copy.log_size} 条 records")
    if copy.keep_until is not None:
        click.echo(f"最迟销毁 destroy by {copy.keep_until:%Y-%m-%d %H:%M} UTC")
    if left_out:
        click.echo(f"不含 {ROOT_KEY_FILE}，没有它打不开密钥 without it the keys open nothing; it is not among these:")
        click.echo("  hutong backup|restore DIR --root-key （备份一次，另存第三处 copied once, kept in a third place）")
