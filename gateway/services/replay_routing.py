"""By which tables was an accepted notice routed, and does every recipient follow from them?

The log itself says which pack was in force: acceptance is refused as `Stale` when the policy epoch moved since the notice
was routed, so the tables are those of the last activation or rollback before the record of the acceptance. Every use is an
event of the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.model.audit import EventName
from gateway.model.errors import NotFound
from gateway.model.fields import SEALED
from gateway.model.identifiers import EventId, NoticeId, NoticeType, OfficeId, PolicyHash, agency_of
from gateway.model.notice import SubmittedNotice, ValidNotice
from gateway.policy.replay_route import Holds, RuleThen, known_facts, rules_then
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage, StoredRecord
from gateway.ports.storage import NoticeStorage
from gateway.services.govern import Policies
from gateway.services.keep import QUARANTINE, Keeper
from gateway.services.replay import opened_record
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import Teller

_CAME_INTO_FORCE = (EventName.POLICY_ACTIVATED, EventName.POLICY_ROLLED_BACK)
_PAGE = 50


@dataclass(frozen=True, slots=True)
class RoutedThen:
    """`policy` is None where no pack in force had tables, and those of the node's files held."""

    event: EventId
    at: datetime
    notice: NoticeId
    type: NoticeType
    policy: PolicyHash | None
    tables: str
    rules: tuple[RuleThen, ...]
    undecidable: str = ""

    @property
    def holds(self) -> bool:
        """Every office that got the notice was named by a rule of those tables, whose conditions hold or cannot be known any more."""
        return not self.undecidable and all(one.holds is not Holds.NO for one in self.rules)


class ReplayRouting:
    def __init__(
        self,
        *,
        log: LogStorage,
        notices: NoticeStorage,
        keeper: Keeper,
        policies: Policies,
        staff: StaffDirectory,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._log, self._notices, self._keeper, self._policies = log, notices, keeper, policies
        self._staff, self._teller, self._clock = staff, teller, clock

    async def __call__(self, event: EventId, *, by: str) -> RoutedThen | None:
        """Of the event of an acceptance; None for any other event. Raises NotFound, Tampered for a changed record."""
        await require(self._staff, by, *Role)
        record = await self._log.record(event)
        if record is None:
            raise NotFound("there is no such event in the log", remedy="hutong log search --event notice_accepted")
        if record.name != EventName.NOTICE_ACCEPTED:
            return None
        await self._log.append([self._teller.report_read(self._clock.now(), "replay", 1, by)])
        notice = NoticeId(str(opened_record(record).fields["notice"]))
        policy = await self._in_force_before(record.index)
        tables = await self._policies.tables_of(policy, record.at)
        stored = await self._notices.load(notice)
        if stored is None:
            return RoutedThen(
                event, record.at, notice, NoticeType(""), policy, tables.version, (), "the notice is not kept any more"
            )
        opened = self._keeper.open(stored)
        apart = any(segment.compartment in (SEALED, QUARANTINE) for segment in stored.segments)
        valid = ValidNotice(
            SubmittedNotice(stored.sender, "", stored.type, {**opened.data, "urgency": stored.urgency}), stored.flags
        )
        known = known_facts(valid, agency_of(stored.sender), tables, is_whole=not apart and not opened.erased)
        recorded = [(OfficeId(str(one["office"])), str(one["rule"])) for one in opened.header.get("routing", ())]
        rules = rules_then(stored.type, tables, known, recorded)
        return RoutedThen(event, record.at, notice, stored.type, policy, tables.version, rules)

    async def _in_force_before(self, index: int) -> PolicyHash | None:
        """The pack of this region that came into force last before a record. What was only scheduled did not."""
        newest: tuple[int, PolicyHash] | None = None
        for event in _CAME_INTO_FORCE:
            before = index
            while (page := await self._log.search(LogQuery(event=event.value), before, _PAGE)) and (
                newest is None or page[0].index > newest[0]
            ):
                found = next((one for one in page if self._took_effect(one)), None)
                if found is not None:
                    if newest is None or found.index > newest[0]:
                        newest = found.index, PolicyHash(str(opened_record(found).fields["policy"]))
                    break
                before = page[-1].index
        return None if newest is None else newest[1]

    def _took_effect(self, record: StoredRecord) -> bool:
        said = opened_record(record).fields
        start = said.get("effective_at")
        if said.get("region", "") != self._policies.region:
            return False
        return start is None or datetime.fromisoformat(str(start)) <= record.at
