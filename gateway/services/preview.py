"""What would two recipients see of this notice, side by side?

The same engines as for a real delivery: validate, route, gather facts, decide, project;
nothing is stored, nothing is sent. Only synthetic identities are taken (area prefix
999999), so that nobody reads a child's file this way. For a notice that is stored,
the forms are told and never a value: content needs a grant, which this does not give.

A recipient that the routing would not reach is shown as if it were reached as a copy:
the delivery rules then say whether anything would go at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model.access import DELIVER, Decision, Facet
from gateway.model.agency import Office
from gateway.model.audit import shown_name
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import InvalidDocument, InvalidNotice, NotFound, NotPermitted, Problem
from gateway.model.identifiers import CaseId, DeliveryId, FieldId, KeyId, NoticeId, NoticeType, OfficeId
from gateway.model.notice import JsonObject, SubmittedNotice, ValidNotice
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import Facts
from gateway.policy.facts import facts as make_facts
from gateway.policy.routing_rules import RoutingTables
from gateway.ports.clock import Clock, Ids
from gateway.ports.log_storage import LogStorage
from gateway.ports.storage import NoticeStorage, StoredNotice
from gateway.ports.translation import Adapter
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.release import ReleaseContext, Withheld, release
from gateway.services.directory import Directories
from gateway.services.facts import FactGatherer
from gateway.services.keep import Keeper, OpenedNotice
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import Teller

SYNTHETIC_AREA = "999999"
PREVIEW_PURPOSE = "P01"

# (notice, tables) -> what the routing says of each recipient: office, purpose, basis, rule, role
Routes = Callable[[ValidNotice, RoutingTables, datetime], Mapping[OfficeId, tuple[str, tuple[str, ...], str, str]]]
Validate = Callable[[SubmittedNotice, datetime], "ValidNotice | tuple[Problem, ...]"]


@dataclass(frozen=True, slots=True)
class FieldSeen:
    """One field for one recipient: its form's name, the rules that granted and cut."""

    form: str
    because: tuple[str, ...] = ()
    cut_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one recipient would see. `body` is the release's data, None where values are not told or nothing goes."""

    recipient: OfficeId
    is_routed: bool
    delivers: bool
    purpose: str
    role: str
    facts: Mapping[str, str]
    fields: Mapping[FieldId, FieldSeen]
    obligations: tuple[str, ...]
    because: tuple[str, ...]
    cut_by: tuple[str, ...]
    body: JsonObject | None


@dataclass(frozen=True, slots=True)
class Previewed:
    type: NoticeType
    policy: str
    seen: tuple[Seen, ...]


