"""FHIR as hospitals send it, for the tests: bundles, and what the adapter makes of them."""

from __future__ import annotations

import json
from typing import Any

from adapters.health import ADAPTER
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office

FHIR = "application/fhir+json"


def decode(raw: bytes | dict[str, Any] | list[Any]) -> tuple[SubmittedNotice | RefusedItem, ...]:
    body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return tuple(ADAPTER.decode(body, FHIR, office("health"), {}).items)


def one(raw: bytes | dict[str, Any]) -> SubmittedNotice:
    (item,) = decode(raw)
    assert isinstance(item, SubmittedNotice), item
    return item


def bundle(*resources: dict[str, Any], kind: str = "collection", **more: Any) -> dict[str, Any]:
    entries = [{"fullUrl": r.pop("~url", f"urn:uuid:{n}"), "resource": r} for n, r in enumerate(resources)]
    return {"resourceType": "Bundle", "id": "b-1", "type": kind, "timestamp": "2026-03-01T09:45:00+08:00", "entry": entries, **more}  # fmt: skip
