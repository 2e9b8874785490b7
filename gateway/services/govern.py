"""Which policy is in force now?

The pack in force is what the store says, addressed by hash; it was proved when it
was activated and is compiled again at start-up. A change raises the policy epoch in the transaction
that records it, so whatever was decided under the older pack is decided again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import orjson

from gateway.model.audit import EventName
from gateway.model.canonical import canonical_json
from gateway.model.errors import Unavailable
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId
from gateway.policy.compile import Policy, compile_policy, next_change
from gateway.policy.document import load_document
from gateway.policy.load import load_policy
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import PolicyStorage, PolicyVersion
from gateway.services.facts import china_day
from gateway.services.tell import Teller


class Policies:
    def __init__(
        self,
        *,
        storage: PolicyStorage,
        fields: Mapping[FieldId, FieldSpec],
        region: str,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._storage, self._fields, self._region = storage, fields, region
        self._teller, self._clock = teller, clock
        self._current: Policy | None = None
        self._recompile_on: date | None = None
        self._files: Mapping[str, str] = {}

    def current(self) -> Policy:
        """The policy in force today. Raises Unavailable while there is none: then nothing may leave."""
        if self._current is None:
            raise Unavailable("no policy is in force", remedy="activate one: hutong policy activate")
        if self._recompile_on is not None and self._today() >= self._recompile_on:
            self._compile()
        return self._current

    async def refresh(self) -> None:
        """Read the version in force and compile it, when it is another than the one at hand."""
        active = await self._storage.active_policy(self._region)
        if active is None:
            self._current = None
            return
        files = orjson.loads(active.documents)
        if files != self._files or self._current is None:
            self._files = files
            self._compile()

    async def activate(self, files: Mapping[str, str], *, by: str) -> Policy:
        """Prove a pack and put it in force. Raises InvalidDocument with file and line of everything that does not hold."""
        now = self._clock.now()
        policy = load_policy(files, self._fields, self._today(), self._region)
        replaced = await self._storage.active_policy(self._region)
        record = self._teller.event(
            EventName.POLICY_ACTIVATED,
            now,
            {
                "policy": policy.hash,
                "region": self._region,
                "effective_at": now,
                "replaces": None if replaced is None else replaced.hash,
            },
            actor="staff",
            officer=by,
        )
        version = PolicyVersion(policy.hash, canonical_json(dict(files)), self._region, now, by)
        await self._storage.activate_policy(version, (record,))
        await self.refresh()
        return policy

    def _compile(self) -> None:
        document = load_document(self._files, self._fields)
        today = self._today()
        self._current = compile_policy(document, today, self._region)
        self._recompile_on = next_change(document, today)

    def _today(self) -> date:
        return china_day(self._clock.now())
