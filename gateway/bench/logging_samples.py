"""Events like those of the exchange, for measuring the log: disclosures with twelve fields of a notice, about one person.

Event ids are those that the gateway gives, one above the other. Of a child there are as many records in a row as a notice to a
few offices makes, and another notice about it comes later.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.model.audit import EventName, LogEvent, LogValue, Slot

OF_ONE_NOTICE, CHILDREN = 8, 997
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SHOWN = tuple(
    sorted(
        (name, "clear")
        for name in (
            "harm.summary", "harm.types", "guardian.name", "guardian.phone", "minor.birth_date", "minor.grade", "minor.id_no", "minor.name",
            "minor.residence.region", "minor.school.name", "minor.sex", "place.region",
        )
    )
)  # fmt: skip


def disclosures(count: int, *, persons: bool = False, seed: int = 1) -> Sequence[LogEvent]:
    rng = random.Random(seed)  # noqa: S311 - which ids, no secret
    ids = SystemIds(SystemClock())
    return [_disclosure(number, rng, ids, persons) for number in range(count)]


def _disclosure(number: int, rng: random.Random, ids: SystemIds, persons: bool) -> LogEvent:
    def new() -> str:
        return str(uuid.UUID(bytes=rng.randbytes(16)))

    values: dict[str, LogValue] = {
        "actor": "gateway", "notice": new(), "delivery": new(), "recipient": "police.999999.unit01", "revision": 1, "purpose": "P01",
        "basis": ("L02", "L20"), "policy": rng.randbytes(32).hex(), "outcome": f"o-{rng.randbytes(16).hex()}", "fields": _SHOWN,
        "obligations": ("disposal_receipt", "no_onward"), "transport": "pull",
    }  # fmt: skip
    slots: tuple[Slot, ...] = ()
    if persons:
        subject = sha256(b"%d" % (number // OF_ONE_NOTICE % CHILDREN)).hexdigest()
        slots = (Slot({"person": new(), "roles": ("minor",), "age_band": "8-13"}, bytes.fromhex(subject), subject),)
    at = _START + timedelta(milliseconds=number)
    return LogEvent(ids.event(), EventName.DISCLOSURE_DECIDED, at, values, rng.randbytes(32), slots)


def of_twelve_commitments(count: int, seed: int = 1) -> Sequence[LogEvent]:
    """Records of a header and eleven fields, most of them there: what the audit anchors' goal 4 is about."""
    rng = random.Random(seed)  # noqa: S311 - which ids, no secret

    ids = SystemIds(SystemClock())

    def new() -> str:
        return str(uuid.UUID(bytes=rng.randbytes(16)))

    return [
        LogEvent(
            ids.event(), EventName.DELIVERY_WITHHELD, _START + timedelta(milliseconds=number),
            {"actor": "gateway", "notice": new(), "delivery": new(), "recipient": "police.999999.unit01", "purpose": "P01",
             "basis": ("L02", "L20"), "policy": "ab" * 32, "limits": ("stop-without-basis",), "reason": "no-basis"},
            rng.randbytes(32),
        )
        for number in range(count)
    ]  # fmt: skip
