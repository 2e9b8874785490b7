"""Is all text of a message text that can be written down again?

JSON and spreadsheets can spell half a character: a surrogate without its other half (`\\ud83d`, `_xD83D_`), for which UTF-8 has
no bytes. A notice that holds one could not be sealed, logged or sent on, and no report may be lost for it. So such a half
reads U+FFFD, the replacement character, and the notice says so.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from adapters.kit.native import NativeItem
from gateway.model.notice import Gap

_HALF = re.compile("[\ud800-\udfff]")
_TEXT_ALONE = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _nothing(_: Any) -> None:
    """What a codec leaves in its tree beside text (an element of XML, a graph of references) has been encodable before."""


def make_encodable(item: NativeItem) -> None:
    """Replace halves of characters in a message, names of its members included, and note it once as a gap."""
    try:
        orjson.dumps(item.tree, default=_nothing, option=_TEXT_ALONE)
    except TypeError:  # rare, so looked for only then
        if _whole(item.tree):
            return
        item.tree = _mended(item.tree)
        item.gaps.append(Gap("half-character", item.position or "/", "half a character was replaced by U+FFFD"))


def _whole(value: Any) -> bool:
    if isinstance(value, str):
        return _HALF.search(value) is None
    if isinstance(value, dict):
        return all(_whole(name) and _whole(one) for name, one in value.items())
    return all(map(_whole, value)) if isinstance(value, list) else True


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list) else value
