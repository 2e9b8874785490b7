"""Where are the brokers, and how is a connection to one of them opened?"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from gateway.config import RabbitSettings
from gateway.model.errors import InvalidDocument

PLAIN_PORT, TLS_PORT = 5672, 5671


@dataclass(frozen=True, slots=True)
class Address:
    """One broker. The password is never part of a URL, so that no error or log line can carry it."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def addresses(settings: RabbitSettings) -> tuple[Address, ...]:
    """The brokers of the settings, in their order. Raises InvalidDocument for what is no AMQP URL."""
    return tuple(_address(text, settings) for text in settings.addresses)


def _address(text: str, settings: RabbitSettings) -> Address:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("amqp", "amqps") or not host or parts.password is not None:
        raise InvalidDocument(
            "an address of RabbitMQ is not of its form",
            remedy="amqps://USER@HOST:PORT/VHOST, the password in HUTONG_AMQP_PASSWORD",
        )
    is_tls = parts.scheme == "amqps"
    return Address(
        host,
        port or (TLS_PORT if is_tls else PLAIN_PORT),
        unquote(parts.path[1:]) or "/",
        unquote(parts.username or "hutong"),
        settings.password,
        _trust(settings.authorities) if is_tls else None,
    )


def _trust(authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
