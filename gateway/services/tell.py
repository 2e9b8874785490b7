"""What do we tell the exchange log, and about whom?

Every event is prepared here: names of fields and forms, ids and codes, never a
value. Each person the event is about gets a slot under the person's own secret;
who acted for an office gets the officer's slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.audit.record import PreparedRecord, prepare
from gateway.crypto.sealing import keyed_digest
from gateway.model.audit import EventName, LogEvent, LogValue, Slot
from gateway.model.delivery import Delivery
from gateway.model.identifiers import CaseId
from gateway.ports.clock import Ids
from gateway.ports.keys import KeyStore
from gateway.services.keep import KnownPerson

GATEWAY = "gateway"


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

    def slots(
        self, persons: Iterable[KnownPerson], roles: Mapping[str, str], case: CaseId, age_bands: Mapping[str, str]
    ) -> tuple[Slot, ...]:
        """One slot per person, with the role and the age band of the moment."""
        return tuple(self._slot(person, roles.get(person.link.ref, "other"), case, age_bands) for person in persons)

    def _slot(self, person: KnownPerson, role: str, case: CaseId, age_bands: Mapping[str, str]) -> Slot:
        values: dict[str, LogValue] = {"person": str(person.link.person), "role": role, "case": str(case)}
        if band := age_bands.get(person.link.ref):
            values["age_band"] = band
        subject = keyed_digest(self._subject_secret, str(person.link.person).encode()).hex()
        return Slot(values, person.log_secret, subject)

    def _officer(self, office: str, officer: str) -> Slot:
        handle = keyed_digest(self._officer_secret, office.encode(), officer.encode())
        return Slot({"officer": handle.hex()[:32]}, keyed_digest(self._officer_secret, b"log", handle))


def about(delivery: Delivery) -> dict[str, LogValue | None]:
    """What every record about a delivery names."""
    return {"delivery": delivery.id, "notice": delivery.notice, "recipient": delivery.recipient}
