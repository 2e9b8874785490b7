"""What does a notice say of itself that a routing rule may ask for?

Facts by name, each with the set of values that hold. What is not of the type it should be says nothing: a notice whose
optional content is broken is routed all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.model.identifiers import AgencyName
from gateway.model.notice import JsonObject, ValidNotice
from gateway.model.routing import CaseContext
from gateway.policy.routing_rules import NOTHING_STATED

_NONE: frozenset[str] = frozenset()
_YES, _NO = frozenset({"yes"}), frozenset({"no"})
_NOTHING_STATED = frozenset({NOTHING_STATED})
_URGENCY = tuple(frozenset({str(level)}) for level in range(3))
_SCHOOL_WORDS = ("学校", "校园", "幼儿园", "上学", "放学", "school")


def member(data: JsonObject, name: str) -> JsonObject:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def people(data: JsonObject) -> Iterator[dict[str, Any]]:
    people = data.get("persons")
    if isinstance(people, list):
        for person in people:
            if isinstance(person, dict):
                yield person


def texts(value: object) -> frozenset[str]:
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else _NONE


def families(value: object) -> frozenset[str]:
    """Codes and the first levels they belong to: H21 is H21 and H2."""
    if not isinstance(value, list):
        return _NONE
    return frozenset(code for item in value if isinstance(item, str) for code in (item, item[:2]))


def is_true(value: object) -> bool:
    return value is True


def _yes_no(value: bool) -> frozenset[str]:
    return _YES if value else _NO


def _difficulties(data: JsonObject) -> frozenset[str]:
    return frozenset().union(*(families(person.get("difficulty")) for person in people(data)))


def _measures(data: JsonObject) -> frozenset[str]:
    measures = data.get("measures")
    if not isinstance(measures, list):
        return _NONE
    return frozenset(code for item in measures if isinstance(item, dict) and isinstance(code := item.get("code"), str))


def _order_names_school(data: JsonObject) -> bool:
    """Whether an order's operative terms reach a school: a term says so, or it is served on one."""
    order = member(data, "order")
    terms = order.get("terms")
    for term in terms if isinstance(terms, list) else ():
        detail = term.get("detail") if isinstance(term, dict) else None
        if isinstance(detail, str) and any(word in detail for word in _SCHOOL_WORDS):
            return True
    service = order.get("service")
    for act in service if isinstance(service, list) else ():
        if isinstance(act, dict) and act.get("office_kind") in ("education", "school", "JY"):
            return True
    return False


Fact = Callable[[ValidNotice, AgencyName, CaseContext], frozenset[str]]

FACTS: Mapping[str, Fact] = {
    "urgency": lambda notice, agency, case: _URGENCY[notice.urgency],
    "immediate_danger": lambda notice, agency, case: _yes_no(is_true(notice.notice.data.get("immediate_danger"))),
    "school_related": lambda notice, agency, case: _yes_no(
        is_true(member(notice.notice.data, "place").get("school_related"))
    ),
    "order_names_school": lambda notice, agency, case: _yes_no(_order_names_school(notice.notice.data)),
    "concern": lambda notice, agency, case: _yes_no(is_true(member(notice.notice.data, "visit").get("concern"))),
    "open_order": lambda notice, agency, case: _yes_no(case.has_open_order),
    "temporary_guardianship": lambda notice, agency, case: _yes_no(case.has_temporary_guardianship),
    "target_named": lambda notice, agency, case: _yes_no("target" in member(notice.notice.data, "transfer")),
    "harm": lambda notice, agency, case: families(member(notice.notice.data, "harm").get("types")) or _NOTHING_STATED,
    "m_flag": lambda notice, agency, case: texts(member(notice.notice.data, "harm").get("m_flags")) or _NOTHING_STATED,
    "difficulty": lambda notice, agency, case: _difficulties(notice.notice.data) or _NOTHING_STATED,
    "measure": lambda notice, agency, case: _measures(notice.notice.data) or _NOTHING_STATED,
    "risk": lambda notice, agency, case: (
        texts([member(notice.notice.data, "assessment").get("risk_level")]) or _NOTHING_STATED
    ),
    "sender": lambda notice, agency, case: frozenset({agency}),
    "prior_type": lambda notice, agency, case: _NONE if case.prior is None else frozenset({case.prior.type}),
    "prior_harm": lambda notice, agency, case: _NONE if case.prior is None else families(list(case.prior.harm_types)),
    "prior_school_related": lambda notice, agency, case: _yes_no(case.prior is not None and case.prior.school_related),
}
