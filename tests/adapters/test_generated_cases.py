"""Is anything lost silently on the way in? Every generated case, read by us and by another library (issue bars, DOMAIN S11).

Whatever another reader finds in the bytes (people, birth dates, identifiers, codes) stands in our notice with
the same value, or a gap names its place.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections import Counter
from functools import cache

import pytest

from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from gateway.simulation.families import Edge
from gateway.simulation.scenarios import STORIES, WRITERS, messages
from gateway.validation.identity import check_digit_holds
from tests.adapters import independent
from tests.adapters.builders import office

ADAPTERS = load_adapters()
CASES = 88  # every edge of S11 four times, every other scenario eleven times
GENERATED = list(messages(seed=7, cases=CASES))


def submitted(message) -> list[SubmittedNotice]:
    """Decoded once for all tests, which only look."""
    return _decoded(message.agency, message.file.media_type, message.file.body)


@cache
def _decoded(agency: str, media_type: str, body: bytes) -> list[SubmittedNotice]:
    items = list(ADAPTERS[agency].decode(body, media_type, office(agency), {}).items)
    assert all(isinstance(item, SubmittedNotice) for item in items), (agency, items)
    return items


def at(data, path: str, child):
    if path.startswith("child."):
        data, path = child, path.removeprefix("child.")
    for part in path.split("."):
        data = data.get(part, {}) if isinstance(data, dict) else {}
    return [entry["item"] for entry in data] if path == "order.terms" else data


def losses(notice: SubmittedNotice, seen: independent.Independent) -> list[str]:
    """What the other reader found and we neither have nor name."""
    named = {gap.target for gap in notice.gaps}
    persons = notice.data["persons"]
    lost = []
    taken: list[int] = []
    for someone in seen.people:
        same = [
            number
            for number, person in enumerate(persons)
            if number not in taken
            and ("minor" in person["roles"]) == someone.is_child
            and (not someone.name or person.get("name") == someone.name)
            and (not someone.alias or person.get("alias") == someone.alias)
        ]
        if not same:
            lost.append("a person")
            continue
        taken.append(same[0])
        person = persons[same[0]]
        for field, value in (
            ("id_no", someone.plain_id), ("birth_date", someone.plain_born), ("sex", someone.sex), ("phone", someone.phone),
            ("relation", someone.relation),
        ):  # fmt: skip
            if value and person.get(field) != value and f"persons.{field}" not in named:
                lost.append(f"persons.{field}")
        if someone.age and "age" not in person and "persons.age" not in named:
            lost.append("persons.age")
    child = next((person for person in persons if "minor" in person["roles"]), {})
    for path, value in seen.facts.items():
        ours = notice.subject if path == "subject" else at(notice.data, path, child)
        if ours != value and path not in named:
            lost.append(path)
    return lost


@pytest.mark.parametrize("agency", WRITERS)
def test_nothing_another_reader_finds_is_lost_silently(agency):
    checked = Counter()
    for message in GENERATED:
        if message.agency != agency:
            continue
        ours = submitted(message)
        theirs = independent.read(agency, message.file.media_type, message.file.body)
        assert len(ours) == len(theirs), message.name
        for notice, seen in zip(ours, theirs, strict=True):
            assert losses(notice, seen) == [], (message.name, message.edge)
            checked["people"] += len(seen.people)
            checked["facts"] += len(seen.facts)
    assert checked["people"] >= 40
    assert checked["facts"] >= 40


@pytest.mark.parametrize("agency", WRITERS)
def test_whoever_called_is_in_the_vault_and_nowhere_else(agency):
    callers = 0
    for message in GENERATED:
        if message.agency != agency or message.name.endswith((".fhir.json", ".cda.xml")):
            continue
        theirs = independent.read(agency, message.file.media_type, message.file.body)
        for notice, seen in zip(submitted(message), theirs, strict=True):
            for word in seen.caller:
                assert word in notice.reporter.values(), message.name
                assert word not in str((notice.data, notice.gaps, notice.provenance)), message.name
                callers += 1
            for word in seen.forbidden:
                assert word not in str(notice.data), message.name
    assert callers > 0 or agency in ("courts", "judiciary", "procuratorate")


def test_an_edge_is_named_or_kept_as_it_is():
    """Each edge of S11 in every format: the wrong digit noted, x made X, rare characters kept, ruined numbers not taken."""
    seen = Counter()
    for message in GENERATED:
        codes = {gap.code for notice in submitted(message) for gap in notice.gaps}
        persons = [person for notice in submitted(message) for person in notice.data["persons"]]
        child = next(person for person in persons if "minor" in person["roles"])
        original = not message.name.endswith((".fhir.json", ".cda.xml"))
        match message.edge:
            case Edge.TWINS if original and message.kind != "FY_JG":
                assert "check-digit" in codes, message.name
            case Edge.SMALL_X:
                assert child["id_no"].endswith("X")
                assert check_digit_holds(child["id_no"])
            case Edge.FULL_WIDTH if original:
                assert child["id_no"].isascii()
                assert check_digit_holds(child["id_no"])
            case Edge.RUINED if original:
                assert "ruined-number" in codes, message.name
                assert "id_no" not in child
            case Edge.HALF_AGE | Edge.ABOUT_AGE if "age" in child:
                assert child["age"]["approximate"] is True
                assert ("months" in child["age"]) == (message.edge is Edge.HALF_AGE)
            case Edge.PARTIAL_DATE if "birth_date" in child:
                assert len(child["birth_date"]) in (4, 7)
            case Edge.NONE:
                pass
        seen[message.edge] += 1
    assert set(seen) == set(Edge)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    def digest(seed: int) -> str:
        whole = hashlib.sha256()
        for message in messages(seed, 8):
            whole.update(message.file.body)
        return whole.hexdigest()

    assert digest(3) == digest(3) != digest(4)


def test_a_workbook_does_not_tell_when_it_was_generated():
    (book,) = [one.file.body for one in messages(3, 1) if one.name.endswith(".xlsx")]
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert {member.date_time for member in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert set(re.findall(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z", parts.read("docProps/core.xml"))) == {
            b"2026-01-01T00:00:00Z"
        }


def test_every_agency_tells_every_edge_case_and_no_identity_can_be_real():
    assert {sender for sender, _ in STORIES["S11"]} == {sender for sender, _ in STORIES["S1"]} == set(WRITERS)
    for message in GENERATED:
        for notice in submitted(message):
            for person in notice.data["persons"]:
                assert str(person.get("id_no", "999999")).startswith("999999")
                assert str(person.get("phone", "100")).startswith("100")
