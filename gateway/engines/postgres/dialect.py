"""How is a named query said to PostgreSQL?

Most queries of the store are the same on both engines and are written once, beside the embedded one; what differs is
said again in `queries.sql` of this room and wins. Here are the three habits of writing that differ everywhere:
variables (`?`, `?1`, `:name` become `$1`), index hints (there are none), and INSERT OR IGNORE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HINT = re.compile(r" INDEXED BY [a-z_]+")
_VARIABLE = re.compile(r"\?([0-9]*)|(?<![:\w]):([a-z_]+)")
_IGNORE = "INSERT OR IGNORE INTO"
_VALUES = re.compile(r"VALUES \((?:\$[0-9]+(?:, )?)+\)")


@dataclass(frozen=True, slots=True)
class Query:
    """One query as the server takes it. `names` are the variables in their order, None where they have none."""

    text: str
    names: tuple[str, ...] | None

    def arguments(self, values: Mapping[str, Any] | Sequence[Any]) -> Sequence[Any]:
        if isinstance(values, Mapping):
            return [values[name] for name in self.names or ()]
        return values

    def of_rows(self, types: Sequence[str]) -> str | None:
        """An INSERT of one row as an INSERT of the rows of as many columns; None for another statement."""
        found = _VALUES.search(self.text)
        if found is None:
            return None
        columns = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, 1))
        # only type names of the server and numbers are put into the text
        return f"{self.text[: found.start()]}SELECT * FROM unnest({columns}){self.text[found.end() :]}"  # noqa: S608


def translated(text: str) -> Query:
    """ValueError for a query that mixes variables with and without names."""
    text = _HINT.sub("", text)
    if _IGNORE in text:
        text = text.replace(_IGNORE, "INSERT INTO") + " ON CONFLICT DO NOTHING"
    names: list[str] = []
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        if match[2]:
            if match[2] not in names:
                names.append(match[2])
            return f"${names.index(match[2]) + 1}"
        count += 1
        return f"${match[1] or count}"

    said = _VARIABLE.sub(number, text)
    if names and count:
        raise ValueError("a query has named variables or others, not both")
    return Query(said, tuple(names) if names else None)


def said_here(shared: Mapping[str, str], own: Mapping[str, str]) -> dict[str, Query]:
    """All queries of this engine: the shared ones, and in their place or beside them its own."""
    return {name: translated(text) for name, text in {**shared, **own}.items()}
