"""Where is a policy on its way from draft to retirement, and who may take the next step?

    draft -> tested -> approved -> effective -> retired
                 \\________________ rolled back to an earlier one

A policy is a pack of documents and known by their hash; changing one word makes a
new draft. (What a pack says on one day, in one division, has a hash of its own, that
of the compiled policy, which decisions name.) The author
can never approve; approval needs another person, and a second approver of the
upper level where a regional file widens. Tested means: loads, proves, and all
worked cases hold. Pure: the caller gives the time and keeps the record.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.model.errors import NotPermitted
from gateway.model.identifiers import PolicyHash


def pack_hash(documents: bytes) -> PolicyHash:
    """The name of a pack: SHA-256 over its documents as canonical JSON (file name to text)."""
    return PolicyHash("sha256:" + hashlib.sha256(documents).hexdigest())


class PolicyState(StrEnum):
    DRAFT = "draft"
    TESTED = "tested"
    APPROVED = "approved"
    EFFECTIVE = "effective"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done: what state it led to, by whom, when (aware UTC)."""

    state: PolicyState
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One policy and its way so far. `region` is a division prefix; `widens` where a regional permit needs the upper level."""

    policy: PolicyHash
    author: str
    region: str = ""
    widens: bool = False
    state: PolicyState = PolicyState.DRAFT
    effective_from: datetime | None = None
    approvers: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def _went(self, state: PolicyState, by: str, at: datetime, note: str = "") -> PolicyVersion:
        return replace(self, state=state, steps=(*self.steps, Step(state, by, at, note)))


class WrongStep(NotPermitted):
    """The policy is not where this step begins, or this person may not take it."""

    code = "wrong-policy-step"


def _must_be(version: PolicyVersion, *states: PolicyState) -> None:
    if version.state not in states:
        raise WrongStep(f"the policy is {version.state}; this step begins at {' or '.join(states)}")


def drafted(version: PolicyVersion, at: datetime, note: str = "") -> PolicyVersion:
    """The author hands a new draft in, or an unchanged one that was given up before."""
    if version.steps and version.state not in (PolicyState.DRAFT, PolicyState.RETIRED):
        raise WrongStep(f"these documents are on their way already: {version.state}")
    fresh = replace(version, approvers=(), effective_from=None)
    return fresh._went(PolicyState.DRAFT, version.author, at, note)


def installed(version: PolicyVersion, by: str, at: datetime) -> PolicyVersion:
    """The pack that ships with the gateway comes into force with the store itself: nothing was in force before it."""
    return replace(version, effective_from=at)._went(PolicyState.EFFECTIVE, by, at, "shipped with the gateway")


def tested(version: PolicyVersion, by: str, at: datetime, *, failures: int, misses: int) -> PolicyVersion:
    """Proofs and worked cases were run; nothing may have failed."""
    _must_be(version, PolicyState.DRAFT)
    if failures or misses:
        raise WrongStep(f"{failures} proofs fail and {misses} claims of worked cases do not hold")
    return version._went(PolicyState.TESTED, by, at)


def approved(version: PolicyVersion, by: str, at: datetime, *, upper_level: bool = False) -> PolicyVersion:
    """Another person than the author approves. A widening policy is approved once somebody of the upper level is among them."""
    _must_be(version, PolicyState.TESTED)
    if by == version.author:
        raise WrongStep("the author cannot approve", remedy="ask another approver")
    if by in version.approvers:
        raise WrongStep("this person has already approved")
    approvers = (*version.approvers, by)
    if version.widens and not upper_level:
        note = "waits for the upper level"
        return replace(version, approvers=approvers, steps=(*version.steps, Step(version.state, by, at, note)))
    return replace(version, approvers=approvers)._went(PolicyState.APPROVED, by, at)


def activated(version: PolicyVersion, by: str, at: datetime, effective_from: datetime) -> PolicyVersion:
    """Take effect from an instant that is not in the past."""
    _must_be(version, PolicyState.APPROVED)
    if by == version.author:
        raise WrongStep("the author cannot activate", remedy="ask the security administrator")
    if effective_from < at:
        raise WrongStep("a policy cannot take effect in the past")
    return replace(version, effective_from=effective_from)._went(PolicyState.EFFECTIVE, by, at)


def retired(version: PolicyVersion, by: str, at: datetime, note: str = "") -> PolicyVersion:
    """Another policy has taken its place, a second person refused it, or a draft was given up."""
    if version.state is PolicyState.RETIRED:
        raise WrongStep("the policy is already retired")
    return version._went(PolicyState.RETIRED, by, at, note)


def rolled_back(
    current: PolicyVersion, earlier: PolicyVersion, by: str, at: datetime
) -> tuple[PolicyVersion, PolicyVersion]:
    """Return to an earlier policy that was once effective for the same region; at once, by anybody but its own author.

    Gives (current, retired; earlier, effective again). Both go into one transaction.
    """
    _must_be(current, PolicyState.EFFECTIVE)
    if all(step.state is not PolicyState.EFFECTIVE for step in earlier.steps):
        raise WrongStep("only a policy that was effective before can come back")
    if earlier.region != current.region:
        raise WrongStep("the earlier policy is for another region")
    if by == earlier.author:
        raise WrongStep("the author cannot bring back an own policy")
    note = f"rolled back to {earlier.policy}"
    back = replace(earlier, effective_from=at)._went(PolicyState.EFFECTIVE, by, at, "rolled back to")
    return retired(current, by, at, note), back


def in_force(versions: tuple[PolicyVersion, ...], at: datetime, region: str = "") -> PolicyVersion | None:
    """The policy that decides at this instant in this division: the latest effective one of the most precise region."""
    running = [
        version
        for version in versions
        if version.state is PolicyState.EFFECTIVE
        and version.effective_from is not None
        and version.effective_from <= at
        and region.startswith(version.region)
    ]
    return max(running, key=lambda version: (len(version.region), version.effective_from), default=None)
