"""What does the router know of a case, and what does it answer?"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.errors import Problem
from gateway.model.geography import Place
from gateway.model.identifiers import NoticeType, OfficeId
from gateway.model.notice import Recipient


@dataclass(frozen=True, slots=True)
class PriorNotice:
    """The notice that `in_reply_to`, `supersedes` or `caused_by` points at, as it was routed."""

    type: NoticeType
    sender: OfficeId
    recipients: tuple[Recipient, ...] = ()
    school_related: bool = False
    harm_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseContext:
    """What the case holds when a notice of it is routed. Everything may be empty: a first report has no case.

    `active` are the recipients of the case so far, each as last routed, whose
    part has not ended. `conflicted` are offices that may not receive anything
    of this case (accused institution, declared conflict; DOMAIN 5.6 K5).
    `places` supplement what the notice itself says.
    """

    owner: OfficeId | None = None
    reporting_units: tuple[OfficeId, ...] = ()
    active: tuple[Recipient, ...] = ()
    applicants: tuple[OfficeId, ...] = ()
    conflicted: frozenset[OfficeId] = frozenset()
    prior: PriorNotice | None = None
    places: tuple[Place, ...] = ()
    has_open_order: bool = False
    has_temporary_guardianship: bool = False


NO_CASE = CaseContext()


@dataclass(frozen=True, slots=True)
class Held:
    """A recipient that was meant and could not be found or may not be used yet.

    `meant` is the office the notice waits for: the one that ought to be competent, enrolled or not.
    `reason` is one of DOMAIN 3.4 (`region_unresolved`, `needs_approval`,
    `conflict_check`). `told` are the offices whose people have to settle it;
    they get the alarm, not the notice.
    """

    reason: str
    rule: str
    purpose: str
    meant: OfficeId
    legal_basis: tuple[str, ...] = ()
    told: tuple[OfficeId, ...] = ()
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """Who might receive a notice. Each office appears once; `problems` are empty unless the sender may not send this.

    `flags` ask for a person's look: `unknown-region:incident`, `place-from-sender`,
    `conflict:<office>`, `requested-unknown:<position>`, `requested-not-permitted:<position>`,
    `not-registered:<rule or office>`, `sender-is-competent:<rule>`, `nobody`.
    """

    recipients: tuple[Recipient, ...] = ()
    held: tuple[Held, ...] = ()
    flags: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
