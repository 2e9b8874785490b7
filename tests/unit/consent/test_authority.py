"""Who has a say, by age and guardianship."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.consent.authority import AuthorityKind, Candidate, Capacity, authority, capacity, years_at
from gateway.consent.conflict import Conflict

MOTHER = Candidate("mother", AuthorityKind.PARENT, Conflict.NO)
FATHER = Candidate("father", AuthorityKind.PARENT, Conflict.YES)
AUNT = Candidate("aunt", AuthorityKind.OTHER_GUARDIAN, Conflict.NO)
SHELTER = Candidate("shelter", AuthorityKind.TEMPORARY_GUARDIAN, Conflict.NO)
COURT = Candidate("appointed", AuthorityKind.COURT_APPOINTED, Conflict.NO)


@pytest.mark.parametrize(
    ("years", "able"),
    [(0, 0), (7, 0), (8, 1), (13, 1), (14, 2), (17, 2), (18, 3), (None, 1)],
)
def test_capacity_changes_at_8_14_and_18(years: int | None, able: int):
    assert capacity(years) is Capacity(able)


def test_a_birthday_counts_from_the_day_itself():
    born = date(2012, 3, 1)
    assert years_at(born, date(2026, 2, 28)) == 13
    assert years_at(born, date(2026, 3, 1)) == 14
    assert years_at(date(2012, 2, 29), date(2026, 2, 28)) == 13
    assert years_at(date(2012, 2, 29), date(2026, 3, 1)) == 14


def test_below_14_a_parent_without_conflict_consents():
    found = authority("child", 10, "parental", [FATHER, MOTHER, SHELTER])
    assert (found.kind, found.may_consent) == (AuthorityKind.PARENT, {"mother"})
    assert found.may_refuse == {"mother", "child"}


def test_a_child_below_8_has_no_say_of_its_own():
    assert "child" not in authority("child", 7, None, [MOTHER]).may_refuse


def test_from_14_the_child_consents_and_guardians_without_conflict_are_told():
    found = authority("child", 14, "parental", [FATHER, MOTHER])
    assert found.may_consent == found.may_refuse == {"child"}
    assert found.inform == {"mother"}
    doubtful = Candidate("aunt", AuthorityKind.OTHER_GUARDIAN, Conflict.UNKNOWN)
    assert authority("child", 14, "parental", [doubtful, MOTHER]).inform == {"mother"}, "nor is who may be in conflict"


def test_from_18_nobody_else_has_a_say_or_is_told():
    found = authority("child", 18, "parental", [MOTHER])
    assert (found.may_consent, found.inform) == ({"child"}, frozenset())


def test_an_unknown_age_is_below_14():
    assert authority("child", None, None, [MOTHER]).may_consent == {"mother"}


def test_consent_passes_in_the_order_of_the_guardianship_track():
    line = [FATHER, AUNT, SHELTER, COURT]
    kinds = []
    while line:
        found = authority("child", 5, "removed", line)
        kinds.append(found.kind)
        line = [one for one in line if one.id not in found.may_consent and one is not FATHER]
    assert kinds == [AuthorityKind.OTHER_GUARDIAN, AuthorityKind.TEMPORARY_GUARDIAN, AuthorityKind.COURT_APPOINTED]
    assert authority("child", 5, "removed", [FATHER]).kind is AuthorityKind.NONE


def test_a_parent_out_of_reach_does_not_block_the_next():
    missing = Candidate("mother", AuthorityKind.PARENT, Conflict.NO, is_available=False)
    assert authority("child", 5, "temporary", [missing, SHELTER]).may_consent == {"shelter"}


@pytest.mark.parametrize("track", ["revoked", "REVOKED", "long_term"])
def test_after_revocation_parents_have_no_say(track: str):
    assert authority("child", 5, track, [MOTHER, COURT]).may_consent == {"appointed"}


def test_a_conflicted_guardian_has_no_say_and_an_unknown_one_only_a_no():
    unknown = Candidate("u", AuthorityKind.PARENT, Conflict.UNKNOWN)
    found = authority("child", 5, None, [FATHER, unknown])
    assert (found.may_consent, found.may_refuse) == (frozenset(), {"u"})
