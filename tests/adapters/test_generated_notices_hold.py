"""Does everything that agencies' systems write hold by the gateway's own rules, and not just decode?

Intake validates what an adapter hands over; a kind that decodes and is then refused is of no use to its agency. So every
message the generator makes, under several seeds, is validated as intake does it; so are the messages DOMAIN 2 prints,
which have none of our own additions to the formats.
"""

from __future__ import annotations

import json
from datetime import date

import pytest

from adapters.registry import load_adapters
from gateway.engines.files.documents import default_rules
from gateway.model.notice import REPORTS, SubmittedNotice, ValidNotice
from gateway.simulation.scenarios import STORIES, messages
from gateway.validation.validate import validate
from tests.adapters.builders import office
from tests.adapters.printed import printed, register

ADAPTERS = load_adapters()
RULES = default_rules()
TODAY = date(2026, 12, 31)  # after everything the generator tells of
KINDS = {told for story in STORIES.values() for told in story}


def taken(agency: str, raw: bytes, media_type: str) -> list[tuple[SubmittedNotice, ValidNotice]]:
    """The notices of a message, each as decoded and as validated. Fails where intake would refuse one."""
    found = []
    for item in ADAPTERS[agency].decode(raw, media_type, office(agency), {}).items:
        assert isinstance(item, SubmittedNotice), item
        valid = validate(item, RULES, TODAY)
        assert isinstance(valid, ValidNotice), (item.type, [(problem.code, problem.position) for problem in valid])
        found.append((item, valid))
    return found


@pytest.mark.parametrize("seed", [3, 7, 2026])
def test_every_generated_message_is_one_that_intake_takes_whole(seed):
    seen = set()
    for message in messages(seed, cases=48):
        for item, valid in taken(message.agency, message.file.body, message.file.media_type):
            if item.type not in REPORTS:
                assert valid.quarantined == (), message.name
                assert valid.notice.data == item.data, message.name
        seen.add((message.agency, message.kind))
    assert seen == KINDS


@pytest.mark.parametrize(
    ("agency", "types"),
    [
        ("civil_affairs", ["LED"]), ("police", ["RPT"]), ("education", ["RPT-M"]), ("health", ["RPT-M"]),
        ("judiciary", ["GRD-D", "AID"]), ("courts", ["GRD-P"]), ("procuratorate", ["ESC"]), ("womens_federation", ["RPT"]),
    ],
)  # fmt: skip
def test_the_message_that_the_domain_prints_is_taken(agency, types):
    found = taken(agency, *printed(agency))
    assert [item.type for item, _ in found] == types
    for item, valid in found:
        child = next(person for person in item.data["persons"] if "minor" in person["roles"])
        assert child["name"] == "李小测"
        assert child.get("id_no") in ("999999201503010016", "…", None)
        # what the print leaves out stands nowhere in what the gateway keeps as a number or a telephone
        for person in valid.notice.data["persons"]:
            assert "…" not in (person.get("id_no"), person.get("phone"))


def in_words(**data) -> bytes:
    sent = {"bwbh": "SF-1", "ywlx": "FY_JG", "fsjg": "SF440113", "fssj": "2026-03-02 15:00:00"}
    body = {"fyslh": "穗番法援〔2026〕31号", "sqrxm": "李小测", "sqrq": "2026-03-01", **data}
    return json.dumps({**sent, "data": body}, ensure_ascii=False).encode()


def test_a_legal_aid_decision_answers_a_referral_or_tells_civil_affairs():
    ((told, _),) = taken("judiciary", in_words(sfjs="1", zprq="2026-03-02"), "application/jsonl")
    assert (told.type, told.data["measures"]) == ("AID", [{"code": "A04", "from": "2026-03-02", "outcome": "started"}])
    ((refused, _),) = taken("judiciary", in_words(sfjs="0"), "application/jsonl")
    assert refused.data["measures"] == [{"code": "A04", "outcome": "failed"}]
    ((answer, _),) = taken("judiciary", in_words(sfjs="1", hfbh="n-77"), "application/jsonl")
    assert (answer.type, answer.data["in_reply_to"]) == ("REF-R", "n-77")
    assert answer.data["referral"] == {"answer": "accepted"}
    ((declined, _),) = taken("judiciary", in_words(sfjs="0", hfbh="n-77"), "application/jsonl")
    assert declined.data["referral"] == {"answer": "declined", "reason": "other"}
    assert "not-given" in {gap.code for gap in declined.gaps}
    ((reasoned, _),) = taken("judiciary", in_words(sfjs="0", hfbh="n-77", byly="不在服务范围"), "application/jsonl")
    assert reasoned.data["referral"] == {"answer": "declined", "reason": "out_of_area"}


