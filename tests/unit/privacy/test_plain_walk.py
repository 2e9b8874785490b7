"""Keeping what fits gives the bytes of walking member by member, for any body, outcome and reader."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from gateway.bench.samples import report_data
from gateway.model.fields import FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId, NoticeType
from gateway.model.notice import ReleasedNotice
from gateway.privacy.fitting import Fitting
from gateway.privacy.projection import Projector
from gateway.privacy.release import ReleaseNotes, release
from tests.unit.privacy.bodies import bodies
from tests.unit.privacy.building import PROJECTOR, RPT, SPECS, TABLES, context, decision
from tests.unit.privacy.test_noninterference import SEEDS, outcome
from tests.unit.privacy.test_with_the_catalogue import CATALOGUE

FITTING = Fitting(SPECS.values())


class NeverFits(Fitting):
    def __call__(self, body: Any) -> bool:
        return False


WALKING = Projector({RPT: SPECS}, TABLES, fitting=NeverFits)


def known(value: Any) -> Any:
    """The body without members that no schema has, and without empty ones: it mostly fits."""
    if isinstance(value, dict):
        cleaned = {name: known(member) for name, member in value.items() if name != "odd"}
        return {name: member for name, member in cleaned.items() if member not in ({}, [])}
    return [known(element) for element in value] if isinstance(value, list) else value


def released_twice(data: dict[str, Any], seed: int) -> tuple[ReleasedNotice, ReleasedNotice]:
    made = outcome(Random(seed))
    kept, walked = ReleaseNotes(), ReleaseNotes()
    references = {"n-1": "msg-1"}
    before = orjson.dumps(data)
    one = release(data, made, context(references=references), PROJECTOR, kept)
    assert orjson.dumps(data) == before
    other = release(data, made, context(references=references), WALKING, walked)
    assert kept == walked
    assert isinstance(one, ReleasedNotice)
    assert isinstance(other, ReleasedNotice)
    return one, other


@settings(max_examples=120)
@given(bodies().map(known), SEEDS)
def test_a_body_that_mostly_fits_is_released_as_if_walked(data: dict[str, Any], seed: int):
    one, other = released_twice(data, seed)
    assert one.canonical == other.canonical
    assert one.data == other.data


@settings(max_examples=40)
@given(bodies(), SEEDS)
def test_any_body_is_released_as_if_walked(data: dict[str, Any], seed: int):
    one, other = released_twice(data, seed)
    assert one.canonical == other.canonical


def test_generated_bodies_fit_often_enough_to_try_both_readings():
    fits = []

    @settings(max_examples=60, database=None, derandomize=True)
    @given(bodies().map(known))
    def count(data: dict[str, Any]) -> None:
        fits.append(FITTING(data))

    count()
    assert 10 < sum(fits) < len(fits)


def test_a_report_as_hospitals_send_it_fits():
    assert Fitting(CATALOGUE.fields_of(NoticeType("RPT-M")).values())(report_data(1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("place.detail", 1), ("place.school_related", "no"), ("place.more", "x"), ("place", {}), ("more", "x"),
        ("harm.types", ["H21", 1]), ("harm.injury", []), ("persons.0.school.more", "x"), ("persons.1.name", None),
        ("persons.2", "x"), ("persons", {}), ("persons", []), ("measures.0.executor", ["x"]), ("measures.0.more", {}),
    ],
)  # fmt: skip
def test_a_member_too_many_or_of_another_type_does_not_fit(path: str, value: Any):
    body: Any = report_data(1)
    *above, last = path.split(".")
    at = body
    for name in above:
        at = at[int(name)] if name.isdigit() else at[name]
    at[int(last) if last.isdigit() else last] = value
    assert not Fitting(CATALOGUE.fields_of(NoticeType("RPT-M")).values())(body)


def test_a_member_another_role_has_is_not_kept_because_the_object_is():
    """A guardian has no school: what stands there is not shown, though the object would fit a child."""
    shown = decision({}, otherwise="clear")
    data = {
        "persons": [
            {"ref": "a", "roles": ["guardian"], "name": "王测", "school": {"code": "x", "name": "y"}},
            {"ref": "b", "roles": ["minor"], "name": "李测", "school": {"code": "x", "name": "y"}},
        ]
    }
    assert FITTING(data)
    made = release(data, shown, context(), PROJECTOR)
    assert isinstance(made, ReleasedNotice)
    assert [one.get("school") for one in made.data["persons"]] == [{"code": "x", "name": "y"}, None]


def test_where_a_name_is_both_a_value_and_an_object_no_body_fits():
    leaf = FieldSpec(FieldId("notice.a"), "a", "text", SensitivityClass.S3, "字段")
    fitting = Fitting([leaf, replace(leaf, id=FieldId("a.b"), path="a.b")])
    assert not any(fitting(body) for body in ({"a": "x"}, {"a": {"b": "x"}}, {}))
    assert Fitting([leaf])({"a": "x"})


def test_what_cannot_be_read_does_not_fit():
    assert not FITTING({"\udfff": 1})


def test_the_fields_of_every_notice_type_are_told_apart_by_name():
    assert all(Fitting(CATALOGUE.fields_of(name).values())({}) for name in CATALOGUE.notice_types)
