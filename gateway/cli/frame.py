"""How does every subcommand speak: errors, exit codes, JSON, and the way to the running gateway?

Exit codes: 0 done, 1 the answer is no (a check failed), 2 wrong usage, 3 refused,
4 unavailable, 5 tampered.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiohttp
import click

from gateway.config import Settings, load_settings
from gateway.model.errors import HutongError, Refusal, Tampered, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

SETTINGS_FILE = "hutong.toml"
ADMIN_SOCKET = "admin.sock"
EXIT_NO, EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_TAMPERED = 1, 3, 4, 5

config_option = click.option(
    "--config", "config", type=click.Path(path_type=Path), default=lambda: os.environ.get("HUTONG_CONFIG", SETTINGS_FILE),
    help="配置文件 settings file [HUTONG_CONFIG, hutong.toml]",
)  # fmt: skip
operator_option = click.option(
    "--as", "operator", default="", metavar="NAME", help="以谁的名义 who acts [HUTONG_OPERATOR, 本机账号 this account]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="以 JSON 输出 print JSON")


def speaks(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run an async command; errors become one line with its remedy and the exit code of their kind."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return asyncio.run(command(*args, **kwargs))
        except HutongError as error:
            raise SystemExit(fail(error)) from error

    return run


def fail(error: HutongError) -> int:
    """Print an error and every problem it holds to standard error; returns the exit code.

    Everything is said in both languages; title and remedy come from the table of problems where the error has none of
    its own.
    """
    from gateway.http.in_chinese import both  # an error alone needs them
    from gateway.http.problems import KINDS, kind_of

    kind = KINDS.get(getattr(error, "problem", {}).get("code", error.code))
    title = (kind or kind_of(error)).title_zh
    click.echo(f"错误 error [{error.code}] {title}: {both(error.message)}", err=True)
    for problem in error.problems:
        where = f"{problem.native} = {problem.position}" if problem.native else problem.position
        line = f"  {where}: [{problem.code}] {both(problem.message)}"
        click.echo(line + (f" → {both(problem.remedy)}" if problem.remedy else ""), err=True)
    remedy = error.remedy or (f"{kind.remedy_zh} / {kind.remedy_en}" if kind is not None and not error.problems else "")
    if remedy:
        click.echo(f"  怎么办 remedy: {both(remedy)}", err=True)
    match error:
        case Tampered():
            return EXIT_TAMPERED
        case Unavailable():
            return EXIT_UNAVAILABLE
        case Refusal():
            return EXIT_REFUSED
        case _:
            return EXIT_NO


def show(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Rows under bilingual headings; wide characters count double."""
    if not rows:
        click.echo("（无 none）")
        return
    lines = [list(columns.values()), *([_cell(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _width(text: str) -> int:
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


def who_acts() -> str:
    """Who acts where nobody is named: HUTONG_OPERATOR, or the name of this account. The same for `init`, whose operator is
    the first security administrator, and for every later call."""
    return os.environ.get("HUTONG_OPERATOR") or getpass.getuser()


class Admin:
    """The local admin API of the gateway that runs under these settings."""

    def __init__(self, settings: Settings, operator: str = "") -> None:
        """`operator` is who acts; by default HUTONG_OPERATOR, or the name of the account."""
        self._socket = settings.directory / ADMIN_SOCKET
        self._operator = operator or who_acts()

    async def call(self, method: str, path: str, document: Any = None, **query: Any) -> Any:
        """Raises Unavailable when no gateway runs here, Refusal with the gateway's own words otherwise."""
        if not self._socket.exists():
            raise Unavailable("no gateway runs with these settings", remedy="start it: hutong serve")
        given = {name: str(value) for name, value in query.items() if value is not None}
        headers = {"Hutong-Operator": self._operator}
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._socket)), headers=headers) as session,
                session.request(method, "http://admin" + path, json=document, params=given) as response,
            ):
                answer = await response.json()
        except aiohttp.ClientError as broken:
            raise Unavailable("the gateway does not answer on its admin socket", remedy="is it running?") from broken
        if response.status >= 400:
            raise _refusal(answer)
        return answer

    async def fetch(self, path: str, document: Any) -> AsyncIterator[bytes]:
        """POST, and the bytes of the answer as they come. Raises as `call`."""
        if not self._socket.exists():
            raise Unavailable("no gateway runs with these settings", remedy="start it: hutong serve")
        headers = {"Hutong-Operator": self._operator}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=300)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(str(self._socket)), headers=headers, timeout=timeout
                ) as session,
                session.post("http://admin" + path, json=document) as response,
            ):
                if response.status >= 400:
                    raise _refusal(await response.json())
                async for piece in response.content.iter_any():
                    yield piece
        except aiohttp.ClientError as broken:
            raise Unavailable("the gateway does not answer on its admin socket", remedy="is it running?") from broken


def acts(command: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """A command that acts on the running gateway: has `--config` and `--as`, and gets an `Admin` in their place."""

    @config_option
    @operator_option
    @speaks
    @wraps(command)
    async def run(*args: Any, config: Path, operator: str, **given: Any) -> T:
        return await command(*args, admin=Admin(settings_of(config), operator), **given)

    return run


def _refusal(answer: Any) -> HutongError:
    from gateway.model.errors import Problem

    problems = tuple(Problem(**problem) for problem in answer.get("problems", ()))
    refused = Refusal(answer.get("detail", ""), remedy=answer.get("remedy", ""), problems=problems)
    refused.code = answer.get("code", "refused")  # type: ignore[misc]
    return refused


def settings_of(config: Path) -> Settings:
    try:
        return load_settings(config)
    except HutongError as error:
        sys.exit(fail(error))
