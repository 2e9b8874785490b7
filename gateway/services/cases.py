"""Which case does a notice belong to, and what does the case hold so far?

An office names a case in its own words (`subject`) or by the handle it was
given with a release; it answers a release by that release's id. Nobody sees the
gateway's own case id. A name that only its sender uses becomes a case id by a
keyed derivation, so that two notices that arrive together agree without asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from gateway.crypto.sealing import keyed_digest
from gateway.model.agency import Office
from gateway.model.delivery import Delivery, DeliveryState, DeliveryStatus
from gateway.model.identifiers import AgencyName, CaseId, DeliveryId, NoticeId, NoticeType, OfficeId, agency_of
from gateway.model.notice import REPORTS, Recipient, SubmittedNotice
from gateway.model.routing import NO_CASE, CaseContext, PriorNotice
from gateway.ports.clock import Ids
from gateway.ports.keys import KeyStore
from gateway.ports.storage import DeliveryStorage, NoticeStorage, NoticeSummary
from gateway.services.keep import OpenedNotice

_ENDED = frozenset({DeliveryState.DECLINED, DeliveryState.REFUSED, DeliveryState.WITHDRAWN, DeliveryState.EXPIRED})
_APPLICATIONS = frozenset({NoticeType("GRD-PA"), NoticeType("GRD-RA")})
GATEWAY_AGENCY = AgencyName("gateway")  # its own notices may speak of any; nobody is enrolled under this name
_ASKING = frozenset({NoticeType("QRY"), NoticeType("ANS")})
_LINKS = ("in_reply_to", "supersedes", "caused_by")


@dataclass(frozen=True, slots=True)
class CaseLink:
    """The case of a notice, what it holds, and the notice answered or replaced, if any."""

    case: CaseId
    context: CaseContext = NO_CASE
    prior: NoticeId | None = None
    answered: Delivery | None = None
    is_own_prior: bool = False


class Cases:
    def __init__(self, notices: NoticeStorage, deliveries: DeliveryStorage, keys: KeyStore, ids: Ids) -> None:
        self._notices, self._deliveries, self._ids = notices, deliveries, ids
        self._secret = keys.secret("cases")
        self._handle_secret = keys.secret("case-handles")

    def handle(self, case: CaseId, office: OfficeId) -> str:
        """The name under which one office knows a case: stable, and another for every office."""
        return "case-" + keyed_digest(self._handle_secret, case.encode(), office.encode()).hex()[:32]

    def handle_digest(self, office: OfficeId, handle: str) -> bytes:
        return keyed_digest(self._handle_secret, b"digest", office.encode(), handle.encode())

    async def link(self, sender: Office, notice: SubmittedNotice) -> CaseLink:
        """Find the case of a notice. What the sender may not know of is as if it were not there."""
        for name in _LINKS:
            reference = notice.data.get(name)
            if isinstance(reference, str) and (found := await self._prior(sender.id, reference)):
                summary, delivery = found
                context = await self.context(summary.case, prior=summary)
                return CaseLink(summary.case, context, summary.id, delivery, delivery is None)
        if notice.subject:
            known = await self._notices.find_case(sender.id, self.handle_digest(sender.id, notice.subject))
            case = known or self._derived(sender.id, notice.subject)
            return CaseLink(case, await self.context(case))
        return CaseLink(self._ids.case())

    async def known(self, office: OfficeId, reference: str) -> NoticeSummary | None:
        """The notice an office may name: one it sent, or a release it got (`<delivery>` or `<delivery>.<revision>`)."""
        found = await self._prior(office, reference)
        return None if found is None else found[0]

    async def references(self, opened: OpenedNotice, office: OfficeId) -> dict[str, str]:
        """What this office calls the notice that is answered or replaced: its own number, or the release it got.

        Empty when the office never knew that notice: the reference is then withheld.
        """
        prior = opened.header.get("prior")
        if not isinstance(prior, str):
            return {}
        summary = await self._notices.summary(NoticeId(prior))
        if summary is None:
            return {}
        name = str(summary.id) if summary.sender == office else None
        for status in summary.deliveries:
            if status.recipient == office:
                delivery = await self._deliveries.delivery(status.delivery)
                if delivery is not None and delivery.revision > 0:
                    name = f"{delivery.id}.{delivery.revision}"
        if name is None:
            return {}
        return {str(opened.data[link]): name for link in _LINKS if isinstance(opened.data.get(link), str)}

    async def context(self, case: CaseId, prior: NoticeSummary | None = None) -> CaseContext:
        notices = await self._notices.summarise(case)
        if not notices:
            return NO_CASE
        active: dict[OfficeId, Recipient] = {}
        for notice in notices:
            if notice.type in _ASKING:
                continue  # who is asked, or answered, does not thereby take part in the case
            for status in notice.deliveries:
                if status.state in _ENDED:
                    active.pop(status.recipient, None)
                else:
                    active[status.recipient] = _as_routed(status)
        types = {notice.type for notice in notices}
        owners = [notice.sender for notice in notices if notice.type == "ACC"]
        return CaseContext(
            owner=owners[-1] if owners else None,
            reporting_units=tuple(dict.fromkeys(n.sender for n in notices if n.type in REPORTS)),
            active=tuple(active.values()),
            applicants=tuple(dict.fromkeys(n.sender for n in notices if n.type in _APPLICATIONS)),
            prior=None if prior is None else _as_prior(prior),
            has_open_order="GRD-P" in types,
            has_temporary_guardianship="GRD-T" in types,
        )

    async def _prior(self, office: OfficeId, reference: str) -> tuple[NoticeSummary, Delivery | None] | None:
        """The notice a reference means to this office: a release it got (`<delivery>.<revision>`) or a notice it sent."""
        identifier = reference.split(".", 1)[0]
        if not _is_uuid(identifier):
            return None
        delivery = await self._deliveries.delivery(DeliveryId(identifier))
        if delivery is not None and delivery.recipient == office and delivery.revision > 0:
            summary = await self._notices.summary(delivery.notice)
            return None if summary is None else (summary, delivery)
        summary = await self._notices.summary(NoticeId(identifier))
        is_own = summary is not None and (summary.sender == office or agency_of(office) == GATEWAY_AGENCY)
        return (summary, None) if summary is not None and is_own else None

    def _derived(self, office: OfficeId, subject: str) -> CaseId:
        return CaseId(str(UUID(bytes=keyed_digest(self._secret, office.encode(), subject.encode())[:16])))


def _as_prior(summary: NoticeSummary) -> PriorNotice:
    return PriorNotice(summary.type, summary.sender, tuple(_as_routed(status) for status in summary.deliveries))


def _as_routed(status: DeliveryStatus) -> Recipient:
    return Recipient(status.recipient, status.rule, status.purpose, status.legal_basis, status.role)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
