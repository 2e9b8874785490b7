"""How do a mapping and a codec become an adapter?

`MappedAdapter` implements `gateway.ports.translation.Adapter` for any format
whose codec gives native trees. An agency's folder holds its mapping document,
its code tables, and a few lines that name its codec; what a declaration cannot
say goes into `customs`, `before_reading`, `after_reading` and `before_writing`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from adapters.kit.encodable import make_encodable
from adapters.kit.extension import lexicon
from adapters.kit.homes import Homes
from adapters.kit.lens import (
    CustomField,
    Lens,
    Reading,
    native_instant,
    plain_copy,
    read_time,
)
from adapters.kit.mapping import AgencyMapping
from adapters.kit.native import (
    BULK_LIMITS,
    Codec,
    NativeItem,
    RowCodec,
    Tree,
    Unreadable,
    get_at,
    set_at,
)
from adapters.kit.persons import fold_roles, settle_roles
from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.identifiers import AgencyName, NoticeType
from gateway.model.notice import Gap, ReleasedNotice, SubmittedNotice
from gateway.ports.translation import Decoded, DecodedRow, Encoded, RefusedItem


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a writer may know of a message besides its body. `expires_at` and `recipient` only where it is a release."""

    type: NoticeType
    number: str
    subject: str
    time: datetime
    expires_at: datetime | None = None
    recipient: str = ""


