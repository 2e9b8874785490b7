"""What does the person who answered take home?

A receipt in the shape of ISO/IEC TS 27560:2023 (consent record information structure): record header, processing
with purposes, parties, events. Names of members follow the standard; the notice text itself is referred to by its
version. Holds what the giver already knows and nothing about any notice or case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.consent.ledger import Answer, Consent

SCHEMA_VERSION = "ISO-IEC-TS-27560-2023"
LANGUAGES = ("zh-CN", "en")
ANY_PURPOSE = "any"  # of a no that names none
_ANY_TITLE = {"zh": "一切目的", "en": "any purpose"}


def receipt(
    consent: Consent,
    *,
    receipt_id: str,
    controller: Mapping[str, str],
    purposes: Mapping[str, Mapping[str, str]],
    rights: str,
    withdrawal: str,
    retention: str,
) -> dict[str, Any]:
    """Plain JSON. `controller` holds `id`, `name`, `contact` of the body that asked; `purposes` titles by code and language;
    `rights`, `withdrawal` and `retention` are the texts shown to the person. A purpose without a title keeps its code.
    """
    return {
        "receipt_metadata": {"receipt_schema_version": SCHEMA_VERSION, "receipt_id": receipt_id},
        "record_header": {
            "record_schema_version": SCHEMA_VERSION,
            "record_id": consent.id,
            "pii_principal_id": consent.child,
        },
        "pii_processing": {
            "privacy_notice": consent.text_version,
            "language": list(LANGUAGES),
            "purposes": [
                {
                    "purpose": code,
                    "purpose_title": dict(purposes.get(code, _ANY_TITLE if code == ANY_PURPOSE else {"zh": code})),
                    "lawful_basis": "consent",
                    "pii_information": sorted(consent.fields) if consent.fields is not None else ["as-needed"],
                    "pii_controllers": [controller["id"]],
                    "recipient_third_parties": sorted(consent.recipients),
                    "retention_period": retention,
                    "withdrawal_method": withdrawal,
                    "privacy_rights": rights,
                }
                for code in sorted(consent.purposes) or [ANY_PURPOSE]
            ],
        },
        "party_identification": [
            {
                "party_id": controller["id"],
                "party_name": controller["name"],
                "party_contact": controller["contact"],
                "party_role": "pii_controller",
            },
            {"party_id": consent.giver, "party_role": "consenting_party", "party_type": consent.giver_kind.value},
        ],
        "events": _events(consent),
    }


def _events(consent: Consent) -> list[dict[str, str]]:
    first = {
        "event_time": consent.at.isoformat(),
        "event_type": "explicit",
        "event_state": "given" if consent.answer is Answer.GIVEN else "refused",
        "entity_id": consent.giver,
    }
    if consent.until is not None:
        first["valid_until"] = consent.until.isoformat()
    events = [first]
    if consent.withdrawn_at is not None:
        events.append(
            {
                "event_time": consent.withdrawn_at.isoformat(),
                "event_type": "explicit",
                "event_state": "withdrawn" if consent.answer is Answer.GIVEN else "lifted",
                "entity_id": consent.giver,
            }
        )
    return events
