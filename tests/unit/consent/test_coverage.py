"""How consent records combine into one fact."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.authority import Authority, AuthorityKind
from gateway.consent.conflict import Conflict
from gateway.consent.coverage import ConsentState, Question, covers, covers_as_one, standing_of
from gateway.consent.ledger import (
    Answer,
    Consent,
    GiverKind,
    PastDisclosure,
    Standing,
    from_document,
    to_be_told,
    to_document,
    withdraw,
)
from gateway.consent.receipt import receipt
from gateway.model.identifiers import FieldId, OfficeId

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OFFICE = OfficeId("womens_federation.440113")
ASKED = Question("child", OFFICE, "P08", NOW, NOW)
PARENTS = Authority(AuthorityKind.PARENT, frozenset({"mother", "father"}), frozenset({"mother", "father", "child"}))
YES = Consent(
    "c1", "child", "mother", GiverKind.GUARDIAN, Answer.GIVEN, Standing.ENTITLED, NOW - 5 * DAY,
    frozenset({"P08"}), frozenset({"womens_federation"}), "text-3", "scan-1",
)  # fmt: skip
NO = replace(YES, id="c2", giver="father", answer=Answer.REFUSED, purposes=frozenset(), recipients=frozenset())


def state(*consents: Consent, asked: Question = ASKED, authority: Authority = PARENTS) -> str:
    return covers(asked, consents, authority).state.value


def test_a_yes_of_somebody_entitled_is_enough():
    assert covers(ASKED, [YES], PARENTS).because == ("c1",)
    assert state(YES) == "given"
    assert state() == "none"


def test_any_applicable_no_limits_whatever_came_later():
    assert state(NO, replace(YES, at=NOW - DAY)) == "refused"
    narrow = replace(NO, giver="mother", purposes=frozenset({"P08"}), at=NOW - 9 * DAY)
    broad = replace(YES, purposes=frozenset({"P07", "P08"}), recipients=frozenset({"womens_federation", "health"}))
    assert state(narrow, broad) == "refused"
    assert state(withdraw(narrow, NOW - DAY), broad) == "given"


def test_a_no_about_something_else_does_not_limit():
    assert state(YES, replace(NO, purposes=frozenset({"P07"}))) == "given"
    assert state(YES, replace(NO, recipients=frozenset({"health"}))) == "given"
    assert state(YES, replace(NO, child="other")) == "given"


@pytest.mark.parametrize(
    "changed",
    [
        {"purposes": frozenset({"P07"})}, {"purposes": frozenset()}, {"recipients": frozenset()},
        {"recipients": frozenset({"womens_federation.440114"})}, {"text_version": ""}, {"evidence": ""},
        {"standing": Standing.MAY_REFUSE}, {"standing": Standing.NOT_ENTITLED}, {"giver": "stranger"}, {"at": NOW + DAY},
    ],
)  # fmt: skip
def test_a_yes_that_does_not_name_the_matter_or_cannot_be_shown_counts_for_nothing(changed: dict[str, object]):
    assert state(replace(YES, **changed)) == "none"  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", list(Answer))
def test_a_conflicted_guardian_counts_for_nothing_either_way(answer: Answer):
    """At the event (as recorded) or at the disclosure (as the authority says)."""
    said = replace(YES, id="c9", giver="father", answer=answer)
    conflicted_then = replace(said, standing=standing_of("father", PARENTS, Conflict.YES))
    mother_alone = replace(PARENTS, may_consent=frozenset({"mother"}), may_refuse=frozenset({"mother", "child"}))
    assert state(conflicted_then) == "none"
    assert state(said, authority=mother_alone) == "none"
    assert state(YES, said, authority=mother_alone) == "given"


def test_age_is_judged_at_the_event_and_at_the_disclosure():
    """A parent's yes for a child of 13 ends when the child is 14, and then the child's own counts."""
    own = Authority(AuthorityKind.MINOR, frozenset({"child"}), frozenset({"child"}))
    assert state(YES, authority=own) == "none"
    childs = replace(YES, id="c5", giver="child", giver_kind=GiverKind.MINOR)
    assert state(childs, authority=own) == "given"
    at_13 = replace(childs, standing=standing_of("child", PARENTS))
    assert at_13.standing is Standing.MAY_REFUSE
    assert state(at_13, authority=own) == "none"


def test_a_child_from_8_is_heard_when_it_says_no():
    no = replace(NO, giver="child", standing=standing_of("child", PARENTS))
    assert state(YES, no) == "refused"


def test_withdrawal_counts_from_its_instant():
    gone = withdraw(YES, NOW)
    assert state(gone) == "withdrawn"
    assert state(gone, asked=replace(ASKED, at=NOW - DAY, read_at=NOW - DAY)) == "given"
    assert withdraw(gone, NOW + DAY) == gone
    assert state(withdraw(YES, YES.at)) == "withdrawn", "at the instant it was given, too"
    with pytest.raises(ValueError, match="before it was given"):
        withdraw(YES, YES.at - DAY)


def test_one_parents_withdrawal_outweighs_the_others_yes_until_they_give_it_again():
    fathers = replace(YES, id="c3", giver="father")
    gone = withdraw(YES, NOW - 2 * DAY)
    assert state(gone, fathers) == "withdrawn"
    assert state(gone, fathers, replace(YES, id="c4", at=NOW - DAY)) == "given"
    assert state(gone, fathers, replace(YES, id="c4", at=NOW - 2 * DAY)) == "given", "at the same instant"


def test_an_answer_counts_from_its_own_instant_and_a_no_until_its_end():
    assert state(replace(YES, at=NOW)) == "given"
    assert state(YES, replace(NO, at=NOW)) == "refused"
    assert state(YES, replace(NO, at=NOW + timedelta(seconds=1))) == "given"
    assert state(YES, replace(NO, until=NOW)) == "given"
    assert state(YES, replace(NO, until=NOW + timedelta(seconds=1))) == "refused"


def test_a_yes_expires_at_its_end():
    assert state(replace(YES, until=NOW)) == "expired"
    assert state(replace(YES, until=NOW + timedelta(seconds=1))) == "given"
    assert state(replace(YES, until=NOW), replace(YES, id="c7")) == "given"


def test_what_rests_on_a_duty_needs_no_consent_and_no_withdrawal_blocks_it():
    assert state(NO, withdraw(YES, NOW), asked=replace(ASKED, needs_consent=False)) == "not_needed"


def test_a_stale_snapshot_is_unknown():
    assert state(YES, asked=replace(ASKED, read_at=NOW - timedelta(seconds=61))) == "unknown"
    assert state(YES, asked=replace(ASKED, read_at=NOW - timedelta(seconds=60))) == "given"


def test_a_yes_for_some_fields_covers_no_others():
    some = replace(YES, fields=frozenset({FieldId("minor.name")}))
    wider = replace(ASKED, fields=frozenset({FieldId("minor.name"), FieldId("minor.phone")}))
    assert state(some, asked=wider) == "none"
    assert state(some, asked=replace(ASKED, fields=frozenset({FieldId("minor.name")}))) == "given"
    assert state(some) == "none", "who asks for all that the purpose needs was given less"


_INSTANTS = st.sampled_from([NOW - 4 * DAY, NOW - DAY, NOW, NOW + DAY])
_CONSENTS = st.builds(
    Consent,
    id=st.sampled_from(["a", "b", "c", "d", "e"]),
    child=st.sampled_from(["child", "other"]),
    giver=st.sampled_from(["mother", "father", "child", "stranger"]),
    giver_kind=st.sampled_from(GiverKind),
    answer=st.sampled_from(Answer),
    standing=st.sampled_from(Standing),
    at=st.just(NOW - 5 * DAY) | _INSTANTS,
    purposes=st.sets(st.sampled_from(["P07", "P08"])).map(frozenset),
    recipients=st.sets(st.sampled_from(["womens_federation", OFFICE, "health"])).map(frozenset),
    text_version=st.sampled_from(["", "t1"]),
    evidence=st.sampled_from(["", "e1"]),
    fields=st.none() | st.sets(st.sampled_from([FieldId("minor.name")])).map(frozenset),
    until=st.none() | _INSTANTS,
    withdrawn_at=st.none() | _INSTANTS,
)
_RECORDS = st.lists(_CONSENTS, max_size=6)


@settings(max_examples=200, deadline=None)
@given(_RECORDS, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(records: list[Consent], random: object):
    again = [*records, *records]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert covers(ASKED, again, PARENTS) == covers(ASKED, records, PARENTS)


@settings(max_examples=200, deadline=None)
@given(_RECORDS)
def test_a_no_never_opens_and_less_authority_never_gives(records: list[Consent]):
    if state(*records) != "given":
        assert state(*records, NO) != "given"
    assert state(*records, NO) == "refused"
    nobody = Authority(AuthorityKind.NONE, frozenset(), frozenset())
    assert state(*records, authority=nobody) == "none"


@settings(max_examples=100, deadline=None)
@given(_CONSENTS)
def test_a_record_survives_storage(record: Consent):
    assert from_document(to_document(record)) == record


def test_a_malformed_record_is_refused_without_its_values():
    with pytest.raises(ValueError, match="malformed") as refused:
        from_document({**to_document(YES), "answer": "李小测"})
    assert "李小测" not in str(refused.value)


def test_those_who_received_on_a_consent_are_told_of_its_end_and_others_are_not():
    ledger = [
        PastDisclosure(OFFICE, "P08", NOW - DAY, frozenset({"c1"})),
        PastDisclosure(OFFICE, "P08", NOW - DAY, frozenset({"c1", "c2"})),
        PastDisclosure(OfficeId("police.440113"), "P02", NOW - DAY, frozenset()),
    ]
    assert to_be_told(YES, ledger) == (OFFICE,)


def test_a_receipt_has_the_shape_of_the_standard_and_every_event():
    made = receipt(
        withdraw(YES, NOW), receipt_id="r1", controller={"id": "civil_affairs.440113", "name": "某民政局", "contact": "x"},
        purposes={"P08": {"zh": "心理与家庭服务", "en": "family service"}}, rights="…", withdrawal="…", retention="P1Y",
    )  # fmt: skip
    assert set(made) == {"receipt_metadata", "record_header", "pii_processing", "party_identification", "events"}
    assert [event["event_state"] for event in made["events"]] == ["given", "withdrawn"]
    assert made["pii_processing"]["purposes"][0]["recipient_third_parties"] == ["womens_federation"]


def test_every_state_of_the_fact_is_closed():
    assert {one.value for one in ConsentState} == {
        "given",
        "refused",
        "withdrawn",
        "expired",
        "none",
        "not_needed",
        "unknown",
    }


# A child on record as two persons, "child" and "twin", whom officers found to be one.

TWIN = replace(PARENTS, may_refuse=PARENTS.may_refuse | {"twin"})


def as_one(*consents: Consent) -> str:
    return covers_as_one(ASKED, [("twin", TWIN)], consents, PARENTS).state.value


def test_a_yes_for_one_opens_nothing_for_the_other():
    assert as_one(replace(YES, child="twin")) == "none"
    assert as_one(YES) == as_one(YES, replace(YES, id="c3", child="twin")) == "given"


@pytest.mark.parametrize("giver", ["father", "mother", "twin"])
def test_a_no_for_one_holds_for_both(giver):
    refused = replace(NO, child="twin", giver=giver)
    found = covers_as_one(ASKED, [("twin", TWIN)], [YES, refused], PARENTS)
    assert (found.state.value, found.because) == ("refused", ("c2",))
    assert as_one(YES, withdraw(refused, NOW - DAY)) == "given"
    assert as_one(YES, replace(refused, standing=Standing.CONFLICTED)) == "given", "who has no say has none for either"


def test_a_withdrawal_for_one_holds_for_both_until_the_same_giver_says_yes_again():
    withdrawn = withdraw(replace(YES, id="c3", child="twin"), NOW - 2 * DAY)
    assert as_one(YES, withdrawn) == "withdrawn"
    assert as_one(replace(YES, at=NOW - DAY), withdrawn) == "given"
    assert as_one(replace(YES, at=NOW - DAY, giver="father"), withdrawn) == "withdrawn"
    assert as_one(NO, withdrawn) == "refused"


@given(
    st.permutations([YES, NO, replace(NO, id="c4", child="twin"), withdraw(replace(YES, id="c5", child="twin"), NOW)])
)
def test_joining_never_shows_more_than_the_child_alone(order):
    for size in range(len(order) + 1):
        some = order[:size]
        alone, joined = state(*some), as_one(*some)
        assert joined == alone or joined in ("refused", "withdrawn")
