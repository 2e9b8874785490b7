"""Write docs/settings.md, docs/commands.md and docs/events.md from the code. Run from the repository root: `python -m ops.write_docs`.

Each page comes from the one place where its facts stand: `gateway/config.py` with the reasons in its comments, the
command line itself, and the table of log events. tests/docs compares the pages with these functions.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click

from gateway.cli.main import main
from gateway.config import Settings
from gateway.model.audit import LogField
from gateway.model.audit_events import EVENTS

DOCS = Path(__file__).resolve().parents[1] / "docs"
MADE = "<!-- 由 ops/write_docs.py 生成 made by ops/write_docs.py -->\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """`reason` is the comment beside it in gateway/config.py."""

    table: str
    name: str
    kind: str
    default: str
    reason: str


def settings() -> list[Setting]:
    """Every setting, in the order of the file."""
    found = list(_settings_of(Settings, Settings(), ""))
    groups = [
        group for group in dataclasses.fields(Settings) if dataclasses.is_dataclass(getattr(Settings(), group.name))
    ]
    for group in groups:
        value = getattr(Settings(), group.name)
        found += _settings_of(type(value), value, group.name)
    return found


def _settings_of(kind: type, made: object, table: str) -> Iterator[Setting]:
    reasons = _reasons(kind)
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = getattr(made, item.name)
        if not dataclasses.is_dataclass(value):
            yield Setting(table, item.name, _kind(str(item.type)), _toml(value), reasons.get(item.name, ""))


def _reasons(kind: type) -> dict[str, str]:
    """The comments behind the fields of a class; one may stand in the lines of its field's default."""
    found, name = {}, ""
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(kind)).readline):
        if (
            token.type == tokenize.NAME
            and (field := re.match(r"\s{4}(\w+): ", token.line))
            and token.string == field[1]
        ):
            name = token.string
        if token.type == tokenize.COMMENT and name:
            found[name] = token.string.removeprefix("#").strip()
    return found


def _kind(annotation: str) -> str:
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path",
             "tuple[str, ...]": "list of texts"}  # fmt: skip
    return words.get(annotation.removesuffix(" | None"), annotation)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if value is None:
        return "—"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def settings_page() -> str:
    lines = [
        "# 设置 Settings\n", MADE,
        "设置文件是 TOML（`hutong init` 生成），读一次，之后不变；未知的键、类型不符、互相矛盾都会拒绝启动。口令不写入文件：`HUTONG_KEY_PASSPHRASE`。",
        "The settings file is TOML, read once. An unknown key, a wrong type or a contradiction refuses to start. Examples: `ops/config/`.\n",
    ]  # fmt: skip
    table = None
    for one in settings():
        if one.table != table:
            table = one.table
            lines += ["", f"## `[{table}]`" if table else "## 顶层 top level", "",
                      "| 键 key | 类型 kind | 默认 default | 为什么 why |", "| --- | --- | --- | --- |"]  # fmt: skip
        lines.append(f"| `{one.name}` | {one.kind} | `{one.default}` | {one.reason} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    lines = [
        "# 命令 Commands\n", MADE,
        "每条命令都有 `--help`；打印数据的命令有 `--json`。Every command has `--help`; those that print data have `--json`.\n",
        f"{main.epilog}\n",
        "| 命令 command | 说明 what it does |", "| --- | --- |",
    ]  # fmt: skip
    for name, command in commands():
        lines.append(f"| `hutong {name}` | {_cell(command.help or command.short_help or '')} |")
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its subcommands, as typed."""
    assert isinstance(main, click.Group)
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for sub in sorted(command.commands):
                yield f"{name} {sub}", command.commands[sub]


def events_page() -> str:
    lines = [
        "# 交换日志的事件 Events of the exchange log\n", MADE,
        "字段名与形式入日志，值从不入日志；`*` 为必有。Names of fields and forms, never values; `*` is always there. 格式 format: `docs/exchange-log.md`.\n",
        "| 事件 event | 说明 | what happened | 字段 fields |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, schema in EVENTS.items():
        fields = ", ".join(_field(one) for one in schema.envelope)
        lines.append(f"| `{name.value}` | {schema.zh} | {schema.en} | {fields} |")
    return "\n".join(lines) + "\n"


def _field(one: LogField) -> str:
    return f"`{one.name}`" + ("*" if one.required else "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "events.md": events_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
        sys.stdout.write(f"docs/{page}\n")
