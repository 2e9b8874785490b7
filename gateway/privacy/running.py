"""What does one run of a projection need besides the data, and what does it leave beside its result?

Also here: the names of the members that a projection adds, and what to do with a body that JSON cannot carry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from gateway.privacy.forms import LARGEST_INTEGER

DISCLOSURE = "_disclosure"
EXISTS_MEMBER = "_exists"
LINKABLE_MEMBER = "_linkable"
RELAY_MEMBER = "_relay"

PARTIAL_NOTICE_ZH = "依政策部分披露，如需更多信息可依规另行申请"
PARTIAL_NOTICE_EN = "partial under policy; further data on request"

PERSONS = "persons"


@dataclass(frozen=True, slots=True)
class FormFlag:
    """A value that did not fit its kind and was withheld. Safe to log: where and of which kind, never what."""

    path: str
    kind: str


class Run:
    """What one run of a program needs besides the data, and what it leaves beside its result.

    `link` and `relay` name a value (path, value) for one recipient. `references` maps the notice ids that this
    recipient knows to what it knows them as. `relays` lists the handles that were given out with path and value,
    for the service that forwards through them; it holds personal data and never leaves the gateway.
    """

    __slots__ = ("as_of", "flags", "link", "persons", "references", "relay", "relays")

    def __init__(
        self,
        as_of: date,
        link: Callable[[str, str], str],
        relay: Callable[[str, str], str],
        references: Mapping[str, str],
    ) -> None:
        self.as_of, self.link, self.relay, self.references = as_of, link, relay, references
        self.flags: list[FormFlag] = []
        self.relays: list[tuple[str, str, str]] = []
        self.persons: dict[str, str] = {}  # the sender's ref -> the ref given out

    def flag(self, path: str, kind: str) -> None:
        self.flags.append(FormFlag(path, kind))


Members = Mapping[str, Any]
Step = Callable[[Members, Any, dict[str, Any], Run], None]


def bytes_of(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def without_unencodable(value: Any, run: Run) -> Any:
    """A copy of a body without what JSON cannot carry: lone surrogates, integers beyond 2**53, null and floats.

    Each is flagged without its path, whose names are the sender's.
    """
    if isinstance(value, Mapping):
        kept = {}
        for name, member in value.items():
            if not _is_encodable(name):
                run.flag("", "unencodable")
                continue
            inner = without_unencodable(member, run)
            if inner is not None:
                kept[name] = inner
        return kept
    if isinstance(value, list):
        items = (without_unencodable(element, run) for element in value)
        return [element for element in items if element is not None]
    if _is_encodable(value):
        return value
    run.flag("", "unencodable")
    return None


def _is_encodable(value: Any) -> bool:
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
        return True
    return type(value) is bool or (type(value) is int and -LARGEST_INTEGER < value < LARGEST_INTEGER)
