"""Which division does a code name on a day, and to whom does it report?

`DivisionTree` answers from dated rows; names are never matched on. Two lines
lead up from a division: `code_line` (declared parents of the code system) and
`line` (the reporting tree). They differ for pseudo-cities (1101 市辖区), for
counties a province runs itself (兰考 410225), for cities without counties
(嘉峪关 620200 with the statistics' 620201), and for local codes.

Statistics write every code with 12 digits; `440113000000` and `440113` name
one division, and so do `440113102000` and `440113102`. Townships and villages
that the table doesn't hold are answered by the county they were numbered
under (GB/T 10114 builds 9 digits on 6, the statistical code 12 on 9); a
county or city that the table doesn't hold is unknown, since its first digits
prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from gateway.model.errors import InvalidDocument, Problem
from gateway.model.geography import Division, DivisionKind, Level
from gateway.model.identifiers import DivisionCode

_MOST_CHANGES = 16  # a chain of successors longer than this is a cycle through reused codes


def normalise(code: str) -> str:
    """The shortest way to write a code, or the text as it is when it is none.

    >>> normalise("440113102000"), normalise("440113000"), normalise("440000")
    ('440113102', '440113', '440000')
    """
    if len(code) == 12 and code.endswith("000"):
        code = code[:9]
    if len(code) == 9 and code.endswith("000"):
        code = code[:6]
    return code


def is_code(code: str) -> bool:
    return len(code) in (6, 9, 12) and code.isascii() and code.isdigit()


@dataclass(frozen=True, slots=True)
class Resolved:
    """A division and the steps that led to it: `change:500234>500154`, `within:440113`, `split:...`."""

    division: Division
    steps: tuple[str, ...] = ()


class DivisionTree:
    """The dated code tree and the reporting tree beside it. Immutable once built.

    Raises InvalidDocument with every problem found: malformed code, unknown
    parent or successor, level out of order, overlapping periods, a cycle.
    """

    def __init__(self, divisions: Iterable[Division], version: str = "") -> None:
        rows: dict[str, list[Division]] = {}
        for division in divisions:
            rows.setdefault(division.code, []).append(division)
        self.version = version
        self._rows: Mapping[str, tuple[Division, ...]] = {
            code: tuple(sorted(periods, key=lambda row: row.valid_from or date.min)) for code, periods in rows.items()
        }
        problems = tuple(self._problems())
        if problems:
            raise InvalidDocument("the division table contradicts itself", problems=problems)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, code: str) -> bool:
        return normalise(code) in self._rows

    def periods(self, code: str) -> tuple[Division, ...]:
        """Every period of a code, oldest first; empty when unknown."""
        return self._rows.get(normalise(code), ())

    def at(self, code: str, on: date) -> Division | None:
        """The division of exactly this code on this day; None when the code is unknown or not in force then."""
        for row in self._rows.get(normalise(code), ()):
            if row.is_valid_on(on):
                return row
        return None

    def resolve(self, code: str, on: date) -> Resolved | None:
        """The division that a code means on a day, following successors of retired codes.

        A code newer than the day (a record re-coded later) is taken as it is.
        A division split among several is answered by the one they report to,
        because nothing says which part is meant. None when the code is no code
        or nothing known.
        """
        code = normalise(code)
        if not is_code(code):
            return None
        steps: list[str] = []
        for shorter in dict.fromkeys((code, code[:9], code[:6])):
            if shorter in self._rows:
                if shorter != code:
                    steps.append(f"within:{shorter}")
                return self._follow(shorter, on, steps)
        return None

    def resolve_from(self, code: str, event: date, on: date) -> Resolved | None:
        """What a code written for `event` means on `on`: first the row in force then, carried forward to now."""
        then = self.resolve(code, min(event, on))
        if then is None or then.division.is_valid_on(on):
            return then
        steps = list(then.steps)
        carried = self._carry(then.division, on, steps)
        return Resolved(carried, tuple(steps))

    def line(self, division: Division, on: date) -> tuple[Division, ...]:
        """The reporting line: the division itself, then upwards to the province and, if present, the ministry."""
        return self._climb(division, on, reporting=True)

    def code_line(self, division: Division, on: date) -> tuple[Division, ...]:
        """The same along the code system's declared parents, pseudo-cities included."""
        return self._climb(division, on, reporting=False)

    def all(self, on: date) -> tuple[Division, ...]:
        """Every division in force on a day, by code."""
        found = (self.at(code, on) for code in sorted(self._rows))
        return tuple(row for row in found if row is not None)

    def _follow(self, code: str, on: date, steps: list[str]) -> Resolved:
        row = self.at(code, on)
        if row is None:
            periods = self._rows[code]
            ended = [period for period in periods if period.valid_to is not None and period.valid_to <= on]
            # Newer than the day: the place was re-coded after the event.
            row = self._carry(ended[-1], on, steps) if ended else periods[0]
        return Resolved(row, tuple(steps))

    def _carry(self, row: Division, on: date, steps: list[str]) -> Division:
        for _ in range(_MOST_CHANGES):
            if row.valid_to is None or on < row.valid_to:
                return row
            if len(row.successors) == 1:
                following = self.at(row.successors[0], on) or self._rows[row.successors[0]][-1]
                steps.append(f"change:{row.code}>{following.code}")
            elif row.successors:
                common = self._common(row.successors, on)
                if common is None:
                    return row
                following = common
                steps.append(f"split:{row.code}>{following.code}")
            else:
                parent = row.reports_to or row.parent
                if parent is None:
                    return row
                following = self.at(parent, on) or self._rows[parent][-1]
                steps.append(f"abolished:{row.code}>{following.code}")
            if following is row:
                return row
            row = following
        return row

    def _common(self, codes: tuple[DivisionCode, ...], on: date) -> Division | None:
        """The lowest division that all the codes report to."""
        lines = [self.line(self.at(code, on) or self._rows[code][-1], on) for code in codes]
        others = [{row.code for row in line} for line in lines[1:]]
        for row in lines[0]:
            if all(row.code in codes_above for codes_above in others):
                return row
        return None

    def _climb(self, division: Division, on: date, *, reporting: bool) -> tuple[Division, ...]:
        found = [division]
        seen = {division.code}
        while True:
            last = found[-1]
            above = (last.reports_to if reporting else last.parent) or last.parent
            if above is None or above in seen:
                return tuple(found)
            row = self.at(above, on)
            if row is None:
                row = self._follow(above, on, []).division
                if row.code in seen:
                    return tuple(found)
            if not (reporting and row.kind is DivisionKind.PSEUDO):
                found.append(row)
                seen.add(row.code)
                continue
            # A pseudo division is passed over: its own superior is the next step.
            above = row.reports_to or row.parent
            if above is None or above in seen:
                return tuple(found)
            beyond = self._follow(above, on, []).division
            found.append(beyond)
            seen.add(beyond.code)

    def _problems(self) -> Iterable[Problem]:
        for code, periods in self._rows.items():
            if not is_code(code) or normalise(code) != code:
                yield Problem("division-code", code, "a division code has 6, 9 or 12 digits and no 000 tail beyond 6")
            for before, after in pairwise(periods):
                if before.valid_to is None or after.valid_from is None or before.valid_to > after.valid_from:
                    yield Problem("division-overlap", code, "two periods of one code overlap")
            for row in periods:
                yield from self._row_problems(row)

    def _row_problems(self, row: Division) -> Iterable[Problem]:
        if row.valid_from is not None and row.valid_to is not None and row.valid_from >= row.valid_to:
            yield Problem("division-period", row.code, "`valid_to` is not after `valid_from`")
        for name, above in (("parent", row.parent), ("reports_to", row.reports_to)):
            if above is None:
                continue
            if above not in self._rows:
                yield Problem("division-parent", row.code, f"{name} `{above}` is not in the table")
            elif any(parent.level >= row.level for parent in self._rows[above]) and not self._is_stand_in(row, above):
                yield Problem("division-level", row.code, f"{name} `{above}` is not of a higher level")
        if row.parent is None and row.level > Level.PROVINCE:
            yield Problem("division-parent", row.code, "below the province every code declares its parent")
        for successor in row.successors:
            if successor not in self._rows:
                yield Problem("division-successor", row.code, f"successor `{successor}` is not in the table")
        if row.successors and row.valid_to is None:
            yield Problem("division-successor", row.code, "a code with successors needs `valid_to`")

    def _is_stand_in(self, row: Division, above: str) -> bool:
        """A local code may declare a parent of its own level: a zone inside a county, run like one."""
        return row.kind is DivisionKind.LOCAL and all(parent.level == row.level for parent in self._rows[above])
