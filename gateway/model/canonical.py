"""Which bytes stand for a value?

Canonical JSON in the sense of RFC 8785 for the values this code uses: objects
with text keys, arrays, text, integers within 2**53, booleans. No floats and no
null: an absent member is left out. `orjson` with sorted keys gives exactly the
RFC 8785 bytes for these (keys here are ASCII, so code-point and UTF-16 order agree).
"""

from __future__ import annotations

from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:
    """Raises TypeError for what JSON cannot carry."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
