"""How does an agency's own format become a canonical notice, and a release the agency's own format?

An adapter is a lens: one mapping read in both directions. It sees the model and
this port, never another agency, storage, policy or clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.identifiers import AgencyName, NoticeType
from gateway.model.notice import Gap, ReleasedNotice, SubmittedNotice


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """One notice of the input that cannot be understood; every reason with position, code and remedy."""

    position: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """`items` in input order, one per notice in the bytes (a CSV may hold hundreds). Never empty."""

    items: Sequence[SubmittedNotice | RefusedItem]
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """Native bytes for a release. `headers` are extra transport headers; `gaps` what the format cannot carry (always in the manifest)."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedRow:
    """One row of a bulk file, where it stands in the file, and what it says."""

    position: str
    item: SubmittedNotice | RefusedItem


class Adapter(Protocol):
    """`name` is unique; `media_types` are tried in order, the first is what the office gets when it asks for nothing.

    `conveys` are the notice types it can encode; others go out as canonical.
    """

    name: str
    agency: AgencyName | None
    media_types: tuple[str, ...]
    sends: frozenset[NoticeType]
    conveys: frozenset[NoticeType]

    def decode(self, raw: bytes, media_type: str, sender: Office, headers: Mapping[str, str]) -> Decoded:
        """Understand the exact bytes an office sent.

        Total for bytes within the size limit: what cannot be read at all is a
        `RefusedItem`, what cannot be mapped is a gap. Reporter data is moved to
        `reporter` before anything else is looked at, and sealed components to
        `sealed`. `headers` are lower-cased transport headers (CloudEvents binary mode).
        Raises nothing; never logs.
        """
        ...

    def encode(self, release: ReleasedNotice, recipient: Office, media_type: str) -> Encoded:
        """Write a release in the agency's format.

        A withheld field is absent or the format's documented "not provided"
        value, never an empty value that reads as "none".
        Deterministic: equal releases give equal bytes.
        """
        ...


@runtime_checkable
class RowAdapter(Adapter, Protocol):
    """An adapter of files that hold one notice per row, so that a file of any length is read in bounded memory."""

    def decode_rows(self, raw: bytes, media_type: str, sender: Office) -> Iterator[DecodedRow]:
        """The rows in their order, decoded as they are reached; the same bytes give the same rows every time.

        Total as `decode`: where the rest of a file is lost, a refused row says so and is the last.
        """
        ...

    def row_types(self, raw: bytes, media_type: str) -> Iterator[NoticeType | None]:
        """The type of every row that `decode_rows` gives, as it gives it, None for a refused one; nothing else is decoded.

        Whoever looks for a few rows of one type in a long file need not understand the others.
        """
        ...
