"""What do we tell the exchange log, and about whom?

Every event is prepared here: names of fields and forms, ids and codes, never a
value. Each person the event is about gets a slot under the person's own secret;
who acted for an office gets the officer's slot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from gateway.audit.forms import PATTERNS
from gateway.audit.record import PreparedRecord, prepare
from gateway.crypto.sealing import keyed_digest
from gateway.model.audit import EventName, Form, LogEvent, LogValue, Slot
from gateway.model.delivery import Delivery
from gateway.model.fields import PERSON_ROLES
from gateway.model.identifiers import CaseId, Operator, PersonId
from gateway.ports.clock import Ids
from gateway.ports.keys import KeyStore
from gateway.services.keep import KnownPerson, person_ref
from gateway.validation.age import possible_age_bands

GATEWAY = "gateway"
STAFF = "staff"  # whoever works here, by the command line or the admin API


class Teller:
    def __init__(self, keys: KeyStore, ids: Ids) -> None:
        self._ids = ids
        self._officer_secret = keys.secret("officers")
        self._subject_secret = keys.secret("log-subjects")

    def event(
        self,
        name: EventName,
        at: datetime,
        values: Mapping[str, LogValue | None],
        *,
        actor: str = GATEWAY,
        officer: str = "",
        persons: Iterable[Slot] = (),
    ) -> PreparedRecord:
        """Prepare one record. Values that are None or empty are left out; `officer` is the office's own reference to a person."""
        given = {key: value for key, value in values.items() if value is not None and value != "" and value != ()}
        given["actor"] = actor
        if isinstance(officer, Operator):
            given["account"] = officer.account
        event = LogEvent(
            id=self._ids.event(),
            name=name,
            at=at,
            values=given,
            secret=self._ids.secret(),
            persons=tuple(persons),
            officer=self._officer(actor, officer) if officer else None,
        )
        return prepare(event)

    def report_read(
        self, at: datetime, report: str, rows: int, by: str, *, format_: str | None = "json"
    ) -> PreparedRecord:
        """One of our staff was told something out of the log: which question, and how many rows."""
        told: dict[str, LogValue | None] = {"report": report, "rows": rows, "format": format_}
        return self.event(EventName.LOG_READ, at, told, actor=STAFF, officer=by)

    def subject(self, person: PersonId) -> bytes:
        """The keyed name (32 bytes) under which the log's private index finds a person's chain."""
        return keyed_digest(self._subject_secret, str(person).encode())

    def person_slot(self, person: PersonId, log_secret: bytes) -> Slot:
        """A slot that says no more than whom the event is about."""
        return Slot({"person": str(person)}, log_secret, self.subject(person).hex())

    def slots(
        self, persons: Iterable[KnownPerson], people: Iterable[Mapping[str, Any]], case: CaseId, day: date
    ) -> tuple[Slot, ...]:
        """One slot per person, with the roles in the notice and the age band of the day."""
        described = {person_ref(person, ordinal): person for ordinal, person in enumerate(people)}
        return tuple(self._slot(person, described.get(person.link.ref, {}), case, day) for person in persons)

    def _slot(self, person: KnownPerson, described: Mapping[str, Any], case: CaseId, day: date) -> Slot:
        roles = tuple(sorted({role for role in described.get("roles", ()) if role in PERSON_ROLES}))
        values: dict[str, LogValue] = {
            "person": str(person.link.person),
            "case": str(case),
            "age_band": _log_band(possible_age_bands(described, day)),
        }
        if roles:
            values["roles"] = roles
        subject = self.subject(person.link.person).hex()
        return Slot(values, person.log_secret, subject)

    def officer_handle(self, office: str, officer: str) -> str:
        """How the log names somebody who acts for an office or for the gateway (`staff`)."""
        return keyed_digest(self._officer_secret, office.encode(), officer.encode()).hex()[:32]

    def officer_secret(self, office: str, officer: str) -> bytes:
        """What opens the slots of one officer: how records are searched by officer, since the index knows none."""
        handle = keyed_digest(self._officer_secret, office.encode(), officer.encode())
        return keyed_digest(self._officer_secret, b"log", handle)

    def _officer(self, office: str, officer: str) -> Slot:
        return Slot({"officer": self.officer_handle(office, officer)}, self.officer_secret(office, officer))


def about(delivery: Delivery) -> dict[str, LogValue | None]:
    """What every record about a delivery names."""
    return {"delivery": delivery.id, "notice": delivery.notice, "recipient": delivery.recipient}


# The coarser words of the log for an age band.
_LOG_BANDS = {"0-2": "0-7", "3-5": "0-7", "6-7": "0-7", "8-11": "8-13", "12-13": "8-13", "18+": "18-plus"}


def _log_band(possible: frozenset[str]) -> str:
    words = {_LOG_BANDS.get(band, band) for band in possible}
    return next(iter(words)) if len(words) == 1 else "unknown"


_FLAG = re.compile(PATTERNS[Form.FLAGS])


def loggable_flags(flags: Iterable[str]) -> tuple[str, ...]:
    """Flags in the log's words: what does not fit keeps its code alone."""
    return tuple(sorted({flag if _FLAG.fullmatch(flag) else flag.split(":", 1)[0] for flag in flags}))
