"""What does an opened record prove to somebody who holds nothing else?

An opening lists the record's commitments in order. A field that is shown is
`[name, salt, value]`, one that is shown to be absent `[name, salt]`, one that is
kept back `[commitment]`; a slot that stays closed is its root. From these the
root of the record follows, from the root the entry, from the entry the leaf; so
whoever changes a word needs another leaf. Names are inside the commitments:
this module knows no schema and needs none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.audit.commitment import ROOT_BYTES, SALT_BYTES, commitment, slot_root
from gateway.audit.findings import MAX_SIZE, Unreadable, Wrong, decode_base64
from gateway.audit.merkle import root_of

MAX_JSON_BYTES = 1 << 28
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no duplicate members, no NaN, no numbers but whole ones up to 2**63, no half of a surrogate pair."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a member given twice")
        return found

    def no_float(text: str) -> Any:
        raise ValueError("not a whole number")

    def whole(text: str) -> int:
        if len(text) > 20 or abs(number := int(text)) > MAX_SIZE:
            raise ValueError("a number too large")
        return number

    if len(raw) > MAX_JSON_BYTES:
        raise Unreadable("a file of more than 256 MiB")
    try:
        text = raw.decode()
        found = json.loads(
            text, object_pairs_hook=members, parse_float=no_float, parse_constant=no_float, parse_int=whole
        )
        if _HALF.search(text):
            canonical(found)  # what no UTF-8 stands for could be hashed by nobody
        return found
    except (ValueError, RecursionError) as wrong:
        raise Unreadable("not the JSON this needs") from wrong


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Any) -> bytes:
    """RFC 8785 for text, whole numbers, booleans, arrays and objects with ASCII names."""
    return _ENCODE(value).encode()


def member(data: Any, name: str, kind: type) -> Any:
    """`data[name]`, which must be there and of this type."""
    if not isinstance(data, dict) or type(data.get(name)) is not kind:
        raise Unreadable(f"`{name}` is missing or of another type")
    return data[name]


def hash_of(text: Any) -> bytes:
    if not isinstance(text, str):
        raise Unreadable("not a hash")
    return decode_base64(text.encode(), ROOT_BYTES)


@dataclass(frozen=True, slots=True)
class ShownSlot:
    """`link` is (number, event id and root of the record before), those two None for the first of a chain."""

    kind: str
    values: Mapping[str, Any]
    absent: frozenset[str]
    hidden: int
    link: tuple[int, str | None, bytes | None] | None


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A record as far as it was opened. `slots` in order, None where closed."""

    root: bytes
    event_id: str
    event: str
    at: str
    values: Mapping[str, Any]
    absent: frozenset[str]
    hidden: int
    slots: tuple[ShownSlot | None, ...]


def _group(items: Any) -> tuple[list[bytes], dict[str, Any], frozenset[str], int, list[str]]:
    """Leaves, present values, absent names, number kept back, names in order (empty text where kept back)."""
    if not isinstance(items, list) or not 1 <= len(items) <= 256:
        raise Unreadable("an opening without fields")
    leaves: list[bytes] = []
    values: dict[str, Any] = {}
    absent: set[str] = set()
    order: list[str] = []
    for item in items:
        match item:
            case [str() as kept]:
                leaves.append(hash_of(kept))
                order.append("")
                continue
            case [str() as name, str() as salt]:
                raw = None
                absent.add(name)
            case [str() as name, str() as salt, value]:
                raw = canonical(value)
                values[name] = value
            case _:
                raise Unreadable("an opening with something else than fields")
        if not name or not name.isascii() or name in order:
            raise Unreadable("a field without a name, or given twice")
        order.append(name)
        leaves.append(commitment(decode_base64(salt.encode(), SALT_BYTES), name, raw))
    return leaves, values, frozenset(absent), order.count(""), order


def read_link(value: Any) -> tuple[int, str | None, bytes | None]:
    seq = member(value, "seq", int)
    if value.keys() == {"seq"} and seq == 1:
        return 1, None, None
    prev = member(value, "prev", list)
    if len(prev) != 2 or not isinstance(prev[0], str) or value.keys() != {"seq", "prev"} or seq < 2:
        raise Unreadable("not a link")
    return seq, prev[0], hash_of(prev[1])


def check_record(data: Any) -> ShownRecord:
    """Compute the root of an opened record. Unreadable when it is not an opening, Wrong when it contradicts itself."""
    leaves, values, absent, hidden, order = _group(member(data, "envelope", list))
    header = values.pop("header", None)
    if order[0] != "header" or not isinstance(header, dict) or header.keys() != {"at", "event", "id", "slots", "v"}:
        raise Unreadable("an opening without its header")
    for name in ("at", "event", "id"):
        member(header, name, str)
    roots = [root_of(leaves)]
    slots: list[ShownSlot | None] = []
    kinds: list[str] = []
    for part in member(data, "slots", list):
        kinds.append(member(part, "kind", str))
        if "root" in part:
            roots.append(hash_of(part["root"]))
            slots.append(None)
            continue
        inner, shown, gone, kept, names = _group(member(part, "fields", list))
        is_person = kinds[-1] == "person"
        if is_person and (len(names) < 2 or names[-1] != "link" or "link" not in shown):
            raise Unreadable("a person's slot is opened with its link, the last of its fields")
        if not is_person and "link" in names:
            raise Wrong("a link where no person is")
        roots.append(slot_root(inner, is_person))
        link = read_link(shown.pop("link")) if is_person else None
        slots.append(ShownSlot(kinds[-1], shown, gone, kept, link))
    if header["slots"] != kinds:
        raise Wrong("an opening with other slots than its header says")
    return ShownRecord(
        root_of(roots), header["id"], header["event"], header["at"], values, absent, hidden, tuple(slots)
    )


def leaves_of(names: Sequence[str], salt: bytes, values: Mapping[str, Any]) -> list[bytes]:
    """The commitments of a group whose fields are all shown, from their salts in one string."""
    if len(salt) != len(names) * SALT_BYTES or not values.keys() <= set(names):
        raise Unreadable("an export with other fields than it names")
    return [
        commitment(
            salt[n * SALT_BYTES : (n + 1) * SALT_BYTES], name, canonical(values[name]) if name in values else None
        )
        for n, name in enumerate(names)
    ]


def shown_group(kind: str, names: Sequence[str], salt: bytes, values: Mapping[str, Any]) -> tuple[bytes, ShownSlot]:
    """Root and content of a slot whose fields are all shown."""
    root = slot_root(leaves_of(names, salt, values), kind == "person")
    shown = dict(values)
    link = read_link(shown.pop("link")) if kind == "person" else None
    return root, ShownSlot(kind, shown, frozenset(names) - shown.keys() - {"link"}, 0, link)
