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
from gateway.model.consent import ConsentRules
from gateway.model.identifiers import OfficeId
from gateway.ports.keys import KeyStore
from gateway.services.consents import KeptConsent
from gateway.services.record_consent import RecordConsent


class ShowConsent:
    def __init__(
        self,
        *,
        record: RecordConsent,
        keys: KeyStore,
        purposes: Callable[[], Mapping[str, Mapping[str, str]]],
        rules: Callable[[], ConsentRules],
    ) -> None:
        self._record, self._purposes, self._rules = record, purposes, rules
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
        rules = self._rules()
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
                rights=rules.rights,
                withdrawal=rules.withdrawal,
                retention=rules.retention,
            ),
        }

    def _handle(self, office: OfficeId, person: str) -> str:
        return "person-" + keyed_digest(self._secret, office.encode(), person.encode()).hex()[:32]
