"""What does a code mean, and which canonical code does a foreign code or label stand for?

A table (`schemas/codes/*.yaml`) has entries (code, zh, en, parent, aliases) and
may have pairs for named systems, since one number means different things in
different places: identity document `1` is a resident card to a school and
nothing to the police. Decoding is unique; encoding may send several canonical
codes to one native code (`990` other document).

Loading is strict: an unknown key, a repeated code, a parent or pair that leads
nowhere, or an alias that two entries claim is an error.

>>> tables = CodeTables({"codes/sex.yaml": {"table": "sex", "version": "1", "zh": "性别", "en": "sex",
...     "source": "GB/T 2261.1", "entries": [{"code": "1", "zh": "男", "en": "male", "aliases": ["男性"]}],
...     "systems": {"hl7v2": {"decode": {"M": "1"}, "encode": {"1": "M"}}}}})
>>> tables.lookup("sex", "男性"), tables.lookup("sex", "M"), tables.lookup("sex", "M", system="hl7v2")
('1', None, '1')
>>> tables.encode("sex", "1", system="hl7v2")
'M'
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model.errors import InvalidDocument, Problem

_TABLE_KEYS = {"table", "version", "zh", "en", "source", "entries", "systems"}
_ENTRY_KEYS = {"code", "zh", "en", "parent", "aliases"}


@dataclass(frozen=True, slots=True)
class CodeEntry:
    code: str
    zh: str
    en: str
    parent: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table. `spoken` maps every spelling, folded as `folded` does, to its code."""

    name: str
    version: str
    zh: str
    en: str
    source: str
    entries: Mapping[str, CodeEntry]
    spoken: Mapping[str, str]
    decode: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    encode: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def folded(value: str) -> str:
    """One spelling for full-width and half-width forms, letter case and surrounding blanks."""
    return unicodedata.normalize("NFKC", value).strip().casefold()


class CodeTables:
    """All code tables; never changes. `documents` are parsed YAML by file name.

    Raises `InvalidDocument` with every problem found. The methods raise KeyError
    for a table that does not exist (a mistake in code), never for a value.
    """

    def __init__(self, documents: Mapping[str, Any]) -> None:
        problems: list[Problem] = []
        tables: dict[str, CodeTable] = {}
        for name, document in sorted(documents.items()):
            table = _read(name, document, problems)
            if table is None:
                continue
            if table.name in tables:
                problems.append(Problem("duplicate-table", name, f"table `{table.name}` is given twice"))
            tables[table.name] = table
        if problems:
            raise InvalidDocument("the code tables do not hold", problems=tuple(problems))
        self.tables: Mapping[str, CodeTable] = tables

    def lookup(self, table: str, value: str, system: str | None = None) -> str | None:
        """The canonical code that `value` stands for, or None.

        With a system its own pairs come first, then codes, labels and aliases,
        since exporters write codes or labels as they please. Full width, case
        and blanks around do not matter.
        """
        known = self.tables[table]
        spelling = folded(value)
        if system is not None:
            pair = known.decode.get(system, {}).get(spelling)
            if pair is not None:
                return pair
        return known.spoken.get(spelling)

    def encode(self, table: str, code: str, system: str) -> str | None:
        """The code a system uses for a canonical code; None when it has none."""
        return self.tables[table].encode.get(system, {}).get(code)

    def has(self, table: str, code: str) -> bool:
        """Is this exactly a canonical code?"""
        return code in self.tables[table].entries

    def codes(self, table: str) -> tuple[str, ...]:
        return tuple(self.tables[table].entries)

    def parent(self, table: str, code: str) -> str | None:
        """The next wider code (H11 to H1); None at the top and for an unknown code."""
        entry = self.tables[table].entries.get(code)
        return None if entry is None else entry.parent

    def label(self, table: str, code: str, language: str = "zh") -> str | None:
        """What people call it, in `zh` or `en`; None for an unknown code."""
        entry = self.tables[table].entries.get(code)
        if entry is None:
            return None
        return entry.en if language == "en" else entry.zh


def _read(name: str, document: Any, problems: list[Problem]) -> CodeTable | None:
    def wrong(code: str, message: str) -> None:
        problems.append(Problem(code, name, message))

    if not isinstance(document, dict) or not isinstance(document.get("entries"), list) or not document["entries"]:
        wrong("malformed-table", "a table is a mapping with a list of entries")
        return None
    if unknown := set(document) - _TABLE_KEYS:
        wrong("unknown-key", f"unknown keys: {', '.join(sorted(map(str, unknown)))}")
    if missing := [key for key in ("table", "version", "zh", "en", "source") if not isinstance(document.get(key), str)]:
        wrong("missing-key", f"missing or not text: {', '.join(missing)}")
        return None

    entries: dict[str, CodeEntry] = {}
    spoken: dict[str, str] = {}
    for item in document["entries"]:
        entry = _entry(item)
        if entry is None:
            wrong("malformed-entry", "an entry has text code, zh and en, and may have parent and aliases")
            continue
        if entry.code in entries:
            wrong("duplicate-code", f"code `{entry.code}` is given twice")
        entries[entry.code] = entry
        for spelling in {folded(word) for word in (entry.code, entry.zh, entry.en, *entry.aliases)}:
            if spoken.setdefault(spelling, entry.code) != entry.code:
                wrong("ambiguous-alias", f"`{spelling}` stands for both `{spoken[spelling]}` and `{entry.code}`")
    for entry in entries.values():
        if entry.parent is not None and (entry.parent not in entries or entry.parent == entry.code):
            wrong("unknown-parent", f"parent `{entry.parent}` of `{entry.code}` is no code of this table")

    decode: dict[str, dict[str, str]] = {}
    encode: dict[str, dict[str, str]] = {}
    for system, pairs in document.get("systems", {}).items():
        if not isinstance(pairs, dict) or set(pairs) - {"decode", "encode"}:
            wrong("malformed-system", f"system `{system}` has decode and encode pairs")
            continue
        decode[system] = {folded(native): code for native, code in pairs.get("decode", {}).items()}
        encode[system] = dict(pairs.get("encode", {}))
        for code in (*decode[system].values(), *encode[system]):
            if code not in entries:
                wrong("unknown-code", f"system `{system}` names `{code}`, which is no code of this table")
        for code, native in encode[system].items():
            if folded(native) not in decode[system]:
                wrong("one-way-code", f"system `{system}` writes `{native}` for `{code}` and cannot read it back")
    return CodeTable(
        document["table"], document["version"], document["zh"], document["en"], document["source"],
        entries, spoken, decode, encode,
    )  # fmt: skip


def _entry(item: Any) -> CodeEntry | None:
    if not isinstance(item, dict) or set(item) - _ENTRY_KEYS:
        return None
    aliases = item.get("aliases", [])
    words = [item.get("code"), item.get("zh"), item.get("en"), *(aliases if isinstance(aliases, list) else [None])]
    parent = item.get("parent")
    if not all(isinstance(word, str) and word for word in words) or not isinstance(parent, str | None):
        return None
    return CodeEntry(item["code"], item["zh"], item["en"], parent, tuple(aliases))
