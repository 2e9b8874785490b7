"""Which steps lead a store from one shape to the next? One rule for every engine.

A migration is a pair of files in the engine's package: `0007_bulk_files.before.sql` is applied while the older code still
runs, `0007_bulk_files.after.sql` when none of it does any more.

A store remembers the shape of its last half that took something away (`OLDEST_CODE`): code that knows fewer halves than that
cannot work with it. Older code opens any other shape, so that a node of the old version which dies in the middle of a
rolling upgrade can be started again, and an upgrade can be taken back before its last step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from gateway.model.errors import InvalidDocument

OLDEST_CODE = "oldest-code"  # the store's property: a shape, eight bytes, the highest first

_FILE = re.compile(r"(\d{4})_([a-z_]+)\.(before|after)\.sql")


@dataclass(frozen=True, slots=True)
class Step:
    """One half of a migration; `version` is the shape it leads to, odd after a `before`, even after an `after`."""

    version: int
    name: str
    sql: str

    @property
    def takes_away(self) -> bool:
        """Whether older code cannot go on after it: an `after` half that is more than a comment."""
        lines = (line.strip() for line in self.sql.splitlines())
        return self.version % 2 == 0 and any(line and not line.startswith("--") for line in lines)


def shape_as_property(shape: int) -> bytes:
    return shape.to_bytes(8, "big")


def check_not_newer(version: int, known: int, oldest_code: bytes | None) -> None:
    """InvalidDocument when code that knows so many halves cannot work with a store of that version."""
    if version > known and oldest_code is not None and int.from_bytes(oldest_code, "big") > known:
        raise InvalidDocument(
            f"the store has shape {version}, newer than this code knows ({known})",
            remedy="run the release that wrote it, or a newer one",
        )


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
