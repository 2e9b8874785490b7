"""Which documents does a body name?"""

from __future__ import annotations

import re
from typing import Any

from gateway.model.notice import JsonObject

_DIGEST = re.compile(r"(sha256|sm3):[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether this is the name of a document: `sha256:` or `sm3:` and the digest of its bytes in small hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def documents_in(*bodies: JsonObject) -> frozenset[str]:
    """The digests by which bodies name documents: of attachments, orders, judgments, investigation material."""
    found: set[str] = set()
    waiting: list[Any] = [body for body in bodies if body]
    for value in waiting:  # it grows meanwhile; every notice comes past here, so text and numbers are not even visited
        if type(value) is dict:
            named = value.get("digest")
            if type(named) is str and is_digest(named):
                found.add(named)
            value = value.values()
        for below in value:
            if type(below) is dict or type(below) is list:
                waiting.append(below)
    return frozenset(found)
