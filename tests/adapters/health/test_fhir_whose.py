"""Whose is what a bundle says? Strangers are parted, and nothing about one person is said of another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.adapters.health.fhir_input import bundle, decode, one


def child(logical: str, born: str = "2020-03-01", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": logical, "name": [{"text": f"李小{logical}"}], "birthDate": born, **more}


def told_of(logical: str, text: str = "伤痕", **more: Any) -> dict[str, Any]:
    concept = {"coding": [{"code": "INJ"}]}
    subject = {"reference": f"Patient/{logical}"}
    return {"resourceType": "Observation", "status": "final", "subject": subject, "code": concept, "valueString": text, **more}  # fmt: skip


def heard(items: Iterable[Any]) -> list[tuple[list[str], str]]:
    """Of each notice: who is in it, and what was seen."""
    return [
        ([p.get("name", p.get("key")) for p in item.data["persons"]], item.data.get("harm", {}).get("injury", {}).get("text", ""))
        for item in items
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "searchset"])
def test_strangers_in_one_bundle_are_a_notice_each_with_what_is_theirs(kind):
    by_number = {"reference": None, "identifier": {"system": "urn:x", "value": "9"}}
    inner = {"resourceType": "Patient", "id": "p", "name": [{"text": "李小内"}]}
    about_inner = told_of("-", "丁", subject={"reference": "#p"}, contained=[inner])
    items = decode(
        bundle(
            {"resourceType": "Practitioner", "id": "d"}, told_of("b", "乙"), child("a"), child("b"), told_of("a", "甲"),
            {**told_of("-", "丙"), "subject": by_number}, about_inner, kind=kind,
        )
    )  # fmt: skip
    assert heard(items) == [(["李小a"], "甲"), (["李小b"], "乙"), (["李小内"], "丁"), (["9"], "丙")]
    where = [found.source for item in items for found in item.provenance if found.pointer == "/harm/injury/text"]
    assert where == [f"Bundle.entry[{number}].resource.valueString" for number in (4, 1, 6, 5)]
    assert len({item.native_id for item in items}) == 4


def test_patients_whom_something_joins_and_what_speaks_in_codes_of_the_exchange_stay_together():
    mother = child("m", "1990-01-01", link=[{"other": {"reference": "RelatedPerson/r"}, "type": "seealso"}])
    related = {
        "resourceType": "RelatedPerson",
        "id": "r",
        "patient": {"reference": "Patient/a"},
        "name": [{"text": "王母"}],
    }
    staff = {"resourceType": "Group", "id": "g", "member": [{"entity": {"reference": f"Patient/{c}"}} for c in "ab"]}
    items = decode(bundle(child("a"), child("b"), related, mother, staff, kind="transaction"))
    assert [names for names, _ in heard(items)] == [["李小a", "李小m", "王母"], ["李小b"]]
    flag = {
        "resourceType": "Flag", "status": "active", "subject": {"reference": "Patient/a"},
        "code": {"coding": [{"system": "urn:hutong:codesystem:m_flag", "code": "M4"}]},
    }  # fmt: skip
    assert [names for names, _ in heard(decode(bundle(child("a"), child("b"), flag)))] == [["李小a", "李小b"]]


def test_nothing_is_said_of_a_child_that_is_about_somebody_else_or_was_entered_in_error():
    fracture = {
        "resourceType": "Condition", "subject": {"reference": "Patient/m"}, "code": {"coding": [{"code": "S72.0"}]},
    }  # fmt: skip
    consent = {
        "resourceType": "Consent", "status": "active", "patient": {"reference": "Patient/elsewhere"},
        "scope": {"coding": [{"code": "treatment"}]},
    }  # fmt: skip
    flag = {
        "resourceType": "Flag", "status": "entered-in-error", "subject": {"reference": "Patient/a"},
        "code": {"coding": [{"system": "urn:hutong:codesystem:m_flag", "code": "M1"}]},
    }  # fmt: skip
    notice = one(
        bundle(
            child("a"), child("m", "1990-01-01"), told_of("m", "母亲的"), told_of("elsewhere", "旁人的"), fracture, consent,
            flag, told_of("a", "胎儿的", focus=[{"reference": "Patient/f"}]), told_of("a", "她的"),
        )
    )  # fmt: skip
    assert notice.data["harm"] == {"injury": {"text": "她的"}}
    assert "consent" not in notice.data
    gaps = [(gap.code, gap.position.split("resource")[0]) for gap in notice.gaps if gap.code != "adult"]
    others = [("other-person", f"Bundle.entry[{n}].") for n in (2, 3, 4, 5)]
    assert sorted(gaps) == sorted([*others, ("refuted", "Bundle.entry[6]."), ("other-person", "Bundle.entry[7].")])


def test_an_adults_diagnoses_are_no_harm_to_the_child_whom_the_message_names():
    delivery = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/m"},
        "code": {"coding": [{"code": "O80"}]},
    }
    baby = {
        "resourceType": "RelatedPerson", "patient": {"reference": "Patient/m"}, "name": [{"text": "某某之女"}],
        "gender": "female", "birthDate": "2026-02-27", "relationship": [{"coding": [{"code": "CHILD"}]}],
    }  # fmt: skip
    notice = one(bundle(child("m", "1990-01-01"), baby, delivery))
    assert [(p["name"], p["roles"]) for p in notice.data["persons"]] == [
        ("某某之女", ["minor"]),
        ("李小m", ["guardian"]),
    ]
    assert "harm" not in notice.data
    assert ("other-person", "Bundle.entry[2].resource.code") in [(gap.code, gap.position) for gap in notice.gaps]


@pytest.mark.parametrize(
    ("ended", "roles"),
    [
        ({}, ["guardian"]),
        ({"period": {"start": "2020-01-01", "end": "2026-02-28"}}, ["other"]),
        ({"period": {"end": "2026-03-01"}}, ["guardian"]),
        ({"active": False}, ["other"]),
    ],
)
def test_a_guardian_whose_time_is_over_is_none(ended, roles):
    guardian = {
        "resourceType": "RelatedPerson", "patient": {"reference": "Patient/a"}, "name": [{"text": "赵前"}],
        "relationship": [{"coding": [{"code": "GUARD"}]}], **ended,
    }  # fmt: skip
    notice = one(bundle(child("a"), guardian))
    assert notice.data["persons"][1]["roles"] == roles


def test_what_is_in_use_comes_before_what_was_and_test_data_is_named():
    past = {"period": {"end": "2021-01-01"}}
    notice = one(
        bundle(
            child(
                "a",
                name=[{"text": "旧名", **past}, {"text": "新名"}],
                identifier=[{"value": "1", **past}, {"value": "2"}],
                address=[{"text": "旧址", **past}, {"text": "账单", "use": "billing"}, {"text": "新址", "use": "home"}],
                meta={"security": [{"code": "HTEST"}]},
            )
        )
    )
    (person,) = notice.data["persons"]
    assert [person["name"], person["alias"], person["key"], person["residence"]["address"]] == [
        "新名",
        "旧名",
        "2",
        "新址",
    ]
    assert ("not-production", "Bundle.entry[0].resource.meta") in [(gap.code, gap.position) for gap in notice.gaps]
