"""What in a well-formed notice should make a person look twice?

Hints never refuse and never change anything. They compare fields with each
other: an identity number with its check digit and the birth date, a category
with its definition (DOMAIN 2.0.6), a period with itself, a reference with the
persons there are. Each is `<code>:<JSON pointer>` and holds no value.

Total for what `validate` lets through, and for data from which parts were cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.validation.age import age_range, birth_range
from gateway.validation.identity import born_of, check_digit_holds, sex_of

_PERIODS = (
    ("order", "valid_from", "valid_until"),
    ("guardianship", "from", "planned_end"),
    ("entrusted", "from", "until"),
    ("custody", "from", "until"),
)
_REFERENCES = (("order", "respondent"), ("judgment", "new_guardian"), ("consent", "giver"))
_UNATTENDED = frozenset({"D11", "D12", "D13", "D14"})


def hints(data: Mapping[str, Any], on: date) -> tuple[str, ...]:
    """All hints for a body; `on` is the day of receipt."""
    found: list[str] = []
    persons = [person for person in data.get("persons", ()) if isinstance(person, dict)]
    for index, person in enumerate(persons):
        _person(person, f"/persons/{index}", on, found)
    _references(data, persons, found)
    for group, start, end in _PERIODS:
        if group in data:
            _period(data[group], start, end, f"/{group}", found)
    for index, measure in enumerate(data.get("measures", ())):
        _period(measure, "from", "until", f"/measures/{index}", found)
    occurred = data.get("occurred_at")
    if isinstance(occurred, str) and occurred[:10] > on.isoformat():
        found.append("in-future:/occurred_at")
    if "harm" in data:
        _harm(data, persons, on, found)
    return tuple(found)


def _person(person: Mapping[str, Any], at: str, on: date, found: list[str]) -> None:
    number, born = person.get("id_no"), person.get("birth_date")
    days = birth_range(born) if born is not None else None
    if number is not None:
        _identity(person, number, days, at, found)
    years = age_range(born, on) if born is not None else None
    stated = age_range(person["age"], on) if "age" in person else None
    if years is not None and stated is not None and (years[1] < stated[0] - 1 or stated[1] + 1 < years[0]):
        found.append(f"age-birth-date:{at}/age")
    if days is not None and days[0] > on and not person.get("unborn"):
        found.append(f"in-future:{at}/birth_date")
    years = years or stated
    if years is not None and years[0] >= 16:
        if years[0] >= 18 and "minor" in person.get("roles", ()):
            found.append(f"minor-of-age:{at}")
        if "D31" in person.get("difficulty", ()):
            found.append(f"left-behind-age:{at}/difficulty")
    if "unavailable" in person:
        _period(person["unavailable"], "from", "until", f"{at}/unavailable", found)


def _identity(
    person: Mapping[str, Any], number: str, days: tuple[date, date] | None, at: str, found: list[str]
) -> None:
    if person.get("id_type", "ID") == "ID":
        if not check_digit_holds(number):
            found.append(f"id-check-digit:{at}/id_no")
        else:
            coded = born_of(number)
            if coded is None or (days is not None and not days[0] <= coded <= days[1]):
                found.append(f"id-birth-date:{at}/birth_date")
            if person.get("sex") in ("1", "2") and sex_of(number) != person["sex"]:
                found.append(f"id-sex:{at}/sex")
    student = person.get("student_no")
    if student is not None and student[0] == "G" and student[1:] != number:
        found.append(f"student-no-id:{at}/student_no")


def _references(data: Mapping[str, Any], persons: list[dict[str, Any]], found: list[str]) -> None:
    refs = [person["ref"] for person in persons if "ref" in person]
    known = set(refs)
    if len(known) != len(refs):
        found.append("duplicate-ref:/persons")
    minors, unattended, away = 0, False, False
    for person in persons:
        minors += "minor" in person.get("roles", ())
        away = away or "unavailable" in person
        unattended = unattended or ("difficulty" in person and not _UNATTENDED.isdisjoint(person["difficulty"]))
    for index, person in enumerate(persons):
        if "of" in person:
            if person["of"] not in known:
                found.append(f"dangling-reference:/persons/{index}/of")
        elif minors > 1 and "relation" in person:
            found.append(f"relation-of-whom:/persons/{index}/relation")
        if "lives_with" in person and not known.issuperset(person["lives_with"]):
            found.append(f"dangling-reference:/persons/{index}/lives_with")
    if unattended and not away:
        found.append("unattended-without-reason:/persons")
    for group, name in _REFERENCES:
        if group in data and name in data[group] and data[group][name] not in known:
            found.append(f"dangling-reference:/{group}/{name}")
    if "guardianship" in data:
        authority = data["guardianship"].get("consent_authority", {}).get("ref")
        if authority is not None and authority not in known:
            found.append("dangling-reference:/guardianship/consent_authority/ref")


def _period(holder: Mapping[str, Any], start: str, end: str, at: str, found: list[str]) -> None:
    first, last = holder.get(start), holder.get(end)
    if first is not None and last is not None and last[: len(first)] < first[: len(last)]:
        found.append(f"period-reversed:{at}/{end}")


def _harm(data: Mapping[str, Any], persons: list[dict[str, Any]], on: date, found: list[str]) -> None:
    flags = data["harm"].get("m_flags", ())
    if flags and data.get("report", {}).get("mandatory") is False:
        found.append("mandatory-denied:/report/mandatory")
    if "M2" not in flags and "M3" not in flags:
        return
    minors = [person for person in persons if "minor" in person.get("roles", ())]
    if not minors:
        return
    if all(minor.get("sex") == "1" for minor in minors):
        found.append("m-flag-sex:/harm/m_flags")
    ages = [age_range(minor.get("birth_date", minor.get("age")), on) for minor in minors]
    older = all(years is not None and years[0] >= 14 for years in ages)
    younger = all(years is not None and years[1] < 14 for years in ages)
    if ("M2" in flags and older) or ("M3" in flags and younger):
        found.append("m-flag-age:/harm/m_flags")
