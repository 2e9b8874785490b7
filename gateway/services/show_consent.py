"""What may the recording office show of a consent: to the person, as a receipt to take home?

In the shape of ISO/IEC TS 27560:2023. Persons are named by handles of that office alone, so
two offices cannot join what they recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.consent.receipt import receipt
from gateway.crypto.sealing import keyed_digest
from gateway.model.agency import Office
from gateway.model.identifiers import OfficeId
from gateway.ports.keys import KeyStore
from gateway.services.consents import KeptConsent
from gateway.services.record_consent import RecordConsent

RIGHTS = (
    "个人有权知情、决定、查阅、复制、更正、删除（个人信息保护法第44至50条）。"
    " You may know, decide, inspect, copy, correct and have deleted (PIPL 44-50)."
)
WITHDRAWAL = (
    "随时向登记单位提出，无须理由；撤回前的处理仍然有效，法定职责所需的处理不受影响（个人信息保护法第15条）。"
    " At any time with the office that recorded it, without reason; earlier processing stays lawful, statutory duties go on (PIPL 15)."
)
RETENTION = "目的实现或撤回后删除，法律另有规定的除外（个人信息保护法第47条）。 Deleted when the purpose ends or you withdraw, unless law says otherwise (PIPL 47)."


class ShowConsent:
    def __init__(
        self, *, record: RecordConsent, keys: KeyStore, purposes: Callable[[], Mapping[str, Mapping[str, str]]]
    ) -> None:
        self._record, self._purposes = record, purposes
        self._secret = keys.secret("consent-persons")

    async def __call__(self, office: Office, name: str) -> list[dict[str, Any]]:
        """One document for each child. Raises NotFound for an id this office never used."""
        return [self._document(office, one) for one in await self._record.show(office.id, name)]

    def _document(self, office: Office, kept: KeptConsent) -> dict[str, Any]:
        consent = replace(
            kept.consent,
            child=self._handle(office.id, kept.consent.child),
            giver=self._handle(office.id, kept.consent.giver),
        )
        state = "withdrawn" if consent.withdrawn_at is not None else consent.answer.value
        # whether it counts is not told: it would tell of a conflict, and so of a notice (DOMAIN K2)
        return {
            "consent": kept.name,
            "state": state,
            "notice": kept.notice,
            "receipt": receipt(
                consent,
                receipt_id=f"{consent.id}.{state}",
                controller={"id": office.id, "name": office.name_zh, "contact": office.attributes.get("contact", "")},
                purposes=self._purposes(),
                rights=RIGHTS,
                withdrawal=WITHDRAWAL,
                retention=RETENTION,
            ),
        }

    def _handle(self, office: OfficeId, person: str) -> str:
        return "person-" + keyed_digest(self._secret, office.encode(), person.encode()).hex()[:32]
