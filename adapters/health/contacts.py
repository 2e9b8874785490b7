"""What is a person's telephone number, and what the address, whichever clinical format they stand in?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from adapters.kit.conversion import Unmappable, Unwritable
from adapters.kit.identity_values import read_phone, write_phone
from adapters.kit.lens import Reading, fill
from adapters.kit.native import Position, Tree

_DIALLED = re.compile(r"[0-9+*#(][0-9 ()*#,;转-]{2,31}")


def take_phone(text: str, target: Tree, at: Position, reading: Reading) -> None:
    """The first telephone number of a person; a further one, and what is no number, are named gaps."""
    try:
        number = read_phone(text)
    except Unmappable as error:
        reading.gap(error.code, at, error.message, "persons.phone")
        return
    if not _DIALLED.fullmatch(number):
        reading.gap("phone-form", at, "not a telephone number", "persons.phone")
    elif fill(target, ("phone",), number):
        reading.note(target, ("phone",), at)
    elif number != target.get("phone"):
        reading.gap("repeated", at, "a further telephone number has no canonical field", "persons.phone")


def take_addresses(found: Iterable[tuple[str, str, Position]], target: Tree, reading: Reading) -> None:
    """The first (text, division code, position) that says anything is where a person lives; a further one is a named gap."""
    taken = False
    for text, region, at in found:
        if not text and not region:
            continue
        if taken:
            reading.gap("repeated", at, "a further address has no canonical field", "persons.residence")
            continue
        taken = True
        for name, said in (("address", text), ("region", region)):
            if said and fill(target, ("residence", name), said):
                reading.note(target, ("residence", name), at)


def phone_out(rest: Tree) -> str | None:
    """The telephone number taken out of `rest` to be written, None where it would not read back as itself."""
    phone = rest.get("phone")
    try:
        written = write_phone(phone)
    except Unwritable:
        return None
    if not _DIALLED.fullmatch(written) or read_phone(written) != phone:
        return None
    del rest["phone"]
    return written
