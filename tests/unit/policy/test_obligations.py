"""What a recipient has not accepted grants it nothing, delivery itself included; of two times the shorter one is owed."""

from __future__ import annotations

import pytest

from gateway.model.access import Obligation
from gateway.model.identifiers import FieldId
from gateway.policy.decide import decide
from gateway.policy.facts import facts
from tests.unit.policy.builders import HEAD, policy

RULES = (
    HEAD
    + """permits:
  - {id: deliver, title: {zh: 送达, en: deliver}, citation: [t], where: any, fields: notice.deliver, show: presence, obligations: [no_onward]}
  - {id: name, title: {zh: 姓名, en: name}, citation: [t], where: any, fields: minor.name, show: clear, obligations: [retention_days: 9]}
  - {id: born, title: {zh: 生日, en: born}, citation: [t], where: any, fields: minor.birth_date, show: clear, obligations: [retention_days: 3]}
"""
)
KNOWN = {"recipient_agency": "police", "emergency": "no"}


def decision(*accepts: str):
    rules = policy(RULES)
    return decide(facts(rules.vocabulary, KNOWN, accepts=accepts), rules)


@pytest.mark.parametrize("accepts", [(), ("retention_days",)])
def test_nothing_is_delivered_to_whom_does_not_accept_what_delivery_owes(accepts: tuple[str, ...]) -> None:
    found = decision(*accepts)
    assert not found.delivers
    assert not any(one.shown for one in found.fields.values()) and found.obligations == ()


def test_a_field_is_withheld_where_its_own_obligation_is_not_accepted() -> None:
    found = decision("no_onward")
    assert found.delivers and not found.shown(FieldId("minor.name"))
    assert found.obligations == (Obligation("no_onward", None),)


def test_of_two_times_the_shorter_one_is_owed() -> None:
    found = decision("no_onward", "retention_days")
    assert found.shown(FieldId("minor.name")) and found.shown(FieldId("minor.birth_date"))
    assert found.obligations == (Obligation("no_onward", None), Obligation("retention_days", 3))
