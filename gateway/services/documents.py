"""Which documents does a body name?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.model.notice import JsonObject

_DIGEST = re.compile(r"(sha256|sm3):[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether this is the name of a document: `sha256:` or `sm3:` and the digest of its bytes in small hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def documents_in(data: JsonObject) -> frozenset[str]:
    """The digests by which a body names documents: of attachments, orders, judgments, investigation material."""
    found: set[str] = set()
    _gather(data, found)
    return frozenset(found)


def _gather(value: Any, found: set[str]) -> None:
    if isinstance(value, Mapping):
        named = value.get("digest")
        if isinstance(named, str) and is_digest(named):
            found.add(named)
        for below in value.values():
            _gather(below, found)
    elif isinstance(value, list):
        for below in value:
            _gather(below, found)
