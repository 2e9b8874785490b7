"""How does somebody without a gateway get a release, to try an adapter on it? By the gateway's own projection, with everything shown.

What is made here is a release like any other: projected, pseudonymised, with handles. The secret is
a constant, so equal bodies give equal releases; the identities in them are synthetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from gateway.engines.files.documents import default_catalogue
from gateway.model.access import DELIVER, PRESETS, Decision, FieldDecision
from gateway.model.identifiers import DeliveryId, NoticeType, OfficeId, PolicyHash
from gateway.model.notice import ReleasedNotice
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.release import ReleaseContext, Withheld, release

_DELIVERY = DeliveryId("0190f0aa-0000-7000-8000-000000000001")
_SENT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
_EXPIRES = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


@lru_cache(maxsize=1)
def _projector() -> Projector:
    catalogue = default_catalogue()
    return Projector({kind: catalogue.fields_of(kind) for kind in catalogue.notice_types})


def everything_but(
    data: Mapping[str, Any], notice_type: NoticeType, recipient: OfficeId, withheld: Iterable[str] = ()
) -> ReleasedNotice:
    """A release that shows every field but those `withheld` (field ids such as `minor.name`). `data` is a canonical body."""
    catalogue = default_catalogue()
    hidden = sorted(set(withheld))
    shown = {
        field: FieldDecision(PRESETS["withhold" if field in hidden else "clear"])
        for field in catalogue.fields_of(notice_type)
    }
    decision = Decision(
        {**shown, DELIVER: FieldDecision(PRESETS["presence"])},
        PolicyHash("conformance"),
        "everything but " + " ".join(hidden),
    )
    context = ReleaseContext(
        delivery=_DELIVERY,
        recipient=recipient,
        type=notice_type,
        case_handle="case-conformance",
        purpose="P01",
        time=_SENT,
        expires_at=_EXPIRES,
        as_of=date(2026, 3, 1),
        secret=ReleaseSecret(bytes(32)),
    )
    made = release(data, decision, context, _projector())
    assert not isinstance(made, Withheld), "the decision delivers"
    return made
