"""How is an error said in Chinese?

Code says in English what is wrong and what to do, once, where it finds it. `chinese/*.toml` holds the Chinese of
each of these texts; `{}` stands where the code puts a value, numbered (`{1}`) where Chinese wants another order. A detail behind a colon
is a text of its own.
Every edge that shows an error says both, Chinese first. tests/docs/test_chinese.py fails for a text without
Chinese, and for Chinese of a text that nobody says any more.

>>> both("more than 3 rows")
'超过 3 行 / more than 3 rows'
>>> both(both("no such case")) == both("no such case")
True
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_BETWEEN = " / "


@lru_cache(1024)
def both(text: str) -> str:
    """`中文 / English`. A text that has no Chinese, or says its Chinese already, stays as it is."""
    chinese = None if _says_both(text) else _in_chinese(text)
    return text if chinese is None else f"{chinese}{_BETWEEN}{text}"


def _says_both(text: str) -> bool:
    parts = text.split(_BETWEEN)
    if len(parts) > 1 and _CHINESE.match(text):
        return True
    pairs = ((_BETWEEN.join(parts[:n]), _BETWEEN.join(parts[n:])) for n in range(1, len(parts)))
    return any(_in_chinese(english) == chinese for chinese, english in pairs)


def _in_chinese(text: str) -> str | None:
    if (whole := _whole().get(text)) is not None:
        return whole
    for literal, pattern, form in _with_values():
        if literal in text and (match := pattern.fullmatch(text)):
            said = form.format(*(_in_chinese(value) or value for value in match.groups()))
            return said if _CHINESE.search(said) else None
    what, colon, detail = text.partition(": ")
    if colon and (chinese := _whole().get(what)) is not None:
        return f"{chinese}：{_in_chinese(detail) or detail}"
    return None


def entries() -> Iterator[tuple[str, str, str]]:
    """(file, English, Chinese) of the whole catalogue."""
    for file in sorted(resources.files("gateway.http").joinpath("chinese").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            for english, chinese in tomllib.loads(file.read_text(encoding="utf-8")).items():
                yield file.name, english, chinese


@cache
def _whole() -> dict[str, str]:
    return {english: chinese for _, english, chinese in entries() if "{}" not in english}


@cache
def _with_values() -> list[tuple[str, re.Pattern[str], str]]:
    """The longest literal part of a text, its pattern and its Chinese; whose text says most by itself comes first."""
    found = []
    for _, english, chinese in entries():
        if "{}" in english:
            parts = english.split("{}")
            pattern = re.compile("(.*?)".join(map(re.escape, parts)), re.DOTALL)
            found.append((sum(map(len, parts)), max(parts, key=len), pattern, chinese))
    found.sort(key=lambda one: -one[0])
    return [one[1:] for one in found]
