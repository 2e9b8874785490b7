"""What in a well-formed notice should make a person look twice?

Hints never refuse and never change anything. They compare fields with each
other: an identity number with its check digit and the birth date, a category
with its definition (DOMAIN 2.0.6), a period with itself, a reference with the
persons there are. Each is `<code>:<JSON pointer>` and holds no value.

Total for what `validate` lets through, and for data from which parts were cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    return tuple(_hints(data, on))


def _hints(data: Mapping[str, Any], on: date) -> Iterator[str]:
    persons = [person for person in data.get("persons", ()) if isinstance(person, dict)]
    for index, person in enumerate(persons):
        yield from _person(person, f"/persons/{index}", on)
    yield from _references(data, persons)
    for group, start, end in _PERIODS:
        if group in data:
            yield from _period(data[group], start, end, f"/{group}")
    for index, measure in enumerate(data.get("measures", ())):
        yield from _period(measure, "from", "until", f"/measures/{index}")
    occurred = data.get("occurred_at")
    if isinstance(occurred, str) and occurred[:10] > on.isoformat():
        yield "in-future:/occurred_at"
    if "harm" in data:
        yield from _harm(data, persons, on)


def _person(person: Mapping[str, Any], at: str, on: date) -> Iterator[str]:
    number, born = person.get("id_no"), person.get("birth_date")
    days = birth_range(born) if born is not None else None
    if number is not None and person.get("id_type", "ID") == "ID":
        if not check_digit_holds(number):
            yield f"id-check-digit:{at}/id_no"
        else:
            coded = born_of(number)
            if coded is None or (days is not None and not days[0] <= coded <= days[1]):
                yield f"id-birth-date:{at}/birth_date"
            if person.get("sex") in ("1", "2") and sex_of(number) != person["sex"]:
                yield f"id-sex:{at}/sex"
    student = person.get("student_no")
    if student is not None and student[0] == "G" and number is not None and student[1:] != number:
        yield f"student-no-id:{at}/student_no"
    if days is not None and days[0] > on and not person.get("unborn"):
        yield f"in-future:{at}/birth_date"
    years = age_range(born, on) if born is not None else None
    stated = age_range(person["age"], on) if "age" in person else None
    if years is not None and stated is not None and (years[1] < stated[0] - 1 or stated[1] + 1 < years[0]):
        yield f"age-birth-date:{at}/age"
    years = years or stated
    roles = person.get("roles", ())
    if years is not None and "minor" in roles and years[0] >= 18:
        yield f"minor-of-age:{at}"
    if years is not None and years[0] >= 16 and "D31" in person.get("difficulty", ()):
        yield f"left-behind-age:{at}/difficulty"
    away = person.get("unavailable")
    if away is not None:
        yield from _period(away, "from", "until", f"{at}/unavailable")


def _references(data: Mapping[str, Any], persons: list[dict[str, Any]]) -> Iterator[str]:
    refs = [person["ref"] for person in persons if "ref" in person]
    known = set(refs)
    if len(known) != len(refs):
        yield "duplicate-ref:/persons"
    minors = {person.get("ref") for person in persons if "minor" in person.get("roles", ())}
    unattended, away = False, False
    for index, person in enumerate(persons):
        of = person.get("of")
        if of is not None and of not in known:
            yield f"dangling-reference:/persons/{index}/of"
        elif of is None and "relation" in person and len(minors) > 1:
            yield f"relation-of-whom:/persons/{index}/relation"
        if any(ref not in known for ref in person.get("lives_with", ())):
            yield f"dangling-reference:/persons/{index}/lives_with"
        away = away or "unavailable" in person
        unattended = unattended or not _UNATTENDED.isdisjoint(person.get("difficulty", ()))
    if unattended and not away:
        yield "unattended-without-reason:/persons"
    for group, name in _REFERENCES:
        if group in data and data[group].get(name, None) not in (None, *known):
            yield f"dangling-reference:/{group}/{name}"
    authority = data.get("guardianship", {}).get("consent_authority", {}).get("ref")
    if authority is not None and authority not in known:
        yield "dangling-reference:/guardianship/consent_authority/ref"


def _period(holder: Mapping[str, Any], start: str, end: str, at: str) -> Iterator[str]:
    first, last = holder.get(start), holder.get(end)
    if first is not None and last is not None and last[: len(first)] < first[: len(last)]:
        yield f"period-reversed:{at}/{end}"


def _harm(data: Mapping[str, Any], persons: list[dict[str, Any]], on: date) -> Iterator[str]:
    flags = data["harm"].get("m_flags", ())
    if flags and data.get("report", {}).get("mandatory") is False:
        yield "mandatory-denied:/report/mandatory"
    minors = [person for person in persons if "minor" in person.get("roles", ())]
    if not minors or not {"M2", "M3"} & set(flags):
        return
    if all(minor.get("sex") == "1" for minor in minors):
        yield "m-flag-sex:/harm/m_flags"
    ages = [age_range(minor.get("birth_date", minor.get("age")), on) for minor in minors]
    if all(years is not None for years in ages):
        if "M2" in flags and all(years is not None and years[0] >= 14 for years in ages):
            yield "m-flag-age:/harm/m_flags"
        if "M3" in flags and all(years is not None and years[1] < 14 for years in ages):
            yield "m-flag-age:/harm/m_flags"
