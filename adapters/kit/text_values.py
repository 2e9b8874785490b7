"""How does free text come in and go out: names, addresses, narratives, numbers of cases and digests?"""

from __future__ import annotations

import re
from typing import Any

from adapters.kit.conversion import Noted, Unmappable, Unwritable

_FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)} | {0x3000: 0x20}
# Characters that some format changes on its way: controls, what XML cannot carry, and spreadsheets' own escapes.
_AWKWARD = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")


# What stands in a field instead of a name or a number.
NOTHING = frozenset(
    ("无", "暂无", "没有", "不详", "未知", "未提供", "/", "\\", "-", "--", "—", "——", "NULL", "null", "None", "NONE", "N/A", "n/a")
)  # fmt: skip


_SEVERAL = re.compile(r"[\u4e00-\u9fff]\s*[、，,；;/／&\r\n]\s*[\u4e00-\u9fff]")


def half_width(text: str) -> str:
    """Full-width digits, letters and signs as their ASCII forms."""
    return text if text.isascii() else text.translate(_FULL_WIDTH)


_HANZI_DIGITS = dict(zip("〇○零一二两三四五六七八九", "0001223456789", strict=True))
_HANZI_NUMBER = re.compile(
    "[〇○零一二三四五六七八九]{4}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九]"
)


def arabic(text: str) -> str:
    """Chinese numerals as digits: up to 99, as of ages, months and days, and years of four characters."""
    return text if text.isascii() else _HANZI_NUMBER.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    said = found.group()
    tens, ten, ones = said.partition("十")
    if not ten:
        return "".join(_HANZI_DIGITS[char] for char in said)
    return str(int(_HANZI_DIGITS.get(tens, "1")) * 10 + int(_HANZI_DIGITS.get(ones, "0")))


def is_awkward(text: str) -> bool:
    """Such text travels escaped, in the extension block."""
    # what is printable holds no control and no half character, and that is seen in a fifth of the time
    return ("_x" in text or not text.isprintable()) and _AWKWARD.search(text) is not None


def read_text(text: str) -> Any:
    if text.isalnum():
        return text  # neither blanks nor asterisks: most names and numbers
    stripped = text.strip()
    if stripped and not stripped.strip("*＊"):
        raise Unmappable("masked-value", "the sender masked this value")
    return stripped


def write_text(value: Any) -> str:
    if not isinstance(value, str) or not value or value != value.strip() or not value.strip("*＊") or is_awkward(value):
        raise Unwritable
    return value


def read_name(text: str) -> Any:
    """A person's name. Where a form says 无 or /, there is nobody, or nobody known; several in one cell are not told apart."""
    name = read_text(text)
    if half_width(name) in NOTHING:
        raise Unmappable("placeholder", "says that there is no name")
    if not name.isalnum() and _SEVERAL.search(name):
        return Noted(name, "several-people", "may name more than one person; kept as sent")
    return name


def write_name(value: Any) -> str:
    text = write_text(value)
    if half_width(text) in NOTHING:
        raise Unwritable
    return text


def read_exact(text: str) -> Any:
    return text


def write_exact(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or is_awkward(value):
        raise Unwritable
    return value


def read_case_number(text: str) -> Any:
    """案号 with full-width brackets and plain digits, whichever the court's typist used."""
    return half_width(str(read_text(text))).replace(" ", "").replace("(", "（").replace(")", "）")


def write_case_number(value: Any) -> str:
    text = write_text(value)
    if read_case_number(text) != text:
        raise Unwritable
    return text


def read_sm3(text: str) -> Any:
    plain = text.strip().lower().removeprefix("sm3:")
    if re.fullmatch(r"[0-9a-f]{64}", plain) is None:
        raise Unmappable("digest-form", "an SM3 digest has 64 hexadecimal digits")
    return f"sm3:{plain}"


def write_sm3(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"sm3:[0-9a-f]{64}", value) is None:
        raise Unwritable
    return value.removeprefix("sm3:")
