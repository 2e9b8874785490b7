"""How does the command line say what was typed wrong?

As it says every other error: Chinese first with English beside, and what to do. The words are those of click, which
knows what was wrong; each form it has is in the table below. What it says of no form here stays English.

>>> in_both("Missing argument 'FILE'.")
"缺少参数 'FILE' / Missing argument 'FILE'."
>>> in_both("Invalid value for '--max': 'x' is not a valid integer.")
"'--max' 的值有误：'x' 不是整数 / Invalid value for '--max': 'x' is not a valid integer."
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

_FORMS = tuple(
    (re.compile(pattern, re.DOTALL), chinese)
    for pattern, chinese in (
        (r"Missing argument (.+?)\.(?: Choose from:\s*(.+))?", "缺少参数 {0}"),
        (r"Missing option (.+?)\.(?: Choose from:\s*(.+))?", "缺少选项 {0}"),
        (r"Missing parameter:? ?(.+?)\.?", "缺少参数 {0}"),
        (r"No such option:? (\S+?)\.?(?: Did you mean (.+?)\??)?", "没有选项 {0}"),
        (r"No such option:? (\S+?)\.? \(Possible options: (.+)\)", "没有选项 {0}；可用：{1}"),
        (r"No such command (.+?)\.(?: Did you mean (.+?)\?)?", "没有命令 {0}"),
        (r"No such command (.+?)\. \(Did you mean one of: (.+?)\?\)", "没有命令 {0}；可用：{1}"),
        (r"Missing command\.", "缺少命令"),
        (r"Option (.+?) requires (?:an argument|(\d+) arguments)\.", "选项 {0} 须有值"),
        (r"Option (.+?) does not take a value\.", "选项 {0} 不带值"),
        (r"Got unexpected extra arguments? \((.+)\)", "多余的参数：{0}"),
        (r"Invalid value for (.+?): (.+)", "{0} 的值有误：{1}"),
        (r"Invalid value: (.+)", "值有误：{0}"),
        (r"(?:File|Directory|Path) (.+) does not exist\.", "{0} 不存在"),
        (r"(?:File|Directory|Path) (.+) is not readable\.", "{0} 不可读"),
        (r"(?:File|Directory|Path) (.+) is not writable\.", "{0} 不可写"),
        (r"File (.+) is a directory\.", "{0} 是目录"),
        (r"Directory (.+) is a file\.", "{0} 是文件"),
        (r"(.+) is not a valid integer(?: range)?\.", "{0} 不是整数"),
        (r"(.+) is not a valid float(?: range)?\.", "{0} 不是数"),
        (r"(.+) is not a valid boolean\..*", "{0} 不是真假值"),
        (r"(.+) is not in the range (.+)\.", "{0} 不在范围 {1} 之内"),
        (r"(.+) is not one of (.+)\.", "{0} 不是其中之一：{1}"),
        (r"(.+) does not match the format (.+)\.", "{0} 不符合格式 {1}"),
    )
)


class WrongUsage(click.UsageError):
    """`usage`: exit code 2, as click has it."""

    def show(self, file: IO[Any] | None = None) -> None:
        path = self.ctx.command_path if self.ctx is not None else "hutong"
        if self.ctx is not None:
            pieces = " ".join(self.ctx.command.collect_usage_pieces(self.ctx))
            click.echo(f"用法 usage: {path} {pieces}", file=file, err=True)
        click.echo(f"错误 error [usage] {in_both(self.message)}", file=file, err=True)
        click.echo(f"  怎么办 remedy: 见 {path} --help / see {path} --help", file=file, err=True)


@contextmanager
def in_both_languages() -> Iterator[None]:
    """Around all that may say what is wrong with a command line."""
    try:
        yield
    except (WrongUsage, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as wrong:
        raise WrongUsage(wrong.format_message(), wrong.ctx) from wrong


def in_both(message: str) -> str:
    """`中文 / English`; of what is listed or proposed the English part tells."""
    chinese = _in_chinese(message)
    return message if chinese is None else f"{chinese} / {message}"


def _in_chinese(message: str) -> str | None:
    for pattern, chinese in _FORMS:
        if (found := pattern.fullmatch(message)) is not None:
            said = [value or "" for value in found.groups()]
            if chinese.startswith(("{0} 的值", "值有误")):
                said[-1] = _in_chinese(said[-1]) or said[-1]
            return chinese.format(*said)
    return None
