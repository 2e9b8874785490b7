"""Hints: what makes a person look twice, never what refuses."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.validation.hints import hints
from gateway.validation.identity import born_of, check_digit, check_digit_holds, sex_of

TODAY = date(2026, 11, 23)
CHILD = {
    "ref": "p1",
    "roles": ["minor"],
    "id_type": "ID",
    "id_no": "999999201503010016",
    "birth_date": "2015-03-01",
    "sex": "1",
}


def of(*persons: dict[str, Any], **data: Any) -> tuple[str, ...]:
    return hints({"persons": list(persons), **data}, TODAY)


def test_nothing_strange_no_hint():
    assert of(CHILD) == ()
    assert hints({}, TODAY) == ()


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"id_no": "999999201503010017"}, "id-check-digit:/persons/0/id_no"),
        ({"id_no": "99999920150301001x"}, "id-check-digit:/persons/0/id_no"),
        ({"id_no": "999999150301001"}, "id-check-digit:/persons/0/id_no"),
        ({"birth_date": "2015-03-02"}, "id-birth-date:/persons/0/birth_date"),
        ({"birth_date": "2016"}, "id-birth-date:/persons/0/birth_date"),
        ({"sex": "2"}, "id-sex:/persons/0/sex"),
        ({"student_no": "G999999201206150020"}, "student-no-id:/persons/0/student_no"),
        ({"age": {"years": 15}}, "age-birth-date:/persons/0/age"),
        ({"difficulty": ["D11"]}, "unattended-without-reason:/persons"),
        ({"of": "p7"}, "dangling-reference:/persons/0/of"),
        ({"lives_with": ["p7"]}, "dangling-reference:/persons/0/lives_with"),
    ],
)
def test_a_contradiction_is_hinted(change: dict[str, Any], hint: str):
    assert of({**CHILD, **change}) == (hint,)


def test_what_agrees_or_cannot_be_compared_is_not_hinted():
    assert of({**CHILD, "birth_date": "2015", "student_no": "G999999201503010016", "age": {"years": 11}}) == ()
    assert of({**CHILD, "id_type": "PASS", "id_no": "E12345678"}) == ()
    assert of({**CHILD, "sex": "9"}) == ()


def test_definitions_of_categories_are_hinted():
    grown = {"ref": "p1", "roles": ["minor"], "birth_date": "2009-01-01", "difficulty": ["D31"]}
    assert of(grown) == ("left-behind-age:/persons/0/difficulty",)
    assert of({"ref": "p1", "roles": ["minor"], "age": {"years": 19}}) == ("minor-of-age:/persons/0",)
    assert of({**CHILD, "birth_date": "2015-03-01"}, harm={"m_flags": ["M3"]}) == (
        "m-flag-sex:/harm/m_flags",
        "m-flag-age:/harm/m_flags",
    )
    girl = {"ref": "p1", "roles": ["minor"], "sex": "2", "age": {"years": 15}}
    assert of(girl, harm={"m_flags": ["M2"]}) == ("m-flag-age:/harm/m_flags",)
    assert of(girl, harm={"m_flags": ["M3"]}, report={"mandatory": False}) == ("mandatory-denied:/report/mandatory",)


def test_references_and_periods_are_hinted():
    assert of(CHILD, CHILD)[:1] == ("duplicate-ref:/persons",)
    assert of(CHILD, order={"respondent": "p8", "valid_from": "2026-05-02", "valid_until": "2026-05"}) == (
        "dangling-reference:/order/respondent",
    )
    assert of(CHILD, order={"valid_from": "2026-05", "valid_until": "2026-04-30"}) == (
        "period-reversed:/order/valid_until",
    )
    assert of(CHILD, guardianship={"consent_authority": {"ref": "p3"}}) == (
        "dangling-reference:/guardianship/consent_authority/ref",
    )
    assert of(CHILD, occurred_at="2026-11-24") == ("in-future:/occurred_at",)
    twin = {"ref": "p2", "roles": ["minor"]}
    aunt = {"ref": "p3", "roles": ["carer"], "relation": "90"}
    assert of(CHILD, twin, aunt) == ("relation-of-whom:/persons/2/relation",)


@given(st.from_regex(r"[0-9]{17}", fullmatch=True), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_never_passes_the_check(first17: str, place: int, shift: int):
    number = first17 + check_digit(first17)
    assert check_digit_holds(number)
    wrong = str((int(first17[place]) + shift) % 10)
    assert not check_digit_holds(number[:place] + wrong + number[place + 1 :])


def test_the_published_test_identities_hold():
    for number in ("999999201503010016", "999999201206150020", "999999201709090023", "999999198801010036"):
        assert check_digit_holds(number)
    assert born_of("999999201503010016") == date(2015, 3, 1)
    assert (sex_of("999999201503010016"), sex_of("999999201206150020")) == ("1", "2")
    assert born_of("999999201513010016") is None
    assert not check_digit_holds("９９９９９９201503010016")
