"""Which opaque name stands for a value, a case or a message, towards one recipient?

All names here are HMAC-SHA-256 values under keys derived from one secret, labelled so that no two uses share a key.
A pseudonym says "the same value again" to one recipient, for one purpose, in one epoch; two recipients cannot join
theirs, nor can anybody test a guess without the secret (a bare hash of an identity number can be enumerated in
minutes). Inputs are length-prefixed, so no two different inputs make the same message.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from gateway.model.identifiers import CaseId, NoticeId, OfficeId

SECRET_BYTES = 32
_NAME_BYTES = 16  # 128 bits, 32 hexadecimal digits


def _message(*parts: str) -> bytes:
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join([len(part).to_bytes(4, "big") + part for part in encoded])


@lru_cache(maxsize=1024)
def _path_part(path: str) -> bytes:
    """Paths are those of the schema: few, and no personal data, so they may be remembered."""
    return _message(path)


# Names a value, given its path: always the same name for the same two.
Naming = Callable[[str, str], str]


def _naming(prefix: str, key: bytes) -> Naming:
    """The names of `_message(path, value)`. The key is laid out once: that costs more than the name of a short value."""
    keyed = HMAC(key, SHA256())

    def name(path: str, value: str) -> str:
        encoded = value.encode("utf-8", "surrogatepass")
        mac = keyed.copy()
        mac.update(_path_part(path) + len(encoded).to_bytes(4, "big") + encoded)
        return prefix + mac.finalize()[:_NAME_BYTES].hex()

    return name


@dataclass(frozen=True, slots=True)
class ReleaseSecret:
    """The gateway's secret for names towards recipients, 32 bytes or more. Not shown when printed."""

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) < SECRET_BYTES:
            raise ValueError("a release secret has at least 32 bytes")

    def derive(self, label: str, *parts: str) -> bytes:
        return hmac.digest(self.value, _message("hutong/" + label, *parts), "sha256")


@lru_cache(maxsize=1024)
def pseudonyms(secret: ReleaseSecret, recipient: OfficeId, purpose: str, epoch: str) -> Naming:
    """The path is the canonical one (`persons[].id_no`), so one person keeps a pseudonym over its roles."""
    return _naming("ps-", secret.derive("pseudonym", recipient, purpose, epoch))


def relay_handles(secret: ReleaseSecret, recipient: OfficeId, case_handle: str) -> Naming:
    """Handles the gateway forwards through: each stable for one recipient in one case while the endpoint stays."""
    return _naming("rl-", secret.derive("relay", recipient, case_handle))


def case_handle(secret: ReleaseSecret, recipient: OfficeId, case: CaseId, opening: int = 1) -> str:
    """The case's name towards one recipient. `opening` rises when a closed case is opened again."""
    return (
        "case-"
        + hmac.digest(secret.derive("case", recipient), _message(case, str(opening)), "sha256")[:_NAME_BYTES].hex()
    )


def message_handle(secret: ReleaseSecret, recipient: OfficeId, notice: NoticeId) -> str:
    """A notice's name towards one recipient, for replies and corrections."""
    return "msg-" + hmac.digest(secret.derive("message", recipient), _message(notice), "sha256")[:_NAME_BYTES].hex()
