"""Who may say yes or no for a child, by its age, by the course of its guardianship and by conflict: over HTTP, seen by what a
contractor is handed that gets nothing without consent."""

import asyncio
import json

import pytest

from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

MOTHER, FATHER = ("p2", "guardian"), ("p3", "guardian")
CHILD, OF_RECORD, COURT = ("p1", "minor"), (None, "guardian_of_record"), (None, "court")


def people(serial, years, *, suspected="", apart=False):
    """A child of so many years (None: nobody knows), mother and father, and who of them is suspected."""
    child = person("p1", "minor", years=years or 9, name="李小测", serial=serial)
    if years is None:
        child = {name: child[name] for name in ("ref", "roles", "name", "sex")} | {
            "id_type": "PASS", "id_no": f"T{serial:08}",
        }  # fmt: skip
    parents = [
        person("p2", "guardian", years=38, name="王测乙", serial=serial + 1, relation="52", of="p1"),
        person("p3", "guardian", years=41, name="李测丙", serial=serial + 3, relation="51", of="p1"),
    ]
    for one in parents:
        if apart:
            one["lives_with"] = ["p1"] if one["ref"] != suspected else ["p9"]
        if one["ref"] == suspected:
            one |= {"roles": ["guardian", "infringer"], "is_guardian": True}
    return [child, *parents]


def said(case, name, family, giver, status="given"):
    ref, kind = giver
    document = {
        **agreed(giver=ref or "p1", giver_kind=kind, people=family),
        "subject": case,
        "status": status,
    }
    if ref is None:
        del document["giver"]
    return f"{case}-{name}", document


# name: (age, suspected, what a notice of the course of guardianship told before, answers in their order, is it handed over)
CASES = {
    "7, mother agrees": (7, "", None, [(MOTHER, "given")], True),
    "7, the child's own no is not heard yet": (7, "", None, [(MOTHER, "given"), (CHILD, "refused")], True),
    "8, the child's own no is heard": (8, "", None, [(MOTHER, "given"), (CHILD, "refused")], False),
    "13, the child's own yes is not enough": (13, "", None, [(CHILD, "given")], False),
    "14, the mother's yes is not enough": (14, "", None, [(MOTHER, "given")], False),
    "14, the child's own yes against the mother's no": (14, "", None, [(MOTHER, "refused"), (CHILD, "given")], True),
    "unknown age, mother agrees": (None, "", None, [(MOTHER, "given")], True),
    "unknown age, the child's no is heard": (None, "", None, [(MOTHER, "given"), (CHILD, "refused")], False),
    "one parent refuses": (9, "", None, [(MOTHER, "given"), (FATHER, "refused")], False),
    "a refusal that is lifted": (9, "", None, [(MOTHER, "given"), (FATHER, "refused"), (FATHER, "lifted")], True),
    "a suspected father's no counts for nothing": (9, "p3 apart", None, [(MOTHER, "given"), (FATHER, "refused")], True),
    "a mother who may live with a suspected father": (9, "p3", None, [(MOTHER, "given")], False),
    "a suspected mother's yes counts for nothing": (9, "p2", None, [(MOTHER, "given")], False),
    "long-term guardianship, told before": (9, "", "long_term", [(MOTHER, "given")], False),
    "long-term guardianship, its guardian agrees": (9, "", "long_term", [(OF_RECORD, "given")], True),
    "long-term guardianship, the court": (9, "", "long_term", [(COURT, "given")], True),
    "nobody said anything": (9, "", None, [], False),
}  # fmt: skip


async def test_who_may_say_yes_or_no(tmp_path):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        committee = whole.clients[CITY]
        civil = whole.clients["civil_affairs.440113"]

        async def one(number, name):
            years, suspected, course, answers, _ = CASES[name]
            case, family = (
                f"case-{number}",
                people(10 + 10 * number, years, suspected=suspected[:2], apart=suspected.endswith(" apart")),
            )
            if course is not None:
                told = {"urgency": 0, "purpose": "P03", "legal_basis": ["L05"], "persons": [family[0]],
                        "guardianship": {"status": course, "ground": "94-1", "from": "2026-09-01"}}  # fmt: skip
                await civil.submit(notice("GRD-L", "civil_affairs.440113", f"l{number}", told, case), CANONICAL)
            for giver, status in answers:
                record, document = said(case, giver[0] or giver[1], family, giver, status)
                if status == "lifted":
                    await committee.withdraw_consent(record)
                else:
                    await committee.record_consent(record, document)
            data = {"urgency": 0, "purpose": "P08", "legal_basis": ["L07"], "answer_by": "2099-12-31", "persons": family,
                    "requested_recipients": [CONTRACTOR], "needs": ["psychological"], "measures": [{"code": "A06"}]}  # fmt: skip
            return (await committee.submit(notice("REF", CITY, f"r{number}", data, case), CANONICAL))["notice"]

        sent = dict(zip(CASES, await asyncio.gather(*(one(n, name) for n, name in enumerate(CASES))), strict=True))
        handed = [event for kind, event in await received(contractor) if kind == "REF"]
        got = dict.fromkeys(CASES, 0)
        for name, sent_as in sent.items():
            states = (await committee.notice(sent_as))["deliveries"]
            got[name] = sum(one["state"] == "acknowledged" for one in states)
        wrong = {name: got[name] for name in CASES if bool(got[name]) is not CASES[name][4]}
        assert not wrong
        assert len(handed) == sum(case[4] for case in CASES.values())
        assert "id_no" not in json.dumps([event["data"] for event in handed])
        assert not whole.failures()
