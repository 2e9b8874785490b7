"""Which bytes does the log keep of a record, and what is its hash?

The entry is the whole of what leaves the gateway about one event: canonical
JSON with the record's root and a version, 58 bytes. It holds no personal data
and no commitment that somebody could try names against, because under the root
every value is salted with 32 bytes.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import b2a_base64

from gateway.audit.merkle import leaf_hash as leaf_hash

ENTRY_VERSION = 1
_ENTRY = re.compile(rb'\{"c":"([A-Za-z0-9+/]{43}=)","v":1\}')


def entry_bytes(root: bytes) -> bytes:
    return b'{"c":"' + b2a_base64(root, newline=False) + b'","v":1}'


def entry_root(entry: bytes) -> bytes:
    """The record root that an entry names; ValueError for any other bytes, also for non-canonical base64."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError("not an entry of this log")
    root = b64decode(match.group(1))
    if entry_bytes(root) != entry:
        raise ValueError("the base64 of an entry is not canonical")
    return root
