"""Which steps lead a store from one shape to the next? One rule for every engine.

A migration is a pair of files in the engine's package: `0007_bulk_files.before.sql` is applied while the older code still
runs, `0007_bulk_files.after.sql` when none of it does any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

_FILE = re.compile(r"(\d{4})_([a-z_]+)\.(before|after)\.sql")


@dataclass(frozen=True, slots=True)
class Step:
    """One half of a migration; `version` is the shape it leads to, odd after a `before`, even after an `after`."""

    version: int
    name: str
    sql: str


@lru_cache
def steps_in(package: str) -> tuple[Step, ...]:
    """All halves in order. ValueError when a number or a half is missing."""
    found: list[Step] = []
    for entry in resources.files(package).iterdir():
        match = _FILE.fullmatch(entry.name)
        if match:
            number, name, half = int(match[1]), match[2], match[3]
            version = 2 * number - (half == "before")
            found.append(Step(version, f"{number:04d} {name} {half}", entry.read_text(encoding="utf-8")))
    found.sort(key=lambda step: step.version)
    if [step.version for step in found] != list(range(1, len(found) + 1)) or len(found) % 2:
        raise ValueError("migrations come in numbered pairs without gaps")
    return tuple(found)
