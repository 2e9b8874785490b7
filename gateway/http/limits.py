"""Who has asked too often?

Token buckets: per office, with a share of rate and burst that only reports may use; per peer, for callers who did
not prove who they are. A limit passed is `TooManyRequests`, a retry with Retry-After, never a refusal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.http.settings import HttpSettings
from gateway.model.errors import TooManyRequests
from gateway.model.identifiers import OfficeId
from gateway.ports.clock import Clock

_DAY_SECONDS = 24 * 3600.0
_LONGEST_WAIT = timedelta(hours=1)
_PASSED_ON_BY = ("X-Forwarded-For", "Forwarded")


class TokenBucket:
    """`rate` tokens a second, at most `burst`. `now` is monotonic seconds. May go below zero by `charge`."""

    __slots__ = ("_burst", "_level", "_rate", "_seen_at")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._level, self._seen_at = rate, burst, burst, now

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take tokens, one or as many as are named, if there are so many."""
        level = min(self._burst, self._level + (now - self._seen_at) * self._rate)
        self._seen_at = now
        if level < tokens:
            self._level = level
            return False
        self._level = level - tokens
        return True

    def charge(self, tokens: float) -> None:
        """Take tokens after the fact: a batch is counted once it was read."""
        self._level -= tokens

    def wait(self, tokens: float = 1.0) -> timedelta:
        """How long until there are so many tokens, as of the last `take`."""
        return timedelta(seconds=max(0.0, (tokens - self._level) / self._rate))


class OfficeRates:
    """The rate of each office, split into a general part and the reports' reserve."""

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        reserve = settings.report_reserve_percent / 100
        self._general = (settings.notices_per_second * (1 - reserve), settings.burst_notices * (1 - reserve))
        self._reserve = (settings.notices_per_second * reserve, settings.burst_notices * reserve)
        self._clock = clock
        self._offices: dict[OfficeId, tuple[TokenBucket, TokenBucket]] = {}

    def take(self, office: OfficeId) -> bool:
        """Take from the general part; False when it is used up."""
        return self._of(office)[0].take(self._clock.monotonic())

    def take_for_report(self, office: OfficeId) -> bool:
        """Take from the reserve."""
        return self._of(office)[1].take(self._clock.monotonic())

    def charge(self, office: OfficeId, tokens: int) -> None:
        self._of(office)[0].charge(tokens)

    def too_many(self, office: OfficeId) -> TooManyRequests:
        general, reserve = self._of(office)
        return TooManyRequests("the office's rate is used up", retry_after=max(general.wait(), reserve.wait()))

    def _of(self, office: OfficeId) -> tuple[TokenBucket, TokenBucket]:
        found = self._offices.get(office)
        if found is None:  # bounded by the directory: only authenticated offices get here
            now = self._clock.monotonic()
            found = self._offices[office] = (TokenBucket(*self._general, now), TokenBucket(*self._reserve, now))
        return found


class UploadQuota:
    """How many bytes of documents each office may send: a day's worth at once, refilled evenly over a day.

    They count as they arrive, whether they are kept or not, so that nobody fills line or disk for the others. Reports
    never wait for their documents.
    """

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        self._bytes, self._clock = settings.attachment_bytes_per_day, clock
        self._offices: dict[OfficeId, TokenBucket] = {}

    def take(self, office: OfficeId, size: int, promised: int = 0) -> None:
        """Count bytes that arrived. Raises TooManyRequests when they, or what is `promised` to follow, are too many;
        then nothing is counted."""
        now = self._clock.monotonic()
        bucket = self._offices.get(office)
        if bucket is None:  # bounded by the directory: only authenticated offices get here
            bucket = self._offices[office] = TokenBucket(self._bytes / _DAY_SECONDS, self._bytes, now)
        wanted = min(float(max(size, promised)), float(self._bytes))
        if not bucket.take(now, wanted):
            raise TooManyRequests(
                "the office has sent as many bytes of documents as a day allows",
                retry_after=min(bucket.wait(wanted), _LONGEST_WAIT),
                remedy="send the report now, and the document after Retry-After",
            )
        bucket.charge(size - wanted)


@dataclass(frozen=True, slots=True)
class StrangerCount:
    """How many unauthenticated requests one peer made in one minute. `peer` is an address, or `others`."""

    minute: datetime
    peer: str
    refusals: int


class Strangers:
    """Counts and slows callers who did not prove who they are."""

    def __init__(self, settings: HttpSettings, clock: Clock) -> None:
        self._rate = settings.strangers_per_minute / 60
        self._burst, self._kept, self._clock = settings.strangers_per_minute, settings.kept_peers, clock
        self._peers = OrderedDict[str, TokenBucket]()
        self._counts: dict[tuple[int, str], int] = {}
        self.total = 0

    def count(self, peer: str) -> None:
        """Count one refusal of this peer. Raises TooManyRequests when the peer has had too many.

        Only refusals count: an office that shares its address with a loud stranger is served as ever.
        """
        self.total += 1
        minute = int(self._clock.now().timestamp()) // 60
        place = (minute, peer if (minute, peer) in self._counts or len(self._counts) < self._kept else "others")
        self._counts[place] = self._counts.get(place, 0) + 1
        bucket = self._peers.get(peer)
        if bucket is None:
            if len(self._peers) >= self._kept:
                self._peers.popitem(last=False)
            bucket = self._peers[peer] = TokenBucket(self._rate, self._burst, self._clock.monotonic())
        if not bucket.take(self._clock.monotonic()):
            raise TooManyRequests("too many requests without valid credentials", retry_after=bucket.wait())

    def collect(self) -> Sequence[StrangerCount]:
        """The counts of all minutes that are over, oldest first; each is handed out once."""
        current = int(self._clock.now().timestamp()) // 60
        over = sorted(place for place in self._counts if place[0] < current)
        return [
            StrangerCount(datetime.fromtimestamp(minute * 60, UTC), peer, self._counts.pop((minute, peer)))
            for minute, peer in over
        ]


def peer_of(remote: str | None, forwarded_for: str | None, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """Whom to count: the connection's address, or, behind a trusted proxy, the last address that proxy saw.

    An IPv6 caller is its /64, since one household or attacker has all of it.
    """
    address = _address(remote)
    if address is not None and forwarded_for and any(address in network for network in proxies):
        address = _address(forwarded_for.rsplit(",", 1)[-1].strip()) or address
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{address.exploded[:19]}::/64"
    return str(address)


def is_straight_from(
    remote: str | None, headers: Mapping[str, str], networks: Iterable[IPv4Network | IPv6Network]
) -> bool:
    """Whether a request comes from one of these networks itself. What a proxy there passed on comes from anywhere."""
    address = None if any(name in headers for name in _PASSED_ON_BY) else _address((remote or "").split("%")[0])
    return address is not None and any(address in network for network in networks)


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return None if text is None else ip_address(text)
    except ValueError:
        return None
