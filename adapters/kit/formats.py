"""How does one agency speak several formats under one adapter name?

An office is enrolled with one adapter and sends whichever of its formats its
system of the day writes. The media type chooses; where it says nothing
(`application/xml`, `application/json`, `text/plain`) the input does, by a format
that recognises it, else by its first sign. Going
out, the media type asked for chooses, and the first format is the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.native import SKIPPED
from gateway.model.agency import Office
from gateway.model.identifiers import AgencyName, NoticeType
from gateway.model.notice import ReleasedNotice
from gateway.ports.translation import Decoded, Encoded


class FormatChoice:
    """`formats`: the adapters by the beginning of their bytes (`{[`, `<`); the one under `""` takes what no other does.

    `extra_media_types` are further names that say nothing of the format. The first format is the default.
    """

    def __init__(
        self, name: str, formats: Sequence[tuple[str, MappedAdapter]], extra_media_types: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.formats = {adapter.name: adapter for _, adapter in formats}
        self._beginnings = [(begin.encode(), adapter) for begin, adapter in formats if begin]
        self._default = formats[0][1]
        self._otherwise = next((adapter for begin, adapter in formats if not begin), self._default)
        self._by_media_type = {
            kind.split(";")[0].strip().lower(): adapter for _, adapter in formats for kind in adapter.media_types
        }
        self.agency: AgencyName | None = self._default.agency
        self.media_types: tuple[str, ...] = (
            *(kind for _, adapter in formats for kind in adapter.media_types),
            *extra_media_types,
        )
        self.sends: frozenset[NoticeType] = frozenset().union(*(adapter.sends for _, adapter in formats))
        self.conveys: frozenset[NoticeType] = frozenset.intersection(*(adapter.conveys for _, adapter in formats))

    @property
    def manifest(self) -> Mapping[str, str]:
        """Declared losses of every format: `<format>: <native position>` -> why it does not come back."""
        return {f"{n}: {at}": why for n, adapter in self.formats.items() for at, why in adapter.manifest.items()}

    def format_of(self, raw: bytes, media_type: str) -> MappedAdapter:
        plain = media_type.split(";")[0].strip().lower()
        known = self._by_media_type.get(plain)
        if known is not None:
            return known
        certain = next((adapter for adapter in self.formats.values() if adapter.recognises(raw)), None)
        if certain is not None:
            return certain
        start = raw[:64].lstrip(SKIPPED)[:1]
        return next((adapter for begin, adapter in self._beginnings if start and start in begin), self._otherwise)

    def decode(self, raw: bytes, media_type: str, sender: Office, headers: Mapping[str, str]) -> Decoded:
        return self.format_of(raw, media_type).decode(raw, media_type, sender, headers)

    def encode(self, release: ReleasedNotice, recipient: Office, media_type: str) -> Encoded:
        return self.writer_of(media_type).encode(release, recipient, media_type)

    def write_native(
        self,
        data: Mapping[str, Any],
        outgoing: Outgoing,
        media_type: str = "",
        reporter: Mapping[str, str] | None = None,
    ) -> Encoded:
        """What the agency's own system would send in that format: see `MappedAdapter.write_native`."""
        return self.writer_of(media_type).write_native(data, outgoing, media_type, reporter)

    def writer_of(self, media_type: str) -> MappedAdapter:
        plain = media_type.split(";")[0].strip().lower()
        beginning = b"{" if plain.endswith("json") else b"<" if plain.endswith("xml") else b""
        known = self._by_media_type.get(plain)
        if known is None:
            known = next((a for begin, a in self._beginnings if beginning and beginning in begin), self._default)
        return known
