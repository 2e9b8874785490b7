"""A policy takes effect only tested, approved by another person, and can come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.identifiers import PolicyHash
from gateway.policy.life import (
    PolicyState,
    PolicyVersion,
    WrongStep,
    activated,
    approved,
    in_force,
    retired,
    rolled_back,
)
from gateway.policy.life import (
    tested as was_tested,
)

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
DRAFT = PolicyVersion(PolicyHash("sha256:a"), author="author")


def effective(name: str, start: datetime, region: str = "") -> PolicyVersion:
    version = PolicyVersion(PolicyHash(name), "author", region)
    version = approved(was_tested(version, "author", start, failures=0, misses=0), "second", start)
    return activated(version, "officer", start, start)


def test_the_author_cannot_approve_or_activate() -> None:
    version = was_tested(DRAFT, "author", NOW, failures=0, misses=0)
    with pytest.raises(WrongStep):
        approved(version, "author", NOW)
    version = approved(version, "second", NOW)
    with pytest.raises(WrongStep):
        activated(version, "author", NOW, NOW)
    assert activated(version, "officer", NOW, NOW).state is PolicyState.EFFECTIVE


def test_a_step_cannot_be_left_out() -> None:
    with pytest.raises(WrongStep):
        approved(DRAFT, "second", NOW)
    with pytest.raises(WrongStep):
        activated(was_tested(DRAFT, "author", NOW, failures=0, misses=0), "officer", NOW, NOW)
    with pytest.raises(WrongStep):
        was_tested(DRAFT, "author", NOW, failures=1, misses=0)


def test_widening_waits_for_the_upper_level() -> None:
    version = was_tested(
        PolicyVersion(PolicyHash("w"), "author", "44", widens=True), "author", NOW, failures=0, misses=0
    )
    version = approved(version, "second", NOW)
    assert version.state is PolicyState.TESTED
    with pytest.raises(WrongStep):
        approved(version, "second", NOW, upper_level=True)
    assert approved(version, "province", NOW, upper_level=True).state is PolicyState.APPROVED


def test_a_rollback_brings_back_only_what_was_effective() -> None:
    first, second = effective("one", NOW), effective("two", NOW + timedelta(days=1))
    late = NOW + timedelta(days=2)
    assert in_force((first, second), late) is second
    gone, back = rolled_back(second, retired(first, "officer", late), "officer", late)
    assert (gone.state, back.state) == (PolicyState.RETIRED, PolicyState.EFFECTIVE)
    assert in_force((gone, back), late) is back
    with pytest.raises(WrongStep):
        rolled_back(second, DRAFT, "officer", late)
    other = replace(second, author="somebody")
    assert rolled_back(other, retired(first, "officer", late), "somebody", late)[1].state is PolicyState.EFFECTIVE
    with pytest.raises(WrongStep):
        rolled_back(other, retired(first, "officer", late), "author", late)


def test_the_most_precise_region_decides_and_the_past_cannot_be_changed() -> None:
    nation, province = effective("n", NOW), effective("p", NOW, "44")
    assert in_force((nation, province), NOW, "440113") is province
    assert in_force((nation, province), NOW, "330106") is nation
    assert in_force((nation,), NOW - timedelta(seconds=1)) is None
    version = approved(was_tested(DRAFT, "author", NOW, failures=0, misses=0), "second", NOW)
    with pytest.raises(WrongStep):
        activated(version, "officer", NOW, NOW - timedelta(days=1))
