"""Notices, offices and releases for adapter tests. Identities use area prefix 999999, which no division has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.model.agency import Office
from gateway.model.identifiers import AgencyName, DeliveryId, NoticeType, OfficeId
from gateway.model.notice import ReleasedNotice, SubmittedNotice
from gateway.ports.translation import Adapter, RefusedItem


def office(agency: str) -> Office:
    return Office(OfficeId(f"{agency}.440113"), "测试单位")


def release(data: Mapping[str, Any], kind: str, agency: str) -> ReleasedNotice:
    return ReleasedNotice(
        DeliveryId("0190f0aa-0000-7000-8000-000000000001"), 2, OfficeId(f"{agency}.440113"), AgencyName(agency),
        NoticeType(kind), "case-77", datetime(2026, 3, 1, 2, 0, tzinfo=UTC), datetime(2026, 6, 1, 2, 0, tzinfo=UTC), data, b"{}",
    )  # fmt: skip


def decode_one(adapter: Adapter, raw: bytes, agency: str, media_type: str | None = None) -> SubmittedNotice:
    decoded = adapter.decode(raw, media_type or adapter.media_types[0], office(agency), {})
    (item,) = decoded.items
    assert isinstance(item, SubmittedNotice), item
    return item


def refusal(adapter: Adapter, raw: bytes, agency: str) -> RefusedItem:
    decoded = adapter.decode(raw, adapter.media_types[0], office(agency), {})
    item = decoded.items[0]
    assert isinstance(item, RefusedItem), item
    return item


def by_ref(data: Mapping[str, Any]) -> dict[str, Any]:
    """Persons are a set: their order says nothing."""
    out = dict(data)
    if "persons" in out:
        out["persons"] = sorted(out["persons"], key=lambda person: str(person.get("ref")))
    return out


def round_trip(adapter: Adapter, data: Mapping[str, Any], kind: str, agency: str) -> SubmittedNotice:
    encoded = adapter.encode(release(data, kind, agency), office(agency), adapter.media_types[0])
    return decode_one(adapter, encoded.body, agency, encoded.media_type)
