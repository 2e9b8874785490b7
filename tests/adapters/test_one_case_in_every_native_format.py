"""One scenario, told by eight agencies in their own formats, lands as the same canonical facts (DOMAIN 7, S11).

The files are written without the adapters' mappings, so what they should say is known from the family itself.
`CARRIES` is what each format has a place for, by DOMAIN 2: where it has none, the fact is not there, and where it
has one, the fact is the same as from everybody else. Case by case every edge of S11 is told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from gateway.simulation.families import Edge, Individual
from gateway.simulation.scenarios import STORIES, Message, make_case, messages
from tests.adapters.builders import office

ADAPTERS = load_adapters()
SEED = 7
CASES = 24  # each of the eleven edges at least once
TELLINGS: dict[int, list[Message]] = defaultdict(list)
for message in messages(SEED, CASES):
    if message.scenario == "S11" and not message.name.endswith((".fhir.json", ".cda.xml")):
        TELLINGS[message.case].append(message)

EVERYBODY = frozenset({"called", "id_no"})
# The court's file and the justice bureau's line have no element for a birth date beside a number, nor the bureau's for a sex.
CARRIES: Mapping[str, frozenset[str]] = {
    "health": EVERYBODY | {"sex", "birth_date", "region", "address", "ethnicity", "m_flags", "told", "moment"},
    "police": EVERYBODY | {"sex", "birth_date", "age", "region", "address", "ethnicity", "m_flags", "told", "moment"},
    "civil_affairs": EVERYBODY | {"sex", "birth_date", "age", "region", "address", "ethnicity", "told"},
    "education": EVERYBODY | {"sex", "birth_date", "age", "address", "ethnicity", "m_flags", "told", "day"},
    "womens_federation": EVERYBODY | {"sex", "birth_date", "age", "region", "address", "told", "moment"},
    "procuratorate": EVERYBODY | {"sex", "birth_date", "region", "address", "m_flags", "told"},
    "courts": EVERYBODY | {"sex"},
    "judiciary": EVERYBODY,
}


def decoded(message: Message) -> list[SubmittedNotice]:
    found = ADAPTERS[message.agency].decode(message.file.body, message.file.media_type, office(message.agency), {})
    assert all(isinstance(item, SubmittedNotice) for item in found.items), (message.name, found.items)
    return list(found.items)


def children(notices: Iterable[SubmittedNotice]) -> Iterator[tuple[SubmittedNotice, Mapping[str, Any]]]:
    for notice in notices:
        for person in notice.data["persons"]:
            if "minor" in person["roles"]:
                yield notice, person


def said(notice: SubmittedNotice, child: Mapping[str, Any]) -> dict[str, object]:
    """The facts of S11 that a notice has about one of its children, under one name each."""
    data, residence = notice.data, child.get("residence", {})
    harm = data.get("harm", {})
    discovered = data.get("discovered_at", "")
    found = {
        "called": child.get("name") or child.get("alias"),
        "id_no": child.get("id_no"),
        "sex": child.get("sex"),
        "birth_date": child.get("birth_date"),
        "age": child.get("age"),
        "region": residence.get("region"),
        "address": residence.get("address"),
        "ethnicity": child.get("ethnicity"),
        "m_flags": harm.get("m_flags"),
        "told": harm.get("narrative") or harm.get("summary") or harm.get("injury", {}).get("text"),
        "moment": discovered,
        "day": data.get("occurred_at"),
    }
    return {name: value for name, value in found.items() if value}


def true(case: int, child: Individual) -> dict[str, object]:
    """What whoever writes about this child has to say, from the family and its event, by the rules of DOMAIN 2.0."""
    _, family, event = make_case(SEED, case)
    number = "".join(chr(ord(one) - 0xFEE0) if one >= "！" else one for one in child.id_no).upper()
    facts = {
        "called": child.name or child.alias,
        "id_no": "" if "E+" in number else number,
        "sex": child.sex,
        "birth_date": child.born,
        "age": _age(child.age),
        "region": family.region,
        "address": family.address,
        "ethnicity": "01",
        "m_flags": [event.m_flag],
        "told": event.narrative,
        "moment": event.happened.isoformat(),
        "day": str(event.happened.date()),
    }
    return {name: value for name, value in facts.items() if value}


def _age(words: str) -> dict[str, object]:
    years = re.search(r"\d+", words)
    half = {"months": 6} if "半" in words else {}
    return {} if years is None else {"years": int(years[0]), "approximate": True} | half


@pytest.mark.parametrize("case", TELLINGS, ids=lambda case: str(TELLINGS[case][0].edge.value))
def test_eight_native_formats_land_as_the_same_facts(case):
    family = make_case(SEED, case)[1]
    truth = [true(case, child) for child in family.children]
    landed = Counter()
    assert {message.agency for message in TELLINGS[case]} == set(CARRIES)
    for message in TELLINGS[case]:
        told = [said(notice, child) for notice, child in children(decoded(message))]
        assert len(told) == len(family.children), message.name
        for facts, whole in zip(told, truth, strict=True):
            region = str(facts.get("region", whole["region"]))
            # To a district, a town or a village, as far as the format goes: never another place.
            assert len(region) in (6, 9, 12)
            assert str(whole["region"]).startswith(region), message.name
            expected = {**whole, "region": region}
            assert facts == {name: expected.get(name) for name in facts}, message.name
            assert CARRIES[message.agency] & whole.keys() <= facts.keys(), message.name
            landed.update(facts.keys() & whole.keys())
    assert landed["called"] == 8 * len(family.children)
    if "id_no" in truth[0]:
        assert landed["id_no"] == 8 * len(family.children)


@pytest.mark.parametrize("case", TELLINGS, ids=lambda case: str(TELLINGS[case][0].edge.value))
def test_the_father_is_the_same_man_wherever_he_is_named(case):
    """Health and education name him without a number; the others with it. Nobody gives him another name or relation."""
    father = next(one for one in make_case(SEED, case)[1].kin if one.relation == "51")
    names, numbers = set(), set()
    for message in TELLINGS[case]:
        for notice in decoded(message):
            for person in notice.data["persons"]:
                if person.get("relation") == "51":
                    assert person["name"] == father.name, message.name
                    assert person.get("phone", father.phone) == father.phone, message.name
                    assert person.get("birth_date", father.born) == father.born, message.name
                    names.add(message.agency)
                    if "id_no" in person:
                        assert person["id_no"] == father.id_no, message.name
                        numbers.add(message.agency)
    assert names >= {"health", "police", "civil_affairs", "education", "judiciary", "courts"}
    assert numbers == {"police", "civil_affairs", "judiciary", "courts"}


def test_every_edge_is_told_in_more_than_five_formats():
    edges = {told[0].edge for told in TELLINGS.values()}
    assert edges == set(Edge) - {Edge.NONE}
    assert {agency for agency, _ in STORIES["S11"]} == set(CARRIES)
    media_types = {(message.agency, message.file.media_type) for message in TELLINGS[2]}
    assert len(media_types) == 8
