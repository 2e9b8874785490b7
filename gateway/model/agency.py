"""Who takes part in the exchange?

An *agency* is a kind of body (police, education ...); the list is data
(`policies/vocabulary.yaml`), so contractors and coordinators can be added. An
*office* is one unit of one agency, with keys, adapter, endpoints and scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.model.identifiers import AgencyName, DivisionCode, NoticeType, OfficeId, agency_of, division_of

EIGHT_AGENCIES: tuple[AgencyName, ...] = tuple(
    AgencyName(name)
    for name in (
        "civil_affairs",
        "police",
        "education",
        "health",
        "judiciary",
        "courts",
        "procuratorate",
        "womens_federation",
    )
)


class OfficeState(StrEnum):
    """`suspended` still reports and still gets safety floors; `compromised` does neither."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class OfficeKey:
    """One public key of an office, as a JWK without private parts. Verifies what was signed from `not_before` to `not_after`."""

    kid: str
    jwk: Mapping[str, Any]
    use: str  # sig | enc
    not_before: datetime
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where releases are pushed. `url` comes from the directory alone, never from a notice; `trust_pem` pins its certificate."""

    url: str
    trust_pem: str | None = None


class QueueUse(StrEnum):
    """What comes into an office's inbox at the message broker."""

    DOORBELLS = "doorbells"  # word that something waits, nothing of what
    RELEASES = "releases"  # the releases themselves, encrypted to the office's key


@dataclass(frozen=True, slots=True)
class Office:
    """`adapter` names the adapter whose formats the office speaks; `media_type` is what it receives by default.

    `scope` are the division codes it is competent for (its own when empty);
    `accepts_obligations` are the obligation names its system has declared to honour.
    """

    id: OfficeId
    name_zh: str
    name_en: str = ""
    state: OfficeState = OfficeState.ACTIVE
    adapter: str = "canonical"
    media_type: str = "application/cloudevents+json"
    keys: tuple[OfficeKey, ...] = ()
    scope: tuple[DivisionCode, ...] = ()
    webhook: Webhook | None = None
    queue: QueueUse | None = None  # None: it has no queues at the message broker
    sends: frozenset[NoticeType] | None = None  # None: whatever its agency may send
    accepts_obligations: frozenset[str] = frozenset()
    agreements: frozenset[str] = frozenset()
    directory_version: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    seal: str = field(default="", compare=False, repr=False)  # over all the rest, in hex: the gateway wrote this entry

    @property
    def agency(self) -> AgencyName:
        return agency_of(self.id)

    @property
    def division(self) -> DivisionCode:
        return division_of(self.id)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated office making one call.

    `officer` is the sender's own pseudonymous reference to the person acting; `purpose` what the call claims
    to be for (it must match the purpose fixed at routing, it cannot set it). A report-only caller may send
    reports and read their receipts, nothing else.
    """

    office: Office
    officer: str = ""
    purpose: str | None = None
    is_report_only: bool = False
