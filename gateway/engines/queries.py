"""Where is the SQL?

In `.sql` files beside the engine that runs it, as named queries: `-- name: x`, then a
sentence or two that says what it does, then the statement. Loaded once; asking for a
name that is not there is an error at import of whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


def load(package: str, *files: str) -> Mapping[str, str]:
    """The queries of some files of a package by name. ValueError when a name comes twice or a query has no sentence."""
    found: dict[str, str] = {}
    for file in files:
        _read(resources.files(package).joinpath(file).read_text(encoding="utf-8"), file, found)
    return found


def _read(text: str, file: str, found: dict[str, str]) -> None:
    parts = _NAME.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = body.strip().splitlines()
        if name in found:
            raise ValueError(f"the query `{name}` is there twice in `{file}`")
        if not lines or not lines[0].startswith("-- "):
            raise ValueError(f"the query `{name}` in `{file}` has no sentence that says what it does")
        found[name] = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")
