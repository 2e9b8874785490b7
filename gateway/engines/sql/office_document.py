"""How is an office written down, and read back the same?

As canonical JSON with absent members left out, so that old documents stay readable
when offices get new members with defaults.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from gateway.model.agency import Office, OfficeKey, OfficeState, QueueUse, Webhook
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import DivisionCode, NoticeType, OfficeId


def write_office(office: Office, *, is_sealed: bool = True) -> bytes:
    """With its seal for the entry in force; a kept version has none, so that it cannot be put back in force."""
    document: dict[str, Any] = {
        "id": office.id,
        "name_zh": office.name_zh,
        "name_en": office.name_en,
        "state": office.state.value,
        "adapter": office.adapter,
        "media_type": office.media_type,
        "keys": [_key_document(key) for key in office.keys],
        "scope": list(office.scope),
        "accepts_obligations": sorted(office.accepts_obligations),
        "agreements": sorted(office.agreements),
        "attributes": dict(office.attributes),
    }
    if office.webhook is not None:
        document["webhook"] = {"url": office.webhook.url}
        if office.webhook.trust_pem is not None:
            document["webhook"]["trust_pem"] = office.webhook.trust_pem
    if office.queue is not None:
        document["queue"] = office.queue.value
    if office.sends is not None:
        document["sends"] = sorted(office.sends)
    if office.seal and is_sealed:
        document["seal"] = office.seal
    return canonical_json(document)


def read_office(raw: bytes) -> Office:
    """The office of a document that `write_office` wrote."""
    document = orjson.loads(raw)
    webhook, sends, queue = document.get("webhook"), document.get("sends"), document.get("queue")
    return Office(
        id=OfficeId(document["id"]),
        name_zh=document["name_zh"],
        name_en=document["name_en"],
        state=OfficeState(document["state"]),
        adapter=document["adapter"],
        media_type=document["media_type"],
        keys=tuple(_key(key) for key in document["keys"]),
        scope=tuple(DivisionCode(code) for code in document["scope"]),
        webhook=None if webhook is None else Webhook(webhook["url"], webhook.get("trust_pem")),
        queue=None if queue is None else QueueUse(queue),
        sends=None if sends is None else frozenset(NoticeType(name) for name in sends),
        accepts_obligations=frozenset(document["accepts_obligations"]),
        agreements=frozenset(document["agreements"]),
        attributes=document["attributes"],
        seal=document.get("seal", ""),
    )


def _key_document(key: OfficeKey) -> dict[str, Any]:
    document = {"kid": key.kid, "jwk": dict(key.jwk), "use": key.use, "not_before": key.not_before.isoformat()}
    if key.not_after is not None:
        document["not_after"] = key.not_after.isoformat()
    return document


def _key(document: dict[str, Any]) -> OfficeKey:
    not_after = document.get("not_after")
    return OfficeKey(
        document["kid"],
        document["jwk"],
        document["use"],
        datetime.fromisoformat(document["not_before"]),
        None if not_after is None else datetime.fromisoformat(not_after),
    )