class Preview:
    def __init__(
        self,
        *,
        adapter_for: Callable[[str, str, Mapping[str, str]], Adapter | None],
        validate: Validate,
        routes: Routes,
        directories: Directories,
        gather: FactGatherer,
        projector: Projector,
        fields_in: Callable[[JsonObject, NoticeType], frozenset[FieldId]],
        tables: Callable[[Policy], RoutingTables],
        notices: NoticeStorage,
        keeper: Keeper,
        staff: StaffDirectory,
        teller: Teller,
        log: LogStorage,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._adapter_for, self._validate, self._routes = adapter_for, validate, routes
        self._directories, self._gather, self._projector = directories, gather, projector
        self._fields_in, self._tables, self._notices, self._keeper = fields_in, tables, notices, keeper
        self._staff, self._teller, self._log, self._clock, self._ids = staff, teller, log, clock, ids

    async def message(
        self, body: bytes, media_type: str, sender: str, recipients: Sequence[str], policy: Policy, *, by: str
    ) -> Previewed:
        """Preview a message as its sender would send it. Raises InvalidNotice, NotPermitted for a real identity."""
        await require(self._staff, by, *Role)
        now, office = self._clock.now(), self._office(sender)
        adapter = self._adapter_for(office.adapter, media_type, {})
        if adapter is None:
            raise InvalidDocument("this office has no adapter for the media type")
        items = adapter.decode(body, media_type, office, {}).items
        if len(items) != 1 or not isinstance(items[0], SubmittedNotice):
            raise InvalidNotice("a preview takes one notice that can be read")
        _only_synthetic(items[0].data)
        valid = self._validate(items[0], now)
        if isinstance(valid, tuple):
            raise InvalidNotice("the notice does not hold", problems=valid)
        persons = {str(one.get("ref")): one for one in valid.notice.data.get("persons", ())}
        stored = self._stored(valid, office, now)
        opened = OpenedNotice(stored, valid.notice.data, {}, {})
        routed = self._routes(valid, self._tables(policy), now)
        seen = [
            await self._seen(opened, self._office(one), routed, policy, now, with_values=True) for one in recipients
        ]
        await self._tell(len(persons), by)
        return Previewed(valid.type, policy.hash, tuple(seen))

    async def stored(self, notice: NoticeId, recipients: Sequence[str], policy: Policy, *, by: str) -> Previewed:
        """Preview a stored notice: forms and rules, never a value."""
        await require(self._staff, by, *Role)
        now, stored = self._clock.now(), await self._notices.load(notice)
        summary = await self._notices.summary(notice)
        if stored is None or summary is None:
            raise NotFound("no such notice")
        opened = self._keeper.open(stored)
        routed = {
            one.recipient: (one.purpose, one.legal_basis, one.rule, one.role)
            for one in summary.deliveries
            if one.purpose
        }
        seen = [
            await self._seen(opened, self._office(one), routed, policy, now, with_values=False) for one in recipients
        ]
        await self._tell(1, by)
        return Previewed(stored.type, policy.hash, tuple(seen))

    async def _seen(
        self,
        opened: OpenedNotice,
        recipient: Office,
        routed: Mapping[OfficeId, tuple[str, tuple[str, ...], str, str]],
        policy: Policy,
        now: datetime,
        *,
        with_values: bool,
    ) -> Seen:
        meant = routed.get(recipient.id)
        purpose, basis, rule, role = meant or (
            self._tables(policy).duties.get(recipient.agency) or _usual(routed),
            _bases(routed),
            "preview",
            "copy",
        )
        delivery = self._delivery(opened.stored, recipient.id, purpose, basis, rule, role, now)
        gathered = await self._gather(opened, delivery, recipient, now)
        asked = _under(gathered.facts, policy)
        decision = decide(asked, policy)
        there = self._fields_in(opened.data, opened.stored.type)
        body = self._released(opened, decision, delivery, now) if with_values else None
        gate = decision.fields.get(DELIVER)
        return Seen(
            recipient.id,
            meant is not None,
            decision.delivers,
            purpose,
            role,
            asked.known(),
            {name: _field(decision, name) for name in sorted(there)},
            tuple(sorted({duty.name for duty in decision.obligations})),
            () if gate is None else tuple(map(str, gate.because)),
            () if gate is None else tuple(map(str, gate.cut_by)),
            body,
        )

    def _released(
        self, opened: OpenedNotice, decision: Decision, delivery: Delivery, now: datetime
    ) -> JsonObject | None:
        context = ReleaseContext(
            delivery=delivery.id,
            recipient=delivery.recipient,
            type=opened.stored.type,
            case_handle="case-preview",
            purpose=delivery.purpose,
            time=now,
            expires_at=now + timedelta(days=1),
            as_of=now.date(),
            secret=ReleaseSecret(self._ids.secret()),
        )
        made = release(opened.data, decision, context, self._projector)
        return None if isinstance(made, Withheld) else made.data

    def _office(self, office: str) -> Office:
        found = self._directories.current.offices.get(OfficeId(office))
        if found is None:
            raise NotFound(f"there is no office `{office[:60]}`", remedy="hutong office list")
        return found

    def _stored(self, valid: ValidNotice, sender: Office, now: datetime) -> StoredNotice:
        return StoredNotice(
            self._ids.notice(), valid.type, CaseId(self._ids.notice()), sender.id, valid.urgency, now, b"", KeyId(""), (),
            {}, valid.flags,
        )  # fmt: skip

    def _delivery(
        self, stored: StoredNotice, recipient: OfficeId, purpose: str, basis: tuple[str, ...], rule: str, role: str,
        now: datetime,
    ) -> Delivery:  # fmt: skip
        return Delivery(
            DeliveryId(self._ids.notice()), stored.id, stored.type, stored.case, stored.sender, recipient, purpose, basis,
            rule, role, DeliveryState.DUE, stored.urgency, 0, 0, None, now, now, now + timedelta(days=1),
        )  # fmt: skip

    async def _tell(self, rows: int, by: str) -> None:
        await self._log.append([self._teller.report_read(self._clock.now(), "preview", rows, by, format_=None)])


def _only_synthetic(data: JsonObject) -> None:
    real = [
        Problem("real-identity", f"/persons/{n}/id_no", "a preview takes synthetic identities only", "use area 999999")
        for n, person in enumerate(data.get("persons", ()))
        if not str(person.get("id_no", SYNTHETIC_AREA)).startswith(SYNTHETIC_AREA)
    ]
    if real:
        raise NotPermitted("a preview takes synthetic identities only", problems=tuple(real))


def _usual(routed: Mapping[OfficeId, tuple[str, tuple[str, ...], str, str]]) -> str:
    return min((purpose for purpose, *_ in routed.values()), default=PREVIEW_PURPOSE)


def _bases(routed: Mapping[OfficeId, tuple[str, tuple[str, ...], str, str]]) -> tuple[str, ...]:
    return tuple(sorted({basis for _, every, *_ in routed.values() for basis in every}))


def _under(asked: Facts, policy: Policy) -> Facts:
    """The same facts in the words of another policy; what its vocabulary lacks is left out."""
    if asked.vocabulary is policy.vocabulary:
        return asked
    names = [spec.name for spec in asked.vocabulary.facts.values() if spec.is_personal]
    known = {name: value for name, value in asked.known().items() if name in policy.vocabulary.facts}
    persons = {ref: dict(zip(names, own, strict=True)) for ref, own in asked.persons.items()}
    return make_facts(policy.vocabulary, known, accepts=asked.accepts, persons=persons)


def _field(decision: Decision, name: FieldId) -> FieldSeen:
    found = decision.fields.get(name)
    if found is None:
        return FieldSeen(shown_name(Facet.NOTHING))
    return FieldSeen(shown_name(found.shown), tuple(map(str, found.because)), tuple(map(str, found.cut_by)))