def released(**more) -> bytes:
    data = {
        "dxbh": "SQ1", "xm": "李测", "xb": "1", "sfzhm": "999999198801010036", "zm": "04", "ypxf": "03",
        "wcnzn": [{"xm": "李小测", "sfzhm": "999999201503010016", "gx": "20", "xjhr": "祖父"}], **more,
    }  # fmt: skip
    sent = {"bwbh": "SF-2", "ywlx": "JHR_SF", "fsjg": "SF440113", "fssj": "2026-03-02 15:00:00"}
    return json.dumps({**sent, "data": data}, ensure_ascii=False).encode()


def test_a_release_notice_says_why_the_guardian_was_away_as_far_as_the_message_does():
    months = {"xqqsrq": "2025-06-01", "xqzzrq": "2026-09-30"}
    for more, reason in ((months, "D11"), ({**months, "cslb": "强制隔离戒毒所"}, "D12")):
        ((item, _),) = taken("judiciary", released(**more), "application/jsonl")
        father = next(person for person in item.data["persons"] if "guardian" in person["roles"])
        assert father["unavailable"] == {"from": "2025-06", "until": "2026-09", "reason": reason}
    (unsaid,) = ADAPTERS["judiciary"].decode(released(), "application/jsonl", office("judiciary"), {}).items
    assert isinstance(unsaid, SubmittedNotice)
    problems = validate(unsaid, RULES, TODAY)
    assert not isinstance(problems, ValidNotice), "neither months nor a place: nothing says why"


def test_a_minor_under_correction_needs_a_school_and_nothing_says_of_what():
    sent = {"bwbh": "SF-3", "ywlx": "SJ_WCN", "fsjg": "SF440113", "fssj": "2026-03-02 15:00:00"}
    data = {
        "dxbh": "SQ1",
        "jzlb": "02",
        "xm": "李小测",
        "sfzhm": "999999201003010017",
        "zm": "04",
        "yqhfrq": "2026-03-20",
    }
    ((item, _),) = taken(
        "judiciary", json.dumps({**sent, "data": data}, ensure_ascii=False).encode(), "application/jsonl"
    )
    assert item.type == "REF"
    assert [person["roles"] for person in item.data["persons"]] == [["minor"]]
    assert item.data["measures"] == [{"code": "A07"}]
    assert "correction" not in str(item.data)
    assert "SQ1" not in str(item.data)


def test_what_an_agency_writes_its_own_way_is_set_aside_and_named_in_its_own_words():
    raw, media_type = printed("civil_affairs")
    ((item, valid),) = taken("civil_affairs", raw, media_type)
    assert item.data["persons"][1]["phone"] == "…"
    assert "phone" not in valid.notice.data["persons"][1]
    assert valid.set_aside["/persons/1/phone"] == "…"
    assert ("/data/jtcy/0/lxdh", "persons.phone") in {(gap.position, gap.target) for gap in valid.notice.gaps}
    places = [(gap.position, gap.target) for gap in valid.notice.gaps if gap.target]
    assert len(places) == len(set(places)), "each place once"


def test_the_same_body_in_canonical_form_is_refused():
    raw, media_type = printed("civil_affairs")
    (item,) = ADAPTERS["civil_affairs"].decode(raw, media_type, office("civil_affairs"), {}).items
    assert isinstance(item, SubmittedNotice)
    canonical = SubmittedNotice(item.sender, item.native_id, item.type, item.data)
    problems = validate(canonical, RULES, TODAY)
    assert not isinstance(problems, ValidNotice)
    assert "/persons/1/phone" in {problem.position for problem in problems}


def test_what_is_missing_is_refused_in_a_native_message_too():
    body = json.loads(printed("civil_affairs")[0])
    body["head"]["ywlx"] = "LSJH"  # a temporary guardianship without ground, beginning or end
    raw = json.dumps(body, ensure_ascii=False).encode()
    (item,) = ADAPTERS["civil_affairs"].decode(raw, "application/json", office("civil_affairs"), {}).items
    assert isinstance(item, SubmittedNotice)
    problems = validate(item, RULES, TODAY)
    assert not isinstance(problems, ValidNotice)
    assert {"/guardianship/ground", "/guardianship/from"} <= {problem.position for problem in problems}


def test_urgency_of_the_federation_reaches_the_notice_whatever_was_agreed():
    ((item, _),) = taken("womens_federation", register(是否同意转介=""), printed("womens_federation")[1])
    assert (item.data["urgency"], item.data["immediate_danger"]) == (2, True)
    assert "consent" not in item.data
