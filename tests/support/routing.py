"""The shipped tables and division data, and small directories of offices to route in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from gateway.geography.competent import CompetentOffices
from gateway.geography.divisions import DivisionTree
from gateway.geography.tables import parse_divisions, parse_pilots
from gateway.model.agency import EIGHT_AGENCIES, Office, OfficeState
from gateway.model.geography import Directory, Jurisdiction
from gateway.model.identifiers import NoticeType, OfficeId, parse_office_id
from gateway.model.notice import SubmittedNotice, ValidNotice
from gateway.policy.routing_document import load_routing
from gateway.policy.routing_rules import RoutingTables

ROOT = Path(__file__).resolve().parents[2]
ROUTING_FOLDER = ROOT / "policies" / "routing"
DIRECTORY_FOLDER = ROOT / "policies" / "directory"

MARCH_1 = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def routing_files() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(ROUTING_FOLDER.glob("*.yaml"))}


@lru_cache(maxsize=1)
def shipped_tables() -> RoutingTables:
    return load_routing(routing_files())


@lru_cache(maxsize=1)
def shipped_tree() -> DivisionTree:
    text = (DIRECTORY_FOLDER / "divisions.csv").read_text(encoding="utf-8")
    return DivisionTree(parse_divisions(text, "divisions.csv"), version="shipped")


def pilots() -> tuple[dict[str, str], ...]:
    return parse_pilots((DIRECTORY_FOLDER / "pilot-areas.csv").read_text(encoding="utf-8"), "pilot-areas.csv")


def offices(*ids: str, **states: OfficeState) -> dict[OfficeId, Office]:
    """Offices of these ids, active unless `states` says otherwise (dots written as two underscores)."""
    state_of = {name.replace("__", "."): state for name, state in states.items()}
    return {
        parse_office_id(text): Office(parse_office_id(text), "某单位", state=state_of.get(text, OfficeState.ACTIVE))
        for text in ids
    }


def eight_in(*divisions: str) -> list[str]:
    return [f"{agency}.{division}" for division in divisions for agency in EIGHT_AGENCIES]


def finder(
    known: Mapping[OfficeId, Office] | Iterable[str],
    jurisdictions: tuple[Jurisdiction, ...] = (),
    tree: DivisionTree | None = None,
) -> CompetentOffices:
    registered = known if isinstance(known, Mapping) else offices(*known)
    return CompetentOffices(tree or shipped_tree(), Directory(registered, jurisdictions, "test"))


def notice(sender: str, notice_type: str, data: Mapping[str, Any] | None = None) -> ValidNotice:
    return ValidNotice(SubmittedNotice(OfficeId(sender), "T1", NoticeType(notice_type), dict(data or {})))
