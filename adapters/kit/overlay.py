"""How does what an extension block says come over what the fields said?"""

from __future__ import annotations

from typing import Any

from adapters.kit.extension import Lexicon, unflat, untyped
from adapters.kit.native import Tree, deep_merge
from adapters.kit.reading import Reading


def overlay_of(block: Any, style: str, words: Lexicon) -> Tree:
    """What an extension block says, in canonical names. Raises ValueError, TypeError or RecursionError for a broken one."""
    if style == "typed":
        block = untyped(block)
    elif style == "flat":
        block = unflat(block)
    if not isinstance(block, dict):
        raise TypeError("an extension block is a group")
    home = words.home(block)
    home.pop("@table", None)
    return dict(home)


def lay_over(overlay: Tree, reading: Reading) -> None:
    """Persons are known by the refs that reading gave them; one without such a ref is a further person."""
    people = overlay.pop("persons", [])
    renamed: dict[str, str] = {}
    entries = [entry for entry in people if isinstance(entry, dict)] if isinstance(people, list) else []
    for entry in entries:
        if isinstance(entry.get("@native"), str) and isinstance(entry.get("ref"), str):
            renamed[entry["@native"]] = entry["ref"]
    by_ref = {person["ref"]: person for person in reading.persons}
    for person in reading.persons:
        if person.get("of") in renamed:
            person["of"] = renamed[person["of"]]
    for entry in entries:
        named = by_ref.get(str(entry.pop("@native", "")))
        if named is None:
            reading.persons.append(entry)
            continue
        if entry.pop("unrelated", False):
            named.pop("of", None)
        deep_merge(named, entry)
    deep_merge(reading.data, overlay)


def leaves(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if value.__class__ is dict:
        return [leaf for key, below in value.items() for leaf in leaves(below, (*at, key))]
    if value.__class__ is list:
        return [leaf for index, below in enumerate(value) for leaf in leaves(below, (*at, str(index)))]
    return [at]
