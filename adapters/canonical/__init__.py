"""How does an office speak that has no format of its own? Canonical notices in CloudEvents 1.0.

Structured, batch and binary mode come in; structured goes out, the exact
bytes of the release. `reporter` and `sealed` may stand beside the notice's own members in
`data`; they are taken out before anything else looks at the notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.identifiers import NoticeType, office_urn
from gateway.model.notice import ReleasedNotice, SubmittedNotice
from gateway.ports.translation import Decoded, Encoded, RefusedItem
from gateway.validation.cloudevent import (
    BATCH,
    STRUCTURED,
    CloudEvent,
    Malformed,
    mode_of,
    notice_type_of,
    parse_batch,
    parse_binary,
    parse_structured,
)

EVERY_TYPE: frozenset[NoticeType] = frozenset(
    NoticeType(name)
    for name in (
        "RPT", "RPT-M", "ACC", "TRN", "PFB", "ASM", "REF", "REF-R", "AID", "GRD-W", "GRD-O", "GRD-PA", "GRD-P", "GRD-T",
        "GRD-H", "GRD-RA", "GRD-R", "GRD-S", "GRD-L", "GRD-E", "GRD-D", "LED", "VIS", "CLS", "ESC", "WDR", "COR", "CON",
        "BGN", "QRY", "ANS", "STATS",
    )
)  # fmt: skip


class Canonical:
    """The adapter of the canonical form. Stateless."""

    name = "canonical"
    agency = None
    media_types: tuple[str, ...] = (STRUCTURED, BATCH, "application/json")
    sends = EVERY_TYPE
    conveys = EVERY_TYPE

    def decode(self, raw: bytes, media_type: str, sender: Office, headers: Mapping[str, str]) -> Decoded:
        match mode_of(media_type):
            case "structured":
                return Decoded((_item(parse_structured(raw), "", sender),))
            case "batch":
                events = parse_batch(raw)
                if isinstance(events, Malformed):
                    return Decoded((RefusedItem("", events.problems),), is_batch=True)
                if not events:
                    nothing = Problem("empty", "", "the batch holds no notice", "send at least one")
                    return Decoded((RefusedItem("", (nothing,)),), is_batch=True)
                items = tuple(_item(event, f"/{index}", sender) for index, event in enumerate(events))
                return Decoded(items, is_batch=True)
            case "binary" if "ce-specversion" in headers:
                return Decoded((_item(parse_binary({**headers, "content-type": media_type}, raw), "", sender),))
        wrong = Problem("unsupported-media-type", "", "this is no CloudEvents format", f"send {STRUCTURED}")
        return Decoded((RefusedItem("", (wrong,)),))

    def encode(self, release: ReleasedNotice, recipient: Office, media_type: str) -> Encoded:
        return Encoded(release.canonical, STRUCTURED, {})


def _item(event: CloudEvent | Malformed, at: str, sender: Office) -> SubmittedNotice | RefusedItem:
    if isinstance(event, Malformed):
        return RefusedItem(at, event.problems)
    problems = []
    if event.source != office_urn(sender.id):
        problems.append(
            Problem(
                "wrong-source", f"{at}/source", "the source is not the office that sends", "name your own office's URN"
            )
        )
    kind = notice_type_of(event.type)
    if kind is None or kind[0] not in EVERY_TYPE or kind[1] != 1:
        problems.append(
            Problem("unknown-type", f"{at}/type", "this is no type of notice", "use hutong.notice.<TYPE>.v1")
        )
    if not isinstance(event.data, dict):
        problems.append(Problem("no-data", f"{at}/data", "the notice's body is a JSON object", "put it into `data`"))
    if problems or kind is None or not isinstance(event.data, dict):
        return RefusedItem(at, tuple(problems))
    data: dict[str, Any] = dict(event.data)
    return SubmittedNotice(
        sender=sender.id,
        native_id=event.id,
        type=kind[0],
        reporter=_apart(data, "reporter"),
        sealed=_apart(data, "sealed"),
        data=data,
        subject=event.subject or "",
        time=event.instant,
        extensions={name: str(value) for name, value in event.extensions.items()},
    )


def _apart(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Take a component out of the body; what is no object is kept apart all the same."""
    value = data.pop(name, None)
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


ADAPTER = Canonical()
