"""Where do division tables, jurisdiction maps and routing tables come from?

The defaults are package data of the top-level package `policies`; an operator
points at files of its own. Parsing and checking are pure and elsewhere
(`gateway.geography.tables`, `gateway.policy.routing_document`); a wrong file
raises InvalidDocument naming file and line, an absent one OSError.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from gateway.geography.divisions import DivisionTree
from gateway.geography.tables import parse_divisions, parse_jurisdictions, parse_national, parse_pilots
from gateway.model.geography import Jurisdiction
from gateway.policy.routing_document import load_routing
from gateway.policy.routing_rules import RoutingTables
from gateway.policy.vocabulary import Vocabulary


def read_routing(folder: Path | None = None, vocabulary: Vocabulary | None = None) -> RoutingTables:
    """All `*.yaml` of a folder (default: those this build carries) as routing tables."""
    root: Traversable = files("policies") / "routing" if folder is None else folder
    return load_routing(
        {
            entry.name: entry.read_text(encoding="utf-8")
            for entry in sorted(root.iterdir(), key=lambda item: item.name)
            if entry.name.endswith(".yaml")
        },
        vocabulary,
    )


def read_divisions(path: Path | None = None) -> DivisionTree:
    """A table in our own columns (default: the pilot areas with all above them and some townships)."""
    entry: Traversable = _shipped("divisions.csv") if path is None else path
    text = entry.read_text(encoding="utf-8-sig")
    return DivisionTree(parse_divisions(text, entry.name), version=_version(text))


def read_national_divisions(
    provinces: Path,
    cities: Path,
    areas: Path,
    streets: Path | None = None,
    villages: Path | None = None,
    overrides: Path | None = None,
) -> DivisionTree:
    """A national set of one revision, one CSV per level, with `overrides` (default: the shipped table) on top."""
    texts = [_text(path) for path in (provinces, cities, areas, streets, villages)]
    entry: Traversable = _shipped("divisions.csv") if overrides is None else overrides
    over = entry.read_text(encoding="utf-8-sig")
    rows = parse_national(texts[0], texts[1], texts[2], texts[3], texts[4], parse_divisions(over, entry.name))
    return DivisionTree(rows, version=_version("\0".join((*texts, over))))


def read_jurisdictions(path: Path | None = None) -> tuple[Jurisdiction, ...]:
    """A jurisdiction map (default: the shipped, empty one)."""
    entry: Traversable = _shipped("jurisdictions.csv") if path is None else path
    return parse_jurisdictions(entry.read_text(encoding="utf-8-sig"), entry.name)


def read_pilot_areas() -> tuple[dict[str, str], ...]:
    """The 78 areas of the second pilot batch (DOMAIN 6.5), in the annex's order."""
    return parse_pilots(_shipped("pilot-areas.csv").read_text(encoding="utf-8"), "pilot-areas.csv")


def _shipped(name: str) -> Traversable:
    return files("policies") / "directory" / name


def _text(path: Path | None) -> str:
    return "" if path is None else path.read_text(encoding="utf-8-sig")


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
