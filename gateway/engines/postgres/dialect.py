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
_NUMBERED = re.compile(r"\$([0-9]+)")
_IGNORE = "INSERT OR IGNORE INTO"
_VALUES = re.compile(r"VALUES \((?:\$[0-9]+(?:, )?)+\)")


@dataclass(frozen=True, slots=True)
class Query:
    """One query as the server takes it. `names` are the variables in their order, None where they have none."""

    text: str
    names: tuple[str, ...] | None

    @property
    def is_insert(self) -> bool:
        """Whether it inserts one row of values, so that `of_rows` can say it for many."""
        return _VALUES.search(self.text) is not None

    def arguments(self, values: Mapping[str, Any] | Sequence[Any]) -> Sequence[Any]:
        if isinstance(values, Mapping):
            return [values[name] for name in self.names or ()]
        return values

    def of_rows(self, types: Sequence[str], before: int) -> str:
        """An INSERT of one row as an INSERT of the rows of as many columns, whose variables come after `before` others."""
        found = _VALUES.search(self.text)
        if found is None:
            raise ValueError("only an INSERT of one row can be said for many")
        columns = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, before + 1))
        # only type names of the server and numbers are put into the text
        return f"{self.text[: found.start()]}SELECT * FROM unnest({columns}){self.text[found.end() :]}"  # noqa: S608


def in_one(inserts: Sequence[str]) -> str:
    """Several INSERTs as one statement; their variables are numbered through. None of them sees the rows of another."""
    *before, last = inserts
    clauses = ", ".join(f"i{n} AS ({insert})" for n, insert in enumerate(before))
    return f"WITH {clauses} {last}" if before else last


def asked_in_one(questions: Sequence[Query]) -> str:
    """Several questions as one, whose only row holds the rows of each."""
    count, parts = 0, list[str]()
    for question in questions:
        shifted = _NUMBERED.sub(lambda match, by=count: f"${int(match[1]) + by}", question.text)  # type: ignore[misc]
        parts.append(f"ARRAY(SELECT one_row FROM ({shifted}) AS one_row)")  # noqa: S608 - queries of our own
        count += max((int(number) for number in _NUMBERED.findall(question.text)), default=0)
    return f"SELECT {', '.join(parts)}"


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
