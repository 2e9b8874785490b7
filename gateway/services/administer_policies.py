"""How does a policy come into force, and how is it taken back?

The administration point. A pack goes draft -> tested -> approved -> effective ->
retired (`gateway.policy.life` has the rules of each step); every step is one
transaction with its log record, and loses against whoever took a step before it.

Activation is one transaction too: the new pack effective, the older one retired, the
policy epoch raised. Whatever was decided before it and not yet sent is `Stale` from
that commit on; a ticket that is already out lives two seconds at most, so the
answer comes after those. An activation for a later instant waits for it in the store:
`enter_into_force` puts it in force at the first beat after that instant, and a restart
in between changes nothing.

1. the step is decided on what the store says: no trace.
2. one transaction: steps, activation, epoch, records. After a crash it happened or not.
3. compile, wait for the ticket's life, answer. After a crash step 3 happens at start-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from gateway.audit.record import PreparedRecord
from gateway.model.audit import EventName, LogValue
from gateway.model.canonical import canonical_json
from gateway.model.errors import HutongError, NotFound, NotPermitted, Unavailable
from gateway.model.identifiers import PolicyHash
from gateway.policy.cases import CaseReport, read_cases, run_cases
from gateway.policy.compiled import Policy
from gateway.policy.life import (
    PolicyState,
    PolicyVersion,
    WrongStep,
    activated,
    approved,
    drafted,
    pack_hash,
    retired,
    rolled_back,
)
from gateway.policy.life import tested as was_tested
from gateway.policy.rules import RuleKind
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import Activation, PolicyChange, PolicyStorage
from gateway.services.govern import Policies
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import STAFF, Teller

IN_FORCE = "in-force"  # the name of whatever pack is in force in this gateway's region
_AUTHORS = (Role.POLICY_AUTHOR,)
_APPROVERS = (Role.POLICY_APPROVER, Role.UPPER_APPROVER)
_READERS = tuple(Role)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A pack as handed in: tested when all worked cases held, a draft otherwise."""

    version: PolicyVersion
    policy: Policy
    cases: CaseReport


