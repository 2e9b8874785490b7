"""What do the tools for policies say of a draft, of a pack in the store, or of the policy in force?

The same answers as the command line gives over files (`gateway.policy.answers`), worked out off the loop since compiling
and proving take a second or two. Any member of staff may ask about a policy; a question about one recorded disclosure is an
event of the log, like every look into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import EventId, FieldId
from gateway.policy import answers
from gateway.policy.compiled import Policy
from gateway.policy.facts import facts
from gateway.policy.load import load_policy
from gateway.policy.space import SpaceTooLarge
from gateway.ports.clock import Clock
from gateway.services.administer_policies import IN_FORCE, AdministerPolicies
from gateway.services.facts import china_day
from gateway.services.govern import Policies
from gateway.services.replay import Replays
from gateway.services.roles import Role, StaffDirectory, require

Which = Mapping[str, str] | str
"""The documents of a draft (name to text), or the name of a pack: a hash, its beginning, `in-force`."""


class AnalysePolicies:
    """Every method raises NotPermitted for somebody without a role, NotFound for a pack that is not there, and, but for
    `check`, InvalidDocument with file, line and rows for one that does not hold. `day` None is today, `division` None the gateway's."""

    def __init__(
        self,
        *,
        administer: AdministerPolicies,
        policies: Policies,
        replays: Replays,
        fields: Mapping[FieldId, FieldSpec],
        staff: StaffDirectory,
        clock: Clock,
    ) -> None:
        self._administer, self._policies, self._replays = administer, policies, replays
        self._fields, self._staff, self._clock = fields, staff, clock

    async def check(self, which: Which, *, by: str, day: date | None, division: str | None) -> dict[str, Any]:
        """What does not hold is part of the answer here. A draft is proved for every division that it has rules for."""
        files = await self._files(which, by)
        asked = division if division is not None or not isinstance(which, str) else self._policies.region
        return await asyncio.to_thread(answers.check, files, self._fields, day or self._today(), asked)

    async def test(self, which: Which, *, by: str, day: date | None, division: str | None) -> dict[str, Any]:
        policy = await self._policy(which, by, day, division)
        return await asyncio.to_thread(answers.test, await self._files(which, by), policy)

    async def lint(self, which: Which, *, by: str, day: date | None, division: str | None) -> list[dict[str, str]]:
        return await asyncio.to_thread(answers.lint, await self._policy(which, by, day, division))

    async def diff(self, old: Which, new: Which, *, by: str, day: date | None, division: str | None) -> dict[str, Any]:
        before, after = [await self._policy(one, by, day, division) for one in (old, new)]
        return await asyncio.to_thread(answers.diff, before, after)

    async def why(
        self, which: Which, field: str, given: Mapping[str, str], accepts: tuple[str, ...], *, by: str,
        day: date | None, division: str | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Of facts given by hand; `accepts` may be `all`."""
        policy = await self._policy(which, by, day, division)
        accepted = tuple(policy.vocabulary.obligations) if "all" in accepts else accepts
        return answers.why(facts(policy.vocabulary, given, accepts=accepted), policy, _field(policy, field))

    async def why_then(
        self, which: Which | None, field: str, event: EventId, person: str, *, by: str
    ) -> dict[str, Any]:
        """Of a disclosure in the log, under the policy it was decided by (None) or under another one."""
        instead = None if which is None else await self._policy(which, by, None, None)
        asked, policy = await self._replays.asked(event, person, instead, by=by)
        return {"event": event, "person": person, **answers.why(asked, policy, _field(policy, field))}

    async def who_sees(
        self, which: Which, field: str, *, by: str, day: date | None, division: str | None
    ) -> dict[str, Any]:
        policy = await self._policy(which, by, day, division)
        try:
            return await asyncio.to_thread(answers.who_sees, policy, _field(policy, field))
        except SpaceTooLarge as large:
            raise InvalidDocument("there are too many circumstances to list", remedy="ask `why`") from large

    async def ceiling(
        self, which: Which, given: Mapping[str, str], *, by: str, day: date | None, division: str | None
    ) -> dict[str, Any]:
        return await asyncio.to_thread(answers.ceiling, await self._policy(which, by, day, division), given)

    async def _files(self, which: Which, by: str) -> Mapping[str, str]:
        await require(self._staff, by, *Role)
        return await self._administer.files(which, by=by) if isinstance(which, str) else which

    async def _policy(self, which: Which, by: str, day: date | None, division: str | None) -> Policy:
        files = await self._files(which, by)
        if which == IN_FORCE and day is None and division is None:
            return self._policies.current()
        if day is None and division is None:
            return await asyncio.to_thread(self._policies.prove, canonical_json(dict(files)), self._clock.now())
        where = self._policies.region if division is None else division
        return await asyncio.to_thread(load_policy, files, self._fields, day or self._today(), where)

    def _today(self) -> date:
        return china_day(self._clock.now())


def _field(policy: Policy, text: str) -> FieldId:
    if text not in policy.group_of:
        raise InvalidDocument(f"there is no field `{text[:80]}`", remedy="see schemas/crosswalk.yaml")
    return FieldId(text)
