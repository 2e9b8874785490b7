"""Which characters do these bytes stand for, and do we agree with everybody else about it?

Order of trial: byte-order mark, NUL bytes (UTF-16), the declared charset, then strict GB18030
against strict UTF-8. Undeclared bytes that are valid UTF-8 are taken as UTF-8:
Chinese UTF-8 text often decodes as GB18030 by accident, the reverse hardly ever.
Western single bytes (`Müller`) decode as GB18030 as well, into rare characters:
where not one pair of high bytes stands, which Chinese text is made of, they are
taken as Windows-1252, and that is said.

GB18030 follows the WHATWG tables, as browsers and Node do. Python's codec
differs from them at exactly 20 two-byte codes, which it maps to private-use
characters; without the fix-up the same file would give different text, hence
different hashes and failed matches, here and in a browser.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache

# Two-byte GB18030 code -> character in the WHATWG index.
_WHATWG_DIFFERENCES = {
    "A3A0": "\u3000",
    "A6D9": "\ufe10",
    "A6DA": "\ufe12",
    "A6DB": "\ufe11",
    "A6DC": "\ufe13",
    "A6DD": "\ufe14",
    "A6DE": "\ufe15",
    "A6DF": "\ufe16",
    "A6EC": "\ufe17",
    "A6ED": "\ufe18",
    "A6F3": "\ufe19",
    "A8BC": "\u1e3f",
    "FE59": "\u9fb4",
    "FE61": "\u9fb5",
    "FE66": "\u9fb6",
    "FE67": "\u9fb7",
    "FE6D": "\u9fb8",
    "FE7E": "\u9fb9",
    "FE90": "\u9fba",
    "FEA0": "\u9fbb",
}
_PYTHON_TO_WHATWG = {ord(bytes.fromhex(code).decode("gb18030")): char for code, char in _WHATWG_DIFFERENCES.items()}
# U+3000 keeps its usual code A1A1; the other 19 encode to their two-byte code.
_WHATWG_TO_PYTHON = {
    ord(char): bytes.fromhex(code).decode("gb18030") for code, char in _WHATWG_DIFFERENCES.items() if char != "\u3000"
}
_TO_ENCODE = re.compile("[" + "".join(map(chr, _WHATWG_TO_PYTHON)) + "]")
# Private-use characters whose two-byte codes are those of other characters now: they would come back as these.
SUPERSEDED = re.compile("[" + "".join(map(chr, _PYTHON_TO_WHATWG)) + "]")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_ODD = re.compile("[\ud800-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")

_GB_NAMES = frozenset(
    {"gb18030", "gb180302000", "gb180302005", "gb180302022", "gbk", "gb2312", "cp936", "ms936", "xgbk"}
)
_UTF8_NAMES = frozenset({"utf8", "unicodeutf8", "unicode"})
_OTHER_NAMES = {
    "ascii": "ascii",
    "usascii": "ascii",
    "iso88591": "latin-1",
    "latin1": "latin-1",
    "88591": "latin-1",
    "windows1252": "cp1252",
    "utf16": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "big5": "big5",
    "big5hkscs": "big5hkscs",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "eucjp": "euc_jp",
    "euckr": "cp949",
    "ksx1001": "cp949",
    "koi8r": "koi8-r",
}
# `8859/15` is HL7's spelling, `ISO-8859-15` everybody else's.
_NUMBERED = re.compile(r"(?:(?:iso)?8859(?P<iso>[1-9]|1[013456])|(?:windows|cp)(?P<windows>125[0-8]|874))")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before that of UTF-16, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKED = frozenset(mark[:1] for mark, _ in _BOMS)
_LOOKED_AT = 1024
_TWO_BYTES = re.compile("[\x80-\u07ff]")
_PAIR = re.compile(rb"[\x80-\xff][\x80-\xff]|[\x81-\xfe][0-9][\x81-\xfe][0-9]")
_WESTERN = "cp1252"
_SINGLE_BYTES = re.compile(r"latin-1|iso8859|cp125|koi8")
# A run of three-byte UTF-8 sequences this long does not happen in real GB18030 text.
_UTF8_EVIDENCE = re.compile(rb"(?:[\xe3-\xe9][\x80-\xbf][\x80-\xbf]){4}")


class UndecodableText(ValueError):
    """No charset fits. `offset` is the byte at which the declared (or last tried) one fails."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"byte {offset} fits no charset we read")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Text:
    """`mismatch` says that the declared charset was not the real one; `has_bom` that a byte-order mark was removed."""

    value: str
    charset: str
    mismatch: bool = False
    has_bom: bool = False


