"""Within what time must something be done, by which law or local rule?

    kind: clocks
    clocks:
      C08:
        {zh: ..., en: ..., limits: [{hours: 72}, {when: {zh: 紧急, en: urgent}, hours: 24}], started_by: [GRD-PA],
         met_by: [GRD-P], standing: law, citation: [...]}

A limit is one number with its unit, or `at_once: yes`; several are told apart by `when`. `standing` says how sure the
number is: `law` (checked in the law), `reported` (general knowledge, to be checked: GK), `proposed` (ours: PROP),
`local` (a local rule decides). A local rule changes the number here, not the gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.policy.reading import Node, read_named
from gateway.policy.vocabulary import Origin, Text, Vocabulary

_ID = re.compile(r"C[0-9]{2}")
_MOST: Mapping[str, int] = {"minutes": 1440, "hours": 720, "days": 3660, "working_days": 750, "months": 120}


class Standing(StrEnum):
    LAW = "law"
    REPORTED = "reported"
    PROPOSED = "proposed"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Limit:
    """`number` of `unit`; 0 of `at_once`. `when` is None where it is the only one, or the ordinary case."""

    number: int
    unit: str
    when: Text | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """`started_by` and `met_by` are notice types; empty where an event outside the exchange starts or ends it."""

    id: str
    title: Text
    limits: tuple[Limit, ...]
    started_by: tuple[str, ...]
    met_by: tuple[str, ...]
    standing: Standing
    citation: tuple[str, ...]
    note: Text | None
    origin: Origin = field(compare=False)


def read_clocks(root: Node, vocabulary: Vocabulary) -> Mapping[str, Clock]:
    """Read the one document of clocks; problems go to the node's collector."""
    read = root.members(required=frozenset({"kind", "clocks"}))

    def clock(name: str, key: Node, value: Node) -> Clock | None:
        if not _ID.fullmatch(name):
            key.problem("bad-name", f"`{name}` is no number of a clock", "C and two digits, as in C08")
        return _clock(name, key, value, vocabulary)

    return read_named(read["clocks"], clock) if "clocks" in read else {}


def _clock(name: str, key: Node, node: Node, vocabulary: Vocabulary) -> Clock | None:
    read = node.members(
        required=frozenset({"zh", "en", "limits", "standing", "citation"}),
        optional=frozenset({"started_by", "met_by", "note"}),
    )
    if len(read.keys() & {"zh", "en", "limits", "standing", "citation"}) < 5:
        return None
    standing = read["standing"].one_of({one.value: one for one in Standing}, "standing")
    limits = [_limit(item) for item in read["limits"].items()]
    if len({None if one is None or one.when is None else one.when.zh for one in limits}) < len(limits):
        read["limits"].problem("two-limits", "two limits hold for the same case", "tell them apart with `when`")
    return Clock(
        id=name,
        title=Text(read["zh"].text(), read["en"].text()),
        limits=tuple(one for one in limits if one is not None),
        started_by=_types(read.get("started_by"), vocabulary),
        met_by=_types(read.get("met_by"), vocabulary),
        standing=standing or Standing.LOCAL,
        citation=tuple(text for text, _ in read["citation"].texts()),
        note=read["note"].title() if "note" in read else None,
        origin=key.origin,
    )


def _limit(node: Node) -> Limit | None:
    read = node.members(optional=frozenset({"when", "at_once", *_MOST}))
    units = sorted(read.keys() - {"when"})
    if not node.is_mapping:
        return None
    if len(units) != 1:
        node.problem("bad-limit", "a limit has one unit", f"one of: at_once, {', '.join(_MOST)}")
        return None
    (unit,) = units
    when = read["when"].title() if "when" in read else None
    if unit == "at_once":
        if not read[unit].boolean():
            read[unit].problem("bad-limit", "`at_once` is `yes`, or is left out")
        return Limit(0, unit, when)
    number = read[unit].number()
    if not 1 <= number <= _MOST[unit]:
        read[unit].problem("wrong-number", f"a whole number of {unit} from 1 to {_MOST[unit]}")
    return Limit(number, unit, when)


def _types(node: Node | None, vocabulary: Vocabulary) -> tuple[str, ...]:
    known = vocabulary.facts["notice_type"].values if "notice_type" in vocabulary.facts else {}
    found = [] if node is None else node.texts()
    for text, item in found:
        if known and text not in known:
            item.problem("unknown-value", f"`{text}` is no notice type", f"one of: {', '.join(known)}")
    return tuple(text for text, _ in found)
