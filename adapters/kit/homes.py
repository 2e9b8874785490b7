"""Where in the sender's own message does a canonical value stand, or would it stand if it were said?

What intake refuses it names by a JSON pointer into the canonical notice, which whoever keeps a hospital's or a school's
system has never seen. Here a pointer becomes a native position: where the value was read, else the field that the mapping
gives it, in the group of the person or list it belongs to, else the extension block, which can say everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.kit.extension import lexicon
from adapters.kit.mapping import AgencyMapping, GroupRule
from adapters.kit.native import Position, Tree
from adapters.kit.persons import plays
from adapters.kit.reading import CustomField, Reading

Names = tuple[str, ...]


class Homes:
    """One mapping, asked for places. Stateless after construction; only refusals ask."""

    def __init__(self, mapping: AgencyMapping, extension_style: str, customs: Mapping[str, CustomField]) -> None:
        self.mapping = mapping
        self._is_flat = extension_style == "flat"
        self._words = lexicon(mapping.style).names
        self._fields: tuple[tuple[GroupRule, Mapping[Names, Position]], ...] = tuple(
            (group, _fields(group, customs)) for group in mapping.groups
        )
        self._persons = tuple(entry for entry in self._fields if entry[0].target == "person")

    def place(self, reading: Reading, pointer: str) -> str:
        """The native position of a canonical pointer, as the sender's format writes one; empty where nothing can be said."""
        names = tuple(pointer.split("/")[1:])
        if not names:
            return reading.locate(()) or reading.locate(self.mapping.kind_at[:1])
        target, below = reading.data, names
        if names[0] == "persons":
            if len(names) == 1 or not names[1].isdigit() or int(names[1]) >= len(reading.persons):
                return self._anybody(reading)
            target, below = reading.persons[int(names[1])], names[2:]
        known = {tuple(said.split("/")[1:]): at for owner, said, at in reading.sources if owner is target}
        for size in range(len(below), 0, -1):
            if below[:size] in known:
                return reading.locate(known[below[:size]])
        inside = [at for said, at in known.items() if said[: len(below)] == below]
        if target is not reading.data:
            return self._of_person(reading, target, below, inside)
        if inside:
            return reading.locate(_shared(inside))
        return self._of_notice(reading, names)

    def _anybody(self, reading: Reading) -> str:
        """Where people stand: of the minors, if the format has a group of theirs."""
        groups = sorted((group for group, _ in self._persons), key=lambda group: group.constants["roles"] != ["minor"])
        return reading.locate(groups[0].at) if groups else self._extension(reading, ("persons",))

    def _of_person(self, reading: Reading, person: Tree, below: Names, inside: Sequence[Position]) -> str:
        places = [at for owner, _, at in reading.sources if owner is person]
        for group, fields in self._persons:
            base = next((found for at in places if (found := _base(group, at)) is not None), None)
            if base is None and not (not places and plays(person, group.constants["roles"][0])):
                continue
            home = _home(fields, below)
            if not below or home is not None:
                return reading.locate((*(group.at if base is None else base), *(home or ())))
        if inside and not below:
            return reading.locate(_shared(inside))
        return self._extension(reading, ("persons", *below))

    def _of_notice(self, reading: Reading, names: Names) -> str:
        for group, fields in self._fields:
            if group.target == "person":
                continue
            inner = names
            if group.target == "list":
                if names[: len(group.list_path)] != group.list_path:
                    continue
                inner = tuple(name for name in names[len(group.list_path) :] if not name.isdigit())
            home = _home(fields, inner)
            if home is not None or not inner:
                return reading.locate((*group.at, *(home or ())))
        return self._extension(reading, names)

    def _extension(self, reading: Reading, names: Names) -> str:
        """The member of the extension block that says it, in the format's own words."""
        words = tuple(self._words.get(name, name) for name in names if not name.isdigit() and name != "*")
        return reading.locate((*self.mapping.extension, *((".".join(words),) if self._is_flat and words else words)))


def _fields(group: GroupRule, customs: Mapping[str, CustomField]) -> Mapping[Names, Position]:
    """Canonical path in the item -> native path in the group, of everything that may be written."""
    out: dict[Names, Position] = {}
    for rule in group.fields:
        for choice in rule.choices:
            out.setdefault(choice.to, rule.native)
        if rule.action == "custom":
            for path in getattr(customs[rule.argument], "fills", ()):
                out.setdefault(tuple(path.split(".")), rule.native)
    return out


def _home(fields: Mapping[Names, Position], wanted: Names) -> Position | None:
    """Of the value itself, of the group it stands in, or of something inside it."""
    for size in range(len(wanted), 0, -1):
        if wanted[:size] in fields:
            return fields[wanted[:size]]
    return next((native for path, native in fields.items() if wanted and path[: len(wanted)] == wanted), None)


def _base(group: GroupRule, at: Position) -> Position | None:
    """The group's own position, with its number among several, of something that was read in it."""
    size = len(group.at)
    if at[:size] != group.at:
        return None
    return at[: size + 1] if len(at) > size and isinstance(at[size], int) else at[:size]


def _shared(places: Sequence[Position]) -> Position:
    """The longest beginning that all have."""
    first, *others = places
    size = len(first)
    for at in others:
        size = next((n for n in range(min(size, len(at))) if at[n] != first[n]), min(size, len(at)))
    return first[:size]
