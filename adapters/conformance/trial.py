"""What is on trial: one adapter, with the bodies, samples and damage that it is tried on?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.conformance.bodies import Body
from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.identifiers import NoticeType, OfficeId
from gateway.model.notice import ReleasedNotice, SubmittedNotice
from gateway.ports.translation import Adapter, Decoded

Sample = tuple[bytes, str]  # native bytes as a sender writes them, and their media type


class Releasing(Protocol):
    """Makes a release of a body that shows everything but the named fields: `gateway.simulation.releases.everything_but`."""

    def __call__(
        self, data: Mapping[str, Any], notice_type: NoticeType, recipient: OfficeId, withheld: Sequence[str] = ()
    ) -> ReleasedNotice: ...


Judging = Callable[[SubmittedNotice], Sequence[Problem]]


@dataclass(frozen=True)
class Trial:
    """One adapter on trial. `bodies` are those of types it conveys; `effort` scales the number of seeded variations."""

    adapter: Adapter
    office: Office
    releases: Releasing
    bodies: Sequence[Body]
    samples: Sequence[Sample]
    seed: int
    effort: int
    judge: Judging | None = None

    def decode(self, raw: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Decoded:
        return self.adapter.decode(raw, media_type, self.office, headers or {})

    def release(self, body: Body, withheld: Sequence[str] = ()) -> ReleasedNotice:
        return self.releases(body[1], body[0], self.office.id, withheld)

    def written(self, release: ReleasedNotice) -> Iterator[tuple[bytes, str, Mapping[str, str]]]:
        """The release in each format the adapter writes, each once."""
        done: set[str] = set()
        for media_type in self.adapter.media_types:
            encoded = self.adapter.encode(release, self.office, media_type)
            if encoded.media_type not in done:
                done.add(encoded.media_type)
                yield encoded.body, encoded.media_type, encoded.headers

    def messages(self) -> Iterator[Sample]:
        """Samples, and what the adapter itself writes of a few releases."""
        yield from self.samples
        for body in self.bodies[:6]:
            for raw, media_type, _ in self.written(self.release(body)):
                yield raw, media_type
