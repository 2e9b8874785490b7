"""hutong witness: an independent agency cosigns the exchange log, over HTTP or by removable medium.

Needs no gateway. A folder holds all there is: two key files, `name`, `logs` (one
trusted verifier key a line) and `witness.db`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click
from aiohttp import web

from gateway.audit.findings import Unreadable
from gateway.audit.note import NoteKey, check_name, parse_vkey
from gateway.cli.frame import EXIT_NO, fail, json_option, show
from gateway.engines.files.note_keys import NoteSigningKey, load_note_keys, make_note_keys
from gateway.engines.system.clock import SystemClock
from gateway.engines.witness_store import SqliteWitnessStore
from gateway.http.witness import witness_app
from gateway.model.errors import HutongError, InvalidDocument
from gateway.services.witness import Witness

PASSPHRASE = "HUTONG_WITNESS_PASSPHRASE"  # noqa: S105 - the name of a setting
_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group(help="见证 · cosign the exchange log from outside")
def witness() -> None:
    pass


def _passphrase() -> bytes | None:
    text = os.environ.get(PASSPHRASE)
    return text.encode() if text else None


def _logs(folder: Path) -> dict[str, list[NoteKey]]:
    found: dict[str, list[NoteKey]] = {}
    path = folder / "logs"
    lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            key = parse_vkey(line.strip())
        except Unreadable as wrong:
            raise InvalidDocument(f"`logs` line {number}: {wrong}") from None
        found.setdefault(key.name, []).append(key)
    return found


def _signers(folder: Path) -> Sequence[NoteSigningKey]:
    try:
        name = (folder / "name").read_text(encoding="utf-8").strip()
    except OSError:
        raise InvalidDocument("this folder is no witness", remedy="make one with `hutong witness init`") from None
    return load_note_keys(folder, "witness", name, _passphrase())


def _open(folder: Path) -> Witness:
    return Witness(SqliteWitnessStore(folder / "witness.db"), _signers(folder), _logs(folder), SystemClock())


@witness.command("init", help=f"建立见证 · make keys and store; {PASSPHRASE} encrypts the keys")
@_folder
@click.option("--name", required=True, help="见证名称 name, like witness.procuratorate.example")
def init(folder: Path, name: str) -> None:
    try:
        check_name(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_note_keys(folder, "witness", _passphrase())
        (folder / "name").write_text(name + "\n", encoding="utf-8")
        (folder / "logs").write_text(
            "# 可信日志公钥，每行一个 · trusted logs, one verifier key a line\n", encoding="utf-8"
        )
        SqliteWitnessStore(folder / "witness.db", create=True).close()
        for signer in load_note_keys(folder, "witness", name, _passphrase()):
            click.echo(signer.key.vkey)
    except Unreadable as wrong:
        raise SystemExit(fail(InvalidDocument(str(wrong)))) from wrong
    except HutongError as error:
        raise SystemExit(fail(error)) from error


@witness.command("trust", help="信任日志 · add verifier keys of a log")
@_folder
@click.argument("vkeys", nargs=-1, required=True)
def trust(folder: Path, vkeys: tuple[str, ...]) -> None:
    try:
        for vkey in vkeys:
            parse_vkey(vkey)
        _logs(folder)
    except Unreadable as wrong:
        raise SystemExit(fail(InvalidDocument(str(wrong)))) from wrong
    except HutongError as error:
        raise SystemExit(fail(error)) from error
    with (folder / "logs").open("a", encoding="utf-8") as file:
        file.writelines(f"{vkey}\n" for vkey in vkeys)


@witness.command("serve", help="运行见证服务 · answer add-checkpoint over HTTP (put TLS before it)")
@_folder
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址 address to listen on")
@click.option("--port", default=8793, show_default=True, help="监听端口 port to listen on")
def serve(folder: Path, host: str, port: int) -> None:
    try:
        app = witness_app(_open(folder))
    except HutongError as error:
        raise SystemExit(fail(error)) from error
    web.run_app(app, host=host, port=port, print=lambda line: click.echo(line))


@witness.command("cosign", help="离线见证 · cosign a request file from a removable medium; writes the reply beside it")
@_folder
@click.argument("request", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("reply", type=click.Path(path_type=Path, dir_okay=False))
def cosign(folder: Path, request: Path, reply: Path) -> None:
    """Exit 0: cosigned, the reply holds the lines. Exit 1: refused; for a conflict of sizes the reply holds ours."""
    try:
        answer = _open(folder).add_checkpoint(request.read_bytes())
    except HutongError as error:
        raise SystemExit(fail(error)) from error
    if answer.status == 200:
        reply.write_bytes(answer.body)
        click.echo("已见证 cosigned")
        return
    click.echo(f"未见证 refused ({answer.status}): {answer.body.decode().strip()}", err=True)
    if answer.status == 409:
        reply.write_bytes(answer.body)
    raise SystemExit(EXIT_NO)


@witness.command("show", help="查看 · its own verifier keys, what it saw, and evidence of forks")
@_folder
@json_option
def show_(folder: Path, as_json: bool) -> None:
    try:
        keys = [signer.key.vkey for signer in _signers(folder)]
        trusted, store = _logs(folder), SqliteWitnessStore(folder / "witness.db")
    except HutongError as error:
        raise SystemExit(fail(error)) from error
    logs, evidence = store.logs(), store.evidence()
    if as_json:
        show(
            {
                "keys": keys,
                "logs": [{"origin": origin, "size": size} for origin, size in logs],
                "evidence": [
                    {"origin": origin, "refused": signed.decode(), "seen": seen.decode(), "at": at}
                    for origin, signed, seen, at in evidence
                ],
            }
        )
        return
    for vkey in keys:
        click.echo(f"公钥 key: {vkey}")
    seen_logs = dict(logs)
    for origin in sorted({*trusted, *seen_logs}):
        click.echo(f"日志 log: {origin}  {seen_logs.get(origin, '尚未见证 not cosigned yet')}")
    for origin, signed, seen, at in evidence:
        click.echo(f"分叉证据 evidence of a fork: {origin} at {at}\n{signed.decode()}\n{seen.decode()}")
