"""Conflicts of interest, K1 to K6."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.conflict import (
    Clearing,
    Conflict,
    Finding,
    Reason,
    guardian_conflicts,
    institution_conflict,
    is_grave,
    notice_conflict,
    staff_prompts,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MOTHER = {"ref": "m", "roles": ["guardian"], "relation": "52"}
CHILD = {"ref": "c", "roles": ["minor"], "school": {"code": "S1"}}


def conflicts(data: dict[str, Any], **more: Any) -> dict[str, Conflict]:
    return {ref: found.conflict for ref, found in guardian_conflicts(data, at=NOW, **more).items()}


def notice(*persons: dict[str, Any], types: tuple[str, ...] = ("H21",), **more: Any) -> dict[str, Any]:
    return {"persons": [CHILD, *persons], "harm": {"types": list(types)}, **more}


def test_a_guardian_who_is_the_infringer_is_in_conflict_and_the_other_is_not():
    father = {"ref": "f", "roles": ["guardian", "infringer"], "is_guardian": True, "relation": "51"}
    mother = {**MOTHER, "lives_with": ["c"]}
    found = guardian_conflicts(notice(father, mother), at=NOW)
    assert found == {"f": Finding(Conflict.YES, (Reason.IS_INFRINGER,)), "m": Finding(Conflict.NO)}
    assert conflicts(notice(father, MOTHER)) == {"f": Conflict.YES, "m": Conflict.UNKNOWN}
    grandfather = {"ref": "g", "roles": ["infringer"], "is_guardian": False, "relation": "61"}
    assert conflicts(notice(grandfather, mother)) == {"m": Conflict.NO}


@pytest.mark.parametrize("side", ["guardian", "infringer"])
def test_living_with_the_infringer_is_a_conflict_whoever_says_so(side: str):
    mother, partner = dict(MOTHER), {"ref": "x", "roles": ["infringer"], "is_guardian": False}
    (mother if side == "guardian" else partner)["lives_with"] = ["x" if side == "guardian" else "m"]
    assert guardian_conflicts(notice(partner, mother), at=NOW)["m"].reasons == (Reason.LIVES_WITH_INFRINGER,)


def test_an_infringer_said_to_be_a_guardian_may_be_any_guardian_not_told_apart():
    infringer = {"ref": "x", "roles": ["infringer"], "is_guardian": True, "relation": "51"}
    father, unsaid = {"ref": "f", "roles": ["guardian"], "relation": "51"}, {"ref": "u", "roles": ["guardian"]}
    found = conflicts(notice(infringer, {**MOTHER, "lives_with": ["c"]}, father, unsaid))
    assert (found["f"], found["u"], found["m"]) == (Conflict.YES, Conflict.YES, Conflict.NO)


def test_the_same_person_under_two_refs_is_found_by_key_or_number():
    twice = [
        {"ref": "a", "roles": ["guardian"], "id_no": "x1"},
        {"ref": "b", "roles": ["infringer"], "id_no": "x1", "is_guardian": False},
    ]
    assert conflicts(notice(*twice))["a"] is Conflict.YES


def test_orders_and_records_from_elsewhere_count():
    assert conflicts(notice(MOTHER, order={"respondent": "m"}))["m"] is Conflict.YES
    assert conflicts({"persons": [MOTHER]}, on_record={"m": frozenset({Reason.WARNED})})["m"] is Conflict.YES


@pytest.mark.parametrize("harm", [{"types": ["H12"]}, {"m_flags": ["M2"]}, {"types": ["H21"], "m_flags": ["M1"]}])
def test_unknown_counts_as_conflict_in_grave_harm(harm: dict[str, Any]):
    data = {"persons": [CHILD, MOTHER], "harm": harm}
    assert is_grave(data)
    assert guardian_conflicts(data, at=NOW)["m"] == Finding(Conflict.YES, (Reason.UNKNOWN_IN_GRAVE_HARM,))


def test_unknown_stays_unknown_elsewhere_and_without_harm_there_is_none():
    assert conflicts(notice(MOTHER)) == {"m": Conflict.UNKNOWN}
    assert (
        conflicts(notice({"ref": "x", "roles": ["infringer"], "unidentified": True, "is_guardian": False}, MOTHER))["m"]
        is Conflict.UNKNOWN
    )
    assert conflicts({"persons": [MOTHER]}) == {"m": Conflict.NO}


def test_two_officers_clear_what_is_unknown_and_nothing_else():
    clearing = Clearing("m", ("o1", "o2"), "母亲已排除", NOW - timedelta(days=1))
    grave = notice(MOTHER, types=("H12",))
    assert conflicts(grave, clearings=[clearing])["m"] is Conflict.NO
    assert conflicts(grave, clearings=[Clearing("m", ("o1", "o1"), "x", NOW)])["m"] is Conflict.YES
    assert conflicts(grave, clearings=[Clearing("m", ("o1", "o2"), " ", NOW)])["m"] is Conflict.YES
    reversed_ = Clearing("m", ("o1", "o2"), "x", NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert conflicts(grave, clearings=[reversed_])["m"] is Conflict.YES
    known = notice({**MOTHER, "roles": ["guardian", "infringer"]})
    assert conflicts(known, clearings=[clearing])["m"] is Conflict.YES


def test_the_worse_holds_for_a_ref_that_is_borne_twice():
    accused = {**MOTHER, "roles": ["guardian", "infringer"]}
    stranger = {"ref": "x", "roles": ["infringer"], "is_guardian": False}
    for twice in ((accused, {**MOTHER, "lives_with": ["c"]}), ({**MOTHER, "lives_with": ["c"]}, accused)):
        assert conflicts(notice(*twice, stranger))["m"] is Conflict.YES


def test_the_notice_is_in_conflict_if_any_guardian_is():
    assert notice_conflict({}) is Conflict.NO
    assert notice_conflict({"a": Finding(Conflict.NO), "b": Finding(Conflict.UNKNOWN)}) is Conflict.UNKNOWN
    assert notice_conflict({"a": Finding(Conflict.YES), "b": Finding(Conflict.UNKNOWN)}) is Conflict.YES


def test_the_accused_school_is_in_conflict():
    teacher = {"ref": "t", "roles": ["infringer"], "is_guardian": False}
    related, unsaid = notice(teacher, place={"school_related": True}), notice(teacher)
    assert institution_conflict(related, school_code="S1").conflict is Conflict.YES
    assert institution_conflict(unsaid, school_code="S1").conflict is Conflict.UNKNOWN
    assert institution_conflict(related, school_code="S2").conflict is Conflict.NO
    assert institution_conflict(unsaid, employs=frozenset({"t"})).reasons == (Reason.EMPLOYS_INFRINGER,)
    assert institution_conflict(unsaid, employs=frozenset({"c"})).conflict is Conflict.NO


def test_staff_are_asked_when_surname_phone_or_address_match():
    data = {"persons": [{"name": "张测", "phone": "138", "residence": {"address": "测试路1号"}}]}
    assert staff_prompts(data, name="张官", phone="138", address="测试路1号") == (
        "same-address",
        "same-phone",
        "same-surname",
    )
    assert staff_prompts(data, name="李官") == ()


_VALUES = st.none() | st.booleans() | st.sampled_from(["m", "x", "infringer", "H12", "M2"])
_JSON = st.recursive(
    _VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["persons", "harm", "roles", "ref", "types", "lives_with", "place", "school", "order"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["persons", "harm", "order", "place", "guardianship"]), _JSON))
def test_conflicts_are_total_on_any_json(data: dict[str, Any]):
    notice_conflict(guardian_conflicts(data, at=NOW))
    institution_conflict(data, school_code="S1")
    staff_prompts(data, name="x")