class AdministerPolicies:
    def __init__(
        self,
        *,
        storage: PolicyStorage,
        policies: Policies,
        staff: StaffDirectory,
        teller: Teller,
        clock: Clock,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        """`settle` returns when nothing decided before can leave any more, and what waited unread is taken back."""
        self._storage, self._policies, self._staff = storage, policies, staff
        self._teller, self._clock = teller, clock
        self._settle = settle

    async def versions(self, *, by: str) -> Sequence[PolicyVersion]:
        """Every pack on its way, the one that took a step last first."""
        await require(self._staff, by, *_READERS)
        return sorted(await self._storage.lives(), key=lambda one: one.steps[-1].at, reverse=True)

    async def in_force(self) -> PolicyHash | None:
        """The pack that decides now; one whose instant has not come is effective too, but not this one."""
        return await self._storage.active_policy(self._policies.region)

    async def files(self, policy: str, *, by: str) -> Mapping[str, str]:
        """The documents of a pack, name to text."""
        await require(self._staff, by, *_READERS)
        return dict(orjson.loads(await self._documents((await self.version(policy)).policy)))

    async def submit(self, files: Mapping[str, str], *, by: str, note: str = "") -> Submitted:
        """Hand in a pack: load, prove, run its worked cases, keep it. Only a policy author may.

        Raises InvalidDocument with file, line and rows of everything that does not hold; then nothing is kept.
        A pack whose cases miss is kept as a draft; the same documents cannot be handed in twice.
        """
        await require(self._staff, by, *_AUTHORS)
        now, documents = self._clock.now(), canonical_json(dict(files))
        hash_ = pack_hash(documents)
        policy = await asyncio.to_thread(self._policies.prove_whole, documents, now)
        report = run_cases(read_cases(files, policy), policy)
        known = {one.policy: one for one in await self._storage.lives()}
        before = known.get(hash_)
        version = before or PolicyVersion(hash_, by, self._policies.region, _widens(policy))
        if before is not None and before.author != by:
            raise WrongStep("another author has handed in these documents already")
        version = drafted(version, now, note)
        records = [self._record(EventName.POLICY_DRAFTED, version, by, now)]
        counts: dict[str, LogValue | None] = {"cases": report.cases, "failed": len(report.misses)}
        if report.cases and report.holds:
            version = was_tested(version, by, now, failures=0, misses=0)
            records.append(self._record(EventName.POLICY_TESTED, version, by, now, counts))
            replaces = await self._storage.active_policy(version.region)
            about: dict[str, LogValue | None] = {"replaces": replaces}
            records.append(self._record(EventName.POLICY_SUBMITTED, version, by, now, about))
        steps = 0 if before is None else len(before.steps)
        await self._step(PolicyChange(((version, steps),), records, {hash_: documents}))
        return Submitted(version, policy, report)

    async def approve(self, policy: str, *, by: str) -> PolicyVersion:
        """A second person approves; a pack that widens in a region also needs the upper level."""
        held = await require(self._staff, by, *_APPROVERS)
        version, now = await self.version(policy), self._clock.now()
        after = approved(version, by, now, upper_level=Role.UPPER_APPROVER in held)
        about: dict[str, LogValue | None] = {"widens": int(version.widens)}
        record = self._record(EventName.POLICY_APPROVED, after, by, now, about)
        await self._step(PolicyChange(((after, len(version.steps)),), (record,)))
        return after

    async def reject(self, policy: str, *, by: str, reason: str = "rejected") -> PolicyVersion:
        """A second person refuses what was handed in or approved; it does not come into force."""
        await require(self._staff, by, *_APPROVERS)
        version, now = await self.version(policy), self._clock.now()
        if version.state not in (PolicyState.DRAFT, PolicyState.TESTED, PolicyState.APPROVED):
            raise WrongStep(f"the policy is {version.state}; only what is not yet in force can be rejected")
        if by == version.author:
            raise WrongStep("the author cannot reject", remedy="ask another approver")
        after = retired(version, by, now, "rejected")
        record = self._record(EventName.POLICY_REJECTED, after, by, now, {"reason": reason})
        await self._step(PolicyChange(((after, len(version.steps)),), (record,)))
        return after

    async def activate(self, policy: str, *, by: str, at: datetime | None = None) -> PolicyVersion:
        """Put an approved pack in force, now or from an instant to come. Only a security administrator may.

        Returns when nothing decided under the older pack can leave any more.
        """
        await require(self._staff, by, Role.SECURITY_ADMINISTRATOR)
        version, now = await self.version(policy), self._clock.now()
        if version.state is PolicyState.EFFECTIVE and not self._policies.marks.holds(version.policy):
            self._policies.marks.put(version.policy)  # said to be in force, by no gateway that holds these keys
            await self._put_in_force(version, len(version.steps), by, now, EventName.POLICY_ACTIVATED)
            return version
        after = activated(version, by, now, at or now)
        self._policies.marks.put(after.policy)
        if after.effective_from is not None and after.effective_from > now:
            record = self._record(
                EventName.POLICY_ACTIVATED,
                after,
                by,
                now,
                {"effective_at": after.effective_from, "reason": "scheduled"},
            )
            await self._step(PolicyChange(((after, len(version.steps)),), (record,)))
            return after
        await self._put_in_force(after, len(version.steps), by, now, EventName.POLICY_ACTIVATED)
        return after

    async def rollback(self, policy: str, *, by: str) -> PolicyVersion:
        """Bring an earlier pack of this region back at once. Only a security administrator may, who did not write it."""
        await require(self._staff, by, Role.SECURITY_ADMINISTRATOR)
        earlier, now = await self.version(policy), self._clock.now()
        current = await self._in_force(earlier.region)
        if current is None or current.policy == earlier.policy:
            raise WrongStep("this policy is in force")
        _, back = rolled_back(current, earlier, by, now)
        self._policies.marks.put(back.policy)
        await self._put_in_force(back, len(earlier.steps), by, now, EventName.POLICY_ROLLED_BACK)
        return back

    async def retire(self, policy: str, *, by: str) -> PolicyVersion:
        """Give up what is not in force: a draft (its author or a security administrator), a scheduled activation."""
        held = await require(self._staff, by, Role.SECURITY_ADMINISTRATOR, *_AUTHORS)
        version, now = await self.version(policy), self._clock.now()
        current = await self._in_force(version.region)
        if current is not None and current.policy == version.policy:
            raise WrongStep("a policy in force is replaced, not retired", remedy="activate another, or roll back")
        if Role.SECURITY_ADMINISTRATOR not in held and by != version.author:
            raise NotPermitted("an author gives up own drafts alone")
        after = retired(version, by, now, "given up")
        record = self._record(EventName.POLICY_RETIRED, after, by, now, {"reason": "given-up"})
        await self._step(PolicyChange(((after, len(version.steps)),), (record,)))
        return after

    async def enter_into_force(self) -> PolicyVersion | None:
        """Put in force what was scheduled and whose instant has come; the answer, if any, is what did. For the beat."""
        now, region = self._clock.now(), self._policies.region
        active = await self._storage.active_policy(region)
        due = [
            version
            for version in await self._storage.lives()
            if version.state is PolicyState.EFFECTIVE
            and version.region == region
            and version.effective_from is not None
            and version.effective_from <= now
            and version.policy != active
            and self._policies.marks.holds(version.policy)
        ]
        if not due:
            return None
        version = max(due, key=lambda one: one.effective_from or now)
        by = version.steps[-1].by
        try:
            await self._put_in_force(version, len(version.steps), by, now, EventName.POLICY_ACTIVATED)
        except WrongStep:  # somebody took a step meanwhile: the next beat sees what holds then
            return None
        return version

    async def version(self, policy: str) -> PolicyVersion:
        """The pack of this hash, or of the only one that begins so (eight characters or more), or the one in force here
        (`in-force`). Raises NotFound."""
        if policy == IN_FORCE:
            current = await self._in_force(self._policies.region)
            if current is None:
                raise NotFound("no policy is in force", remedy="activate one: hutong policy activate")
            return current
        text = policy if policy.startswith("sha256:") else f"sha256:{policy}"
        found = [one for one in await self._storage.lives() if one.policy == text or one.policy.startswith(text)]
        if len(found) != 1 or len(text) < len("sha256:") + 8:
            raise NotFound("no such policy", remedy="see `hutong policy list`; eight characters or more name one")
        return found[0]

    async def policy_of(self, policy: str, *, by: str) -> Policy:
        """A pack in any state, compiled for today. For preview, simulation, comparison."""
        await require(self._staff, by, *_READERS)
        documents = await self._documents((await self.version(policy)).policy)
        return await asyncio.to_thread(self._policies.prove, documents, self._clock.now())

    async def draft(self, files: Mapping[str, str], *, by: str) -> Policy:
        """A draft that is not handed in, proved and compiled for today; nothing is kept. For preview and simulation."""
        await require(self._staff, by, *_READERS)
        return await asyncio.to_thread(self._policies.prove, canonical_json(dict(files)), self._clock.now())

    async def _put_in_force(self, after: PolicyVersion, steps: int, by: str, now: datetime, event: EventName) -> None:
        documents = await self._documents(after.policy)
        policy = await asyncio.to_thread(self._policies.prove, documents, now)
        current = await self._in_force(after.region)
        lives = [(after, steps)]
        replaces = None if current is None else current.policy
        about: dict[str, LogValue | None] = {"replaces": replaces}
        if event is EventName.POLICY_ACTIVATED:
            about |= {"effective_at": after.effective_from, "decides_as": policy.hash}
        records = [self._record(event, after, by, now, about)]
        if current is not None and current.policy != after.policy:
            gone = retired(current, by, now, f"replaced by {after.policy}")
            lives.append((gone, len(current.steps)))
            records.append(self._record(EventName.POLICY_RETIRED, gone, by, now, {"reason": "replaced"}))
        await self._step(PolicyChange(lives, records, activation=Activation(after.policy, after.region, now, by)))
        await self._policies.refresh()
        await self._settle()

    async def _step(self, change: PolicyChange) -> None:
        if await self._storage.change_policies(change) is None:
            raise WrongStep("somebody else took a step just now", remedy="look again: hutong policy list")

    async def _in_force(self, region: str) -> PolicyVersion | None:
        active = await self._storage.active_policy(region)
        if active is None:
            return None
        return next((one for one in await self._storage.lives() if one.policy == active), None)

    async def _documents(self, policy: PolicyHash) -> bytes:
        documents = await self._storage.documents(policy)
        if documents is None:
            raise NotFound("no such policy")
        return documents

    def _record(
        self,
        event: EventName,
        version: PolicyVersion,
        by: str,
        now: datetime,
        about: Mapping[str, LogValue | None] | None = None,
    ) -> PreparedRecord:
        values: dict[str, LogValue | None] = {"policy": version.policy, "region": version.region, **(about or {})}
        return self._teller.event(event, now, values, actor=STAFF, officer=by)


async def keep_in_force(
    administer: AdministerPolicies,
    policies: Policies,
    pause: Callable[[timedelta], Awaitable[None]],
    signal: Callable[[str], None],
    every: timedelta = timedelta(seconds=1),
) -> None:
    """The beat of policies, for ever: scheduled activations, and what begins tomorrow compiled ahead."""
    while True:
        try:
            await administer.enter_into_force()
            await policies.prepare()
        except Unavailable:
            signal("policy-store-unavailable")
        except HutongError as broken:  # a scheduled pack no longer proves: the older one stays in force, somebody looks
            signal(broken.code)
        await pause(every)


def _widens(policy: Policy) -> bool:
    return any(rule.region and rule.kind is not RuleKind.LIMIT for rule in policy.rules)
