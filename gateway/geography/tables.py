"""How does a division table read as divisions?

Two shapes, both CSV text with a header (reading files is the engines' work):

* `parse_divisions`: our own columns, one row per code and period.
  `code` 6, 9 or 12 digits · `name_zh` · `level` L0..L5 · `parent` declared
  code-tree parent · `reports_to` reporting parent (empty: the nearest parent
  that is not pseudo) · `valid_from`, `valid_to` dates, `valid_to` the first day
  no longer valid · `successors` codes separated by a space · `kind` division,
  pseudo or local · `note`. Other columns are refused.
* `parse_national`: the shape public data sets use, one file per level:
  provinces `code,name`; cities `code,name,provinceCode`; areas
  `code,name,cityCode,provinceCode`; streets `code,name,areaCode,...`;
  villages `code,name,streetCode,...`, codes of 2, 4, 6, 9 and 12 digits. It
  shows no dates and no reporting lines: what digits cannot tell comes from
  `overrides`, rows of the first shape, which replace or add codes.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

from gateway.geography.divisions import is_code, normalise
from gateway.model.errors import InvalidDocument, Problem
from gateway.model.geography import Division, DivisionKind, Jurisdiction, Level, Matter
from gateway.model.identifiers import AgencyName, DivisionCode, parse_office_id

DIVISION_COLUMNS = (
    "code", "name_zh", "level", "parent", "reports_to", "valid_from", "valid_to", "successors", "kind", "note",
)  # fmt: skip
JURISDICTION_COLUMNS = ("agency", "matters", "division", "office", "valid_from", "valid_to", "basis")
PILOT_COLUMNS = ("code", "code_2014", "name_in_annex", "province", "inside")

# Rows that stand for "directly under": no government of their own (DOMAIN 6.2).
_PSEUDO_CITIES = frozenset({"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"})


def parse_divisions(text: str, source: str) -> tuple[Division, ...]:
    """Read rows of our own shape. Raises InvalidDocument listing every wrong row with `source` and line."""
    problems: list[Problem] = []
    found = []
    for line, row in _rows(text, source, DIVISION_COLUMNS, problems):
        try:
            found.append(_division(row))
        except ValueError as wrong:
            problems.append(Problem("division-row", f"{source}:{line}", str(wrong)))
    _stop_at(problems, "the division table does not read")
    return tuple(found)


def parse_jurisdictions(text: str, source: str) -> tuple[Jurisdiction, ...]:
    """Read a jurisdiction map. `matters` are separated by a space; empty means all. Raises InvalidDocument."""
    problems: list[Problem] = []
    found = []
    for line, row in _rows(text, source, JURISDICTION_COLUMNS, problems):
        try:
            found.append(
                Jurisdiction(
                    agency=AgencyName(_needed(row, "agency")),
                    division=DivisionCode(_code(_needed(row, "division"))),
                    office=parse_office_id(_needed(row, "office")),
                    matters=frozenset(Matter(matter) for matter in row["matters"].split()),
                    valid_from=_day(row["valid_from"]),
                    valid_to=_day(row["valid_to"]),
                    basis=_needed(row, "basis"),
                )
            )
        except ValueError as wrong:
            problems.append(Problem("jurisdiction-row", f"{source}:{line}", str(wrong)))
    _stop_at(problems, "the jurisdiction map does not read")
    return tuple(found)


def parse_national(
    provinces: str,
    cities: str,
    areas: str,
    streets: str = "",
    villages: str = "",
    overrides: Iterable[Division] = (),
) -> tuple[Division, ...]:
    """Read a national set of one revision. Raises InvalidDocument for a row whose parent is missing.

    Pseudo-cities and the statistics' pseudo-counties become `pseudo` rows: they
    stay in the code tree and are passed over by the reporting tree. A county
    row that repeats its city's code (东莞 441900) is dropped: the townships are
    numbered under the city itself.
    """
    problems: list[Problem] = []
    found: dict[str, Division] = {}
    for row in _plain_rows(provinces):
        code = row["code"].ljust(6, "0")
        found[code] = Division(DivisionCode(code), row["name"], Level.PROVINCE)
    for row in _plain_rows(cities):
        code = row["code"].ljust(6, "0")
        kind = DivisionKind.PSEUDO if row["name"] in _PSEUDO_CITIES else DivisionKind.DIVISION
        _add(found, code, row["name"], Level.CITY, row["provinceCode"].ljust(6, "0"), kind, problems)
    area_rows = list(_plain_rows(areas))
    counties_of = Counter(row["cityCode"] for row in area_rows)
    for row in area_rows:
        city = row["cityCode"].ljust(6, "0")
        if row["code"] == city:
            continue
        stands_in = counties_of[row["cityCode"]] == 1 and city in found and found[city].name_zh == row["name"]
        kind = DivisionKind.PSEUDO if stands_in else DivisionKind.DIVISION
        _add(found, row["code"], row["name"], Level.COUNTY, city, kind, problems)
    for row in _plain_rows(streets):
        _add(found, row["code"], row["name"], Level.TOWNSHIP, row["areaCode"], DivisionKind.DIVISION, problems)
    for row in _plain_rows(villages):
        _add(found, row["code"], row["name"], Level.VILLAGE, row["streetCode"], DivisionKind.DIVISION, problems)
    _stop_at(problems, "the national table does not fit together")
    replaced = tuple(overrides)
    for division in replaced:
        found.pop(division.code, None)
    return (*found.values(), *replaced)


def parse_pilots(text: str, source: str) -> tuple[dict[str, str], ...]:
    """Read the list of pilot areas: `code` now, `code_2014` then, the annex's name, `inside` another pilot's code."""
    problems: list[Problem] = []
    found = []
    for line, row in _rows(text, source, PILOT_COLUMNS, problems):
        if not (is_code(row["code"]) and is_code(row["code_2014"])):
            problems.append(Problem("pilot-row", f"{source}:{line}", "`code` and `code_2014` are division codes"))
        found.append(row)
    _stop_at(problems, "the list of pilot areas does not read")
    return tuple(found)


def _add(
    found: dict[str, Division],
    code: str,
    name: str,
    level: Level,
    parent: str,
    kind: DivisionKind,
    problems: list[Problem],
) -> None:
    above = found.get(parent)
    if above is None:
        problems.append(Problem("division-parent", code, f"parent `{parent}` is not in the table"))
        return
    reports_to = above
    while reports_to.kind is DivisionKind.PSEUDO and reports_to.parent is not None:
        reports_to = found[reports_to.parent]
    found[code] = Division(DivisionCode(code), name, level, above.code, reports_to.code, kind=kind)


def _division(row: dict[str, str]) -> Division:
    level = _needed(row, "level")
    if len(level) != 2 or level[0] != "L" or level[1] not in "012345":
        raise ValueError(f"`level` is `{level}`, not L0 to L5")
    parent = _code(row["parent"]) if row["parent"] else None
    reports_to = _code(row["reports_to"]) if row["reports_to"] else None
    return Division(
        code=DivisionCode(_code(_needed(row, "code"))),
        name_zh=_needed(row, "name_zh"),
        level=Level(int(level[1])),
        parent=None if parent is None else DivisionCode(parent),
        reports_to=None if reports_to is None else DivisionCode(reports_to),
        valid_from=_day(row["valid_from"]),
        valid_to=_day(row["valid_to"]),
        successors=tuple(DivisionCode(_code(code)) for code in row["successors"].split()),
        kind=DivisionKind(row["kind"] or "division"),
        note=row["note"],
    )


def _rows(
    text: str, source: str, columns: tuple[str, ...], problems: list[Problem]
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    given = tuple(reader.fieldnames or ())
    if given != columns:
        problems.append(Problem("table-columns", f"{source}:1", f"the columns are {','.join(columns)}"))
        return
    try:
        for row in reader:
            if None in row or None in row.values():
                problems.append(Problem("table-row", f"{source}:{reader.line_num}", f"a row has {len(columns)} cells"))
                continue
            yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except csv.Error as wrong:
        problems.append(Problem("table-row", f"{source}:{reader.line_num}", str(wrong)))


def _plain_rows(text: str) -> Iterator[dict[str, str]]:
    return iter(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


def _needed(row: dict[str, str], name: str) -> str:
    if not row[name]:
        raise ValueError(f"`{name}` is empty")
    return row[name]


def _code(text: str) -> str:
    if not is_code(text):
        raise ValueError("a division code has 6, 9 or 12 digits")
    return normalise(text)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _stop_at(problems: list[Problem], message: str) -> None:
    if problems:
        raise InvalidDocument(message, problems=tuple(problems))
