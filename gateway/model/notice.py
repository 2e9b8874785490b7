"""What is a case notice at each stage of its way?

The type tells the stage. `SubmittedNotice` came out of an adapter and is
unchecked; `ValidNotice` holds by schema and sender rules; `ReleasedNotice` is
the projection for one recipient and the only thing an adapter can encode.
Only `gateway.privacy.release` makes one.

`data` is the canonical body: plain JSON values (dict, list, str, int, bool,
no floats, no null), shaped by `schemas/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from gateway.model.identifiers import AgencyName, DeliveryId, NoticeType, OfficeId

JsonObject = Mapping[str, Any]

REPORTS: frozenset[NoticeType] = frozenset({NoticeType("RPT"), NoticeType("RPT-M")})


class Gap(NamedTuple):
    """Something an adapter could not map. `position` is native, `target` the canonical path it was meant for, if known."""

    code: str
    position: str
    message: str
    target: str = ""


class Provenance(NamedTuple):
    """Where a canonical value came from: JSON pointer into `data`, native position."""

    pointer: str
    source: str


# The question of a query that the gateway writes for whoever has a relay handle, and nobody else.
RELAYED = "pass_on"


@dataclass(frozen=True, slots=True)
class SubmittedNotice:
    """One notice as its sender's adapter understood it.

    `native_id` is the sender's own message number, the idempotency key.
    `reporter` holds what was stripped for the vault before anything else was
    parsed: name, phone, unit and the like, never part of `data`.
    `sealed` likewise: components the owner marked sealed.
    `subject` is the case in the sender's own words, resolved later.
    `locate` says of a JSON pointer into `data` where that stands, or would
    stand, in the sender's own message; canonical notices have none.
    """

    sender: OfficeId
    native_id: str
    type: NoticeType
    data: JsonObject
    subject: str = ""
    time: datetime | None = None
    reporter: JsonObject = field(default_factory=dict)
    sealed: JsonObject = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)
    locate: Callable[[str], str] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ValidNotice:
    """A notice that may be routed.

    `flags` are reasons for a human to look (a report is accepted in spite of
    them): `bad-format:/persons/0/birth_date`, `suspended-sender`, `reused-id`.

    A report stands in spite of what is wrong in it, and so does a notice in an
    agency's own format where what is left holds. But doubt is a no: what
    does not hold is already cut from `notice.data`, so nothing invalid is ever
    projected. `quarantined` says where, as JSON pointers into the body as
    submitted, safe to log. `set_aside` keeps the cut values by exact pointer
    for the person who looks; it is stored encrypted and never released.
    """

    notice: SubmittedNotice
    flags: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    set_aside: JsonObject = field(default_factory=dict)

    @property
    def type(self) -> NoticeType:
        return self.notice.type

    @property
    def is_report(self) -> bool:
        return self.notice.type in REPORTS

    @property
    def urgency(self) -> int:
        value = self.notice.data.get("urgency", 0)
        return value if isinstance(value, int) and 0 <= value <= 2 else 0


@dataclass(frozen=True, slots=True)
class Recipient:
    """One office a notice goes to, and why: the routing rule, purpose and basis, with the resolver's trace."""

    office: OfficeId
    rule: str
    purpose: str
    legal_basis: tuple[str, ...]
    role: str  # competent | copy | executor | applicant ...
    fallback_level: int = 0
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleasedNotice:
    """What one recipient gets: projected, pseudonymised, expiring. Made only by `gateway.privacy.release`.

    `id` is `<delivery>.<revision>`; `subject` is a case handle of this
    recipient alone. `data` holds only shown forms and the `_disclosure` map.
    `canonical` is the exact canonical JSON of the CloudEvents envelope, the
    bytes whose change raises the revision.
    """

    delivery: DeliveryId
    revision: int
    recipient: OfficeId
    agency: AgencyName
    type: NoticeType
    subject: str
    time: datetime
    expires_at: datetime
    data: JsonObject
    canonical: bytes

    @property
    def id(self) -> str:
        return f"{self.delivery}.{self.revision}"
