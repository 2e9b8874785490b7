"""What leaves the gateway for one recipient, byte for byte?

This is the only maker of a `ReleasedNotice`, and a `ReleasedNotice` is the only thing an adapter can encode: nothing
leaves undecided. `tests/unit/privacy/test_only_privacy_releases.py` fails when anything else makes one.

A release is a CloudEvent (1.0, structured JSON) with an identity of its own: `source` is the gateway, `id` is
`<delivery>.<revision>`, `subject` the recipient's own handle for the case; extension attributes are `delivery`,
`revision` and `expirytime`. Nothing in it was made by the sender except what the decision shows, and no identifier
in it is given to two recipients.

With keys, times and ids fixed, two notices that are equal in the decision and in what it shows release identical
bytes (non-interference, DESIGN 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

import orjson

from gateway.model.access import Decision, Obligation
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import GATEWAY_URN, DeliveryId, NoticeType, OfficeId, agency_of
from gateway.model.notice import JsonObject, ReleasedNotice
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import Naming, ReleaseSecret, pseudonyms, relay_handles
from gateway.privacy.running import DISCLOSURE, FormFlag, Run, without_unencodable

OBLIGATIONS = "_obligations"
MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class ReleaseContext:
    """All that a release depends on besides body and decision. Fixed per delivery and notice version but for `revision`.

    `revision` is that of the last release of this delivery, or 1 where there was none; `previous_digest` is the
    `content_digest` of that last release, None where there was none. The revision rises by one when the content
    differs from it. `time` is the notice's, `expires_at` the release's end of use, both aware. `as_of` is the date
    that age bands are computed for. `epoch` names the period in which pseudonyms stay the same. `references` maps
    notice ids that this recipient knows to its names for them (`message_handle`, or its own number if it sent it).
    """

    delivery: DeliveryId
    recipient: OfficeId
    type: NoticeType
    case_handle: str
    purpose: str
    time: datetime
    expires_at: datetime
    as_of: date
    secret: ReleaseSecret
    epoch: str = "1"
    revision: int = 1
    previous_digest: bytes | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    dataschema: str = ""

    @cached_property
    def _pseudonyms(self) -> Naming:
        return pseudonyms(self.secret, self.recipient, self.purpose, self.epoch)

    @cached_property
    def _relay_handles(self) -> Naming:
        return relay_handles(self.secret, self.recipient, self.case_handle)

    def link(self, path: str, value: str) -> str:
        return self._pseudonyms(path, value)

    def relay(self, path: str, value: str) -> str:
        return self._relay_handles(path, value)


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nothing goes to this recipient. Says no more than that: the reason is the decision's, and stays with it."""

    delivery: DeliveryId
    recipient: OfficeId


@dataclass(slots=True)
class ReleaseNotes:
    """What the gateway keeps about a release it just made; never sent. One for each call.

    `flags`: values withheld because they did not fit their kind. `relays`: (handle, path, value) of every relay
    handle given out, to be stored encrypted for forwarding. `content_digest`: 32 bytes over the canonical content
    without revision, to be kept as the next `previous_digest`.
    """

    flags: tuple[FormFlag, ...] = ()
    relays: tuple[tuple[str, str, str], ...] = ()
    content_digest: bytes = b""


def release(
    data: JsonObject,
    decision: Decision,
    context: ReleaseContext,
    projector: Projector,
    notes: ReleaseNotes | None = None,
) -> ReleasedNotice | Withheld:
    """Project a notice's body for one recipient and put it into its envelope.

    `data` is the canonical body with sealed and reporter parts already set apart. Total for plain JSON; KeyError
    for a notice type the projector does not know. `Withheld` when the decision does not deliver. Fills `notes`.
    """
    if not decision.delivers:
        return Withheld(context.delivery, context.recipient)
    program, elements = projector.program(context.type, decision)
    run = Run(context.as_of, context.link, context.relay, context.references)
    try:
        body = program.run(projector.body(context.type, data), run, elements)
        content = _content(body, program.disclosure_bytes, decision)
    except TypeError:  # text or numbers that JSON cannot carry: rare, so looked for only then
        run = Run(context.as_of, context.link, context.relay, context.references)
        body = program.run(projector.body(context.type, without_unencodable(data, run)), run, elements)
        content = _content(body, program.disclosure_bytes, decision)
    body[DISCLOSURE] = {**program.disclosure, "forms": dict(program.disclosure["forms"])}
    before, after = _attributes(context)
    start = b'{"data":%b,%b,' % (content, before)
    hashed = hashlib.sha256(start)
    hashed.update(after)
    digest = hashed.digest()
    revision = context.revision
    if context.previous_digest is not None and context.previous_digest != digest:
        revision += 1
    if notes is not None:
        notes.flags, notes.relays, notes.content_digest = tuple(run.flags), tuple(run.relays), digest
    return ReleasedNotice(
        delivery=context.delivery,
        revision=revision,
        recipient=context.recipient,
        agency=agency_of(context.recipient),
        type=context.type,
        subject=context.case_handle,
        time=context.time,
        expires_at=context.expires_at,
        data=body,
        canonical=b'%b"id":%b.%d","revision":%d,%b'
        % (start, canonical_json(context.delivery)[:-1], revision, revision, after),
    )


def content_digest(released: ReleasedNotice) -> bytes:
    """SHA-256 over a release's canonical CloudEvent without `id` and `revision`: equal for equal content."""
    event = orjson.loads(released.canonical)
    del event["id"], event["revision"]
    return hashlib.sha256(canonical_json(event)).digest()


def _content(body: dict[str, Any], disclosure: bytes, decision: Decision) -> bytes:
    """Canonical bytes of `data`. The disclosure map is serialised once per program."""
    if decision.obligations:
        owed: Sequence[Obligation] = decision.obligations
        if len(owed) > 1:
            owed = sorted(owed, key=lambda duty: (duty.name, duty.value or 0))
        body[OBLIGATIONS] = [
            {"name": duty.name} if duty.value is None else {"name": duty.name, "value": duty.value} for duty in owed
        ]
    body[DISCLOSURE] = orjson.Fragment(disclosure)
    return canonical_json(body)


def _attributes(context: ReleaseContext) -> tuple[bytes, bytes]:
    """The members of the canonical event after `data`, which is the first by name: those before and those after
    `id` and `revision`, as they stand there: the first without braces, the last with the closing one."""
    before: dict[str, Any] = {
        "datacontenttype": MEDIA_TYPE,
        "delivery": context.delivery,
        "expirytime": context.expires_at,
    }
    if context.dataschema:
        before["dataschema"] = context.dataschema
    after = {
        "source": GATEWAY_URN,
        "specversion": "1.0",
        "subject": context.case_handle,
        "time": context.time,
        "type": f"hutong.notice.{context.type}.v1",
    }
    return canonical_json(before)[1:-1], canonical_json(after)[1:]