@lru_cache(maxsize=256)
def known_charset(name: str) -> str | None:
    """Our name (`utf-8`, `gb18030`, `latin-1` ...) for what a document declares, None when we do not read it."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in _GB_NAMES:
        return "gb18030"
    if plain in _UTF8_NAMES:
        return "utf-8"
    numbered = _NUMBERED.fullmatch(plain)
    if plain not in _OTHER_NAMES and numbered is not None:
        return f"iso8859-{numbered['iso']}" if numbered["iso"] else f"cp{numbered['windows']}"
    return _OTHER_NAMES.get(plain)


def decode_gb18030(raw: bytes) -> str:
    """Strict GB18030 by the WHATWG tables. Raises UnicodeDecodeError."""
    text = raw.decode("gb18030")
    if has_private_use(text):
        text = text.translate(_PYTHON_TO_WHATWG)
    return text


def encode_gb18030(text: str) -> bytes:
    """The inverse of `decode_gb18030`, but for what is SUPERSEDED. Raises UnicodeEncodeError for lone surrogates."""
    if _TO_ENCODE.search(text) is not None:
        text = text.translate(_WHATWG_TO_PYTHON)
    return text.encode("gb18030")


def has_private_use(text: str) -> bool:
    """Characters that mean something only under one vendor's font: names with them cannot be matched."""
    return not _is_printable(text) and _PRIVATE_USE.search(text) is not None


def _is_printable(text: str) -> bool:
    """Whether text holds no private use and no half characters, seen in a fifth of the time that looking for them takes."""
    return text.isascii() or text.isprintable() or text.replace("\n", "").replace("\r", "").isprintable()


def needs_care(text: str, escape: str = "") -> bool:
    """Whether text may hold a private-use character or half of one, as itself or after `escape`. Errs on the side of yes."""
    return (escape != "" and escape in text) or (not _is_printable(text) and _ODD.search(text) is not None)


def _strict(raw: bytes, charset: str) -> str:
    return decode_gb18030(raw) if charset == "gb18030" else raw.decode(charset)


def _is_chinese_utf8(raw: bytes) -> bool:
    """Valid UTF-8 with characters in a row, or without the two-byte ones that a third of GB2312's look like by accident."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return False  # where real GB18030 ends nearly always, at its first characters
    return _UTF8_EVIDENCE.search(raw) is not None or (not text.isascii() and _TWO_BYTES.search(text) is None)


def _attempt(raw: bytes, charset: str) -> str | int:
    """The text, or the offset of the first byte that does not fit."""
    try:
        return _strict(raw, charset)
    except UnicodeDecodeError as error:
        return error.start


def wide_charset(raw: bytes) -> str | None:
    """UTF-16 or UTF-32, by its mark or by its NUL bytes, which no other text has; None for anything else."""
    for mark, charset in _BOMS:
        if raw.startswith(mark):
            return charset if charset.startswith(("utf-16", "utf-32")) else None
    head = raw[:_LOOKED_AT]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) * 8 < len(head) // 2 or min(even, odd) * 4 > max(even, odd):
        return None  # a damaged byte or two, or as many in both places
    return "utf-16-be" if even > odd else "utf-16-le"


def decode_text(raw: bytes, declared: str | None = None) -> Text:
    """Read bytes of a declared, wrongly declared or undeclared charset.

    Raises UndecodableText, naming the offset and never the bytes.
    """
    for mark, charset in _BOMS if raw[:1] in _MARKED else ():
        if raw.startswith(mark):
            found = _attempt(raw[len(mark) :], charset)
            if isinstance(found, str):
                wanted = known_charset(declared) if declared else None
                return Text(found, charset, wanted is not None and wanted.split("-")[0] != charset.split("-")[0], True)
    wide = wide_charset(raw) if b"\0" in raw[:_LOOKED_AT] else None
    if wide is not None:
        found = _attempt(raw, wide)
        if isinstance(found, str):
            return Text(found, wide)
    wanted = known_charset(declared) if declared else None
    if wanted is not None and wanted.startswith("utf-16"):
        wanted = None  # it would show: text that is not UTF-16 may well decode as such
    if wanted is None:
        if raw.isascii():
            return Text(raw.decode("ascii"), "utf-8")
        order: tuple[str, ...] = ("utf-8", "gb18030")
    elif wanted == "gb18030":
        order = ("utf-8", "gb18030") if _is_chinese_utf8(raw) else ("gb18030", "utf-8")
    elif wanted == "utf-8":
        order = ("utf-8", "gb18030")
    else:
        # every text is valid in a charset of single bytes, and hardly any of theirs is valid UTF-8
        is_utf8 = _is_chinese_utf8(raw) or (_SINGLE_BYTES.match(wanted) is not None and not raw.isascii())
        order = ("utf-8", wanted, "gb18030") if is_utf8 else (wanted, "utf-8", "gb18030")
    if wanted in (None, "utf-8") and _PAIR.search(raw) is None:
        order = ("utf-8", _WESTERN, "gb18030")
    failed_at = 0
    for charset in order:
        found = _attempt(raw, charset)
        if isinstance(found, str):
            is_other = charset == _WESTERN if wanted is None else charset != wanted
            return Text(found, charset, is_other and not raw.isascii())
        failed_at = max(failed_at, found)
    raise UndecodableText(failed_at)