class Source:
    """The bytes that items were read from. Items without a message number are named by their digest, taken once for all."""

    __slots__ = ("_named", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._named = ""

    def name(self, number: int) -> str:
        """What stands in for the message number of one item."""
        if not self._named:
            self._named = f"sha256:{hashlib.sha256(self._raw).hexdigest()[:32]}"
        return f"{self._named}.{number}"


class MappedAdapter:
    """An adapter made of one mapping document and one codec. Stateless after construction; safe to share."""

    def __init__(self, mapping: AgencyMapping, codec: Codec, customs: Mapping[str, CustomField] | None = None) -> None:
        self.mapping = mapping
        self.codec = codec
        self.lens = Lens(mapping, codec.extension_style, customs)
        self._homes = Homes(mapping, codec.extension_style, self.lens.customs)
        self.name: str = mapping.name
        self.agency: AgencyName | None = mapping.agency
        self.media_types: tuple[str, ...] = mapping.media_types
        self.sends: frozenset[NoticeType] = mapping.sends
        self.conveys: frozenset[NoticeType] = mapping.conveys

    @property
    def manifest(self) -> Mapping[str, str]:
        """Declared losses: native position -> why it does not come back."""
        return self.mapping.manifest

    # --- what an agency may add ---

    def recognises(self, raw: bytes) -> bool:
        """Whether the bytes are of this format and no other, where neither media type nor first sign tells."""
        return False

    def before_reading(self, tree: Tree, reading: Reading) -> None:
        """Put right what the format says in an odd place. The reporter's fields are still in the tree."""

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        """Resolve what needs several fields at once: relations, roles, age. By itself, members become guardians by relation."""
        settle_roles(reading.persons)

    def refusal(self, reading: Reading) -> Problem | None:
        """Why this message cannot be taken, now that all of it is read: with its native position and a remedy."""
        return None

    def type_read(self, kind: NoticeType, reading: Reading) -> NoticeType:
        """The notice type, where one native kind means several: `kind` is what the mapping says of it."""
        return kind

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        """Turn canonical values into what the mapping's fields expect. By itself, the inverse of `after_reading`."""
        fold_roles(rest)

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        """Add the format's fixed parts."""

    # --- the port ---

    def decode(self, raw: bytes, media_type: str, sender: Office, headers: Mapping[str, str]) -> Decoded:
        try:
            items = self.codec.read(raw, media_type)
        except Unreadable as error:
            return Decoded((RefusedItem(error.problem.position, (error.problem,)),))
        out = [row.item for row in self._rows(items, Source(raw), sender)]
        if not out:
            where = self.codec.position(()) or "/"
            nothing = Problem("empty", where, "the input holds no notice", "send at least one")
            return Decoded((RefusedItem(where, (nothing,)),))
        return Decoded(tuple(out), is_batch=len(out) > 1)

    def _rows(self, items: Iterable[NativeItem | Unreadable], source: Source, sender: Office) -> Iterator[DecodedRow]:
        seen: dict[str, int] = {}
        for number, item in enumerate(items):
            if isinstance(item, Unreadable):
                yield DecodedRow(item.problem.position, RefusedItem(item.problem.position, (item.problem,)))
                continue
            notice = self.read_item(item, source, number, sender)
            if isinstance(notice, SubmittedNotice):
                # several notices under one message number: each needs a number of its own
                count = seen[notice.native_id] = seen.get(notice.native_id, 0) + 1
                if count > 1:
                    notice = replace(notice, native_id=f"{notice.native_id}#{count}")
            yield DecodedRow(item.position, notice)

    def read_item(self, item: NativeItem, source: Source, number: int, sender: Office) -> SubmittedNotice | RefusedItem:
        if item.is_careful:
            make_encodable(item)
        reading = self._reading(item)
        self.before_reading(item.tree, reading)
        kind = self.lens.read(item.tree, reading)
        if kind is None:
            position = reading.locate(self.mapping.kind_at)
            known = ", ".join([*(rule.native for rule in self.mapping.kinds), *lexicon(self.mapping.style).types_back])
            return RefusedItem(
                item.position or position,
                (
                    Problem(
                        "unknown-kind", position, "the message kind is missing or not listed", f"use one of: {known}"
                    ),
                ),
            )
        self.after_reading(item.tree, reading)
        refused = self.refusal(reading)
        if refused is not None:
            return RefusedItem(item.position or refused.position, (refused,))
        provenance = self.lens.finish(item.tree, reading)
        native_id = reading.envelope.get("@id", "")
        if not native_id:
            native_id = source.name(number)
            reading.gaps.append(
                Gap(
                    "no-message-number",
                    item.position or "/",
                    "no message number; one was derived from the bytes",
                    "@id",
                )
            )
        return SubmittedNotice(
            sender=sender.id,
            native_id=native_id,
            type=self.type_read(kind, reading),
            data=reading.data,
            subject=reading.envelope.get("@subject", ""),
            time=read_time(reading.envelope.get("@time")),
            reporter=reading.reporter,
            sealed=reading.sealed,
            gaps=tuple(reading.gaps),
            provenance=provenance,
            locate=partial(self._homes.place, reading),
        )

    def _reading(self, item: NativeItem) -> Reading:
        locate = item.locate or self.codec.position
        return Reading(locate, self.codec.scalar_key, gaps=list(item.gaps), is_careful=item.is_careful)

    def encode(self, release: ReleasedNotice, recipient: Office, media_type: str) -> Encoded:
        outgoing = Outgoing(
            release.type, release.id, release.subject, release.time, release.expires_at, str(release.recipient)
        )
        return self.to_bytes(self.write_tree(release.data, outgoing), media_type)

    def write_native(
        self,
        data: Mapping[str, Any],
        outgoing: Outgoing,
        media_type: str = "",
        reporter: Mapping[str, str] | None = None,
    ) -> Encoded:
        """What the agency's own system would send: for simulators and generators, on the agency's side only.

        `reporter` goes into the format's own reporter fields, which a release never fills.
        """
        tree = self.write_tree(data, outgoing)
        left = dict(reporter or {})
        for group in self.mapping.groups:
            for rule in group.fields:
                if rule.action != "vault" or rule.argument not in left:
                    continue
                path = (*group.at, *rule.native)
                if len(path) == 1 or isinstance(get_at(tree, path[:1]), dict | None):
                    set_at(tree, path, left.pop(rule.argument))
        return self.to_bytes(tree, media_type)

    def to_bytes(self, tree: Tree, media_type: str) -> Encoded:
        return Encoded(self.codec.write(tree), self.written_media_type(media_type), {})

    def written_media_type(self, asked: str) -> str:
        plain = asked.split(";")[0].strip().lower()
        return next((known for known in self.media_types if known.split(";")[0] == plain), self.media_types[0])

    def write_tree(self, data: Mapping[str, Any], outgoing: Outgoing) -> Tree:
        rest: Tree = plain_copy(data)
        self.before_writing(rest, outgoing)
        form = self.mapping.instant_form
        envelope = {"@id": outgoing.number, "@time": native_instant(outgoing.time, form)}
        if outgoing.subject:
            envelope["@subject"] = outgoing.subject
        if outgoing.expires_at is not None:
            envelope["@expires"] = native_instant(outgoing.expires_at, form)
        tree = self.lens.write(rest, outgoing.type, envelope)
        self.after_writing(tree, outgoing)
        return tree


class RowsAdapter(MappedAdapter):
    """An adapter whose files hold one notice per row: these may also come in bulk."""

    codec: RowCodec

    def decode_rows(self, raw: bytes, media_type: str, sender: Office) -> Iterator[DecodedRow]:
        # rows without a number of their own get one from the file's digest, which is taken once
        digest = hashlib.sha256(raw).digest()
        try:
            yield from self._rows(self.codec.rows(raw, media_type, BULK_LIMITS), Source(digest), sender)
        except Unreadable as lost:
            yield DecodedRow(lost.problem.position, RefusedItem(lost.problem.position, (lost.problem,)))

    def row_types(self, raw: bytes, media_type: str) -> Iterator[NoticeType | None]:
        try:
            for item in self.codec.rows(raw, media_type, BULK_LIMITS):
                if isinstance(item, Unreadable):
                    yield None
                    continue
                reading = self._reading(item)
                self.before_reading(item.tree, reading)
                kind = self.lens.kind(item.tree, reading)
                yield None if kind is None else kind.type
        except Unreadable:
            yield None
