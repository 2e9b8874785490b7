"""Which certificates does an agent show and believe, as MLLP listener and towards one?"""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.model.errors import Refusal


def listener_tls(cert: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        if key is not None or ca is not None:
            raise Refusal("TLS needs a certificate", remedy="写明 --tls-cert 证书 / say --tls-cert too")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, cert, key, ca)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def sender_tls(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """None without a CA: plain TCP. The listener's name must be that of its certificate."""
    if ca is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, cert, key, ca)
    return context


def _load(context: ssl.SSLContext, cert: Path | None, key: Path | None, ca: Path | None) -> None:
    try:
        if cert is not None:
            context.load_cert_chain(cert, key)
        if ca is not None:
            context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as broken:
        raise Refusal(
            "the certificate, its key or the CA cannot be used",
            remedy="证书与私钥须成对，均为 PEM / certificate and key belong together, each as PEM",
        ) from broken
