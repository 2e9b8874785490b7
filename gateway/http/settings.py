"""Which of the gateway's settings does the edge look at?

Defaults and reasons stand in `gateway.config`, once; here they have the types and the names the edge works with.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from gateway.config import DeliverySettings, LimitSettings, RabbitSettings, ServerSettings, Settings

_SERVER, _LIMITS, _DELIVERY = ServerSettings(), LimitSettings(), DeliverySettings()


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Limits of the HTTP edge. Rates refill evenly; what is left over when a limit is passed is told in Retry-After."""

    max_body_bytes: int = _LIMITS.max_body_bytes
    max_file_bytes: int = _LIMITS.max_file_bytes
    file_seconds: float = _SERVER.file_seconds
    max_attachment_bytes: int = _LIMITS.max_attachment_bytes
    attachment_bytes_per_day: int = _LIMITS.attachment_bytes_per_day
    max_small_body_bytes: int = _LIMITS.max_small_body_bytes
    max_batch_items: int = _LIMITS.max_batch_items
    max_json_depth: int = _LIMITS.max_depth
    max_line_bytes: int = _LIMITS.max_line_bytes
    max_headers: int = _LIMITS.max_headers
    max_connections: int = _SERVER.max_connections
    header_seconds: float = _SERVER.header_seconds
    body_seconds: float = _SERVER.body_seconds
    keepalive_seconds: float = _SERVER.keepalive_seconds
    lingering_seconds: float = 2.0  # how long an unread body is drained, so that the answer can be read
    max_inbox_items: int = _DELIVERY.max_inbox_items
    max_wait_seconds: int = _DELIVERY.max_long_poll_seconds
    poll_slice_seconds: float = _DELIVERY.poll_slice_seconds
    drain_seconds: float = _SERVER.drain_seconds
    notices_per_second: float = _LIMITS.notices_per_second
    burst_notices: int = _LIMITS.burst_notices
    report_reserve_percent: int = _LIMITS.report_reserve_percent
    strangers_per_minute: int = _LIMITS.strangers_per_minute
    kept_peers: int = _LIMITS.kept_peers
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    metrics_readers: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, _SERVER.metrics_readers))
    brokers: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, RabbitSettings().brokers))

    @classmethod
    def of(cls, settings: Settings) -> HttpSettings:
        """The edge's view of the node's settings."""
        server, limits, delivery = settings.server, settings.limits, settings.delivery
        return cls(
            max_body_bytes=limits.max_body_bytes,
            max_file_bytes=limits.max_file_bytes,
            file_seconds=server.file_seconds,
            max_attachment_bytes=limits.max_attachment_bytes,
            attachment_bytes_per_day=limits.attachment_bytes_per_day,
            max_small_body_bytes=limits.max_small_body_bytes,
            max_batch_items=limits.max_batch_items,
            max_json_depth=limits.max_depth,
            max_line_bytes=limits.max_line_bytes,
            max_headers=limits.max_headers,
            max_connections=server.max_connections,
            header_seconds=server.header_seconds,
            body_seconds=server.body_seconds,
            keepalive_seconds=server.keepalive_seconds,
            max_inbox_items=delivery.max_inbox_items,
            max_wait_seconds=delivery.max_long_poll_seconds,
            poll_slice_seconds=delivery.poll_slice_seconds,
            drain_seconds=server.drain_seconds,
            notices_per_second=limits.notices_per_second,
            burst_notices=limits.burst_notices,
            report_reserve_percent=limits.report_reserve_percent,
            strangers_per_minute=limits.strangers_per_minute,
            kept_peers=limits.kept_peers,
            trusted_proxies=tuple(map(ip_network, server.trusted_proxies)),
            metrics_readers=tuple(map(ip_network, server.metrics_readers)),
            brokers=tuple(map(ip_network, settings.rabbitmq.brokers)),
        )
