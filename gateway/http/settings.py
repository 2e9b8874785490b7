"""What does the edge allow, in which unit, with which default, and why?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

KIB = 1024
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Limits of the HTTP edge. Rates refill evenly; what is left over when a limit is passed is told in Retry-After."""

    max_body_bytes: int = 1024 * KIB  # a notice is about 3 KiB; a day's CSV of a county about 500 KiB
    max_small_body_bytes: int = 64 * KIB  # bodies that are no notices: token requests, acknowledgements, replies
    max_batch_items: int = 500  # keeps one request's transaction short
    max_json_depth: int = 64  # the deepest schema nests 8; parsers are safe to 1,024
    max_line_bytes: int = 8190  # request line and each header
    max_headers: int = 100  # the header flood's end; honest clients send about 20
    max_connections: int = (
        4096  # 1,024 clients are the load to hold; the rest of the usual 8,192 files is for the store
    )
    header_seconds: float = 10.0  # a fresh connection has this long for its first request: no slow drip
    body_seconds: float = 30.0  # 1 MiB over a poor county line takes about 10
    keepalive_seconds: float = 75.0  # longer than the proxies' usual 60, so that they close first
    lingering_seconds: float = 2.0  # how long an unread body is drained, so that the answer can be read
    max_inbox_items: int = 100  # per page of the inbox
    max_wait_seconds: int = 60  # long poll
    poll_slice_seconds: float = 2.0  # how soon a long poll notices a closing gateway or a vanished caller
    drain_seconds: float = 30.0  # how long a closing gateway waits for requests in flight
    notices_per_second: float = 200.0  # per office
    burst_notices: int = 2000  # an office that was offline for two days sends its backlog
    report_reserve_percent: int = 25  # of rate and burst, kept for reports: their 429 must be rare
    strangers_per_minute: int = 120  # unauthenticated refusals per peer before it has to wait
    kept_peers: int = 10_000  # peers remembered for that; memory bound, about 200 bytes each
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # only these may name the peer in X-Forwarded-For
    metrics_readers: tuple[IPv4Network | IPv6Network, ...] = field(
        default=LOOPBACK
    )  # to others /metrics does not exist

    @property
    def body_time(self) -> timedelta:
        return timedelta(seconds=self.body_seconds)
