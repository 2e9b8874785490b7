"""Which persons on record are one, by the finding of two officers?

A small map, read again whenever the consent epoch moves: a finding raises that epoch in its own transaction, so nothing
decided by an older map is disclosed. Persons joined with one another in a chain are all one. Being one limits: what is
known against one counts for all, and who refuses for one refuses for all. What one has agreed to opens nothing for
another, and nobody gets a key, a pseudonym or a notice of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.model.identifiers import PersonId
from gateway.ports.person_storage import PersonPair, PersonStorage
from gateway.services.keep import KnownPerson

_COUNTING = frozenset({"infringer", "guardian", "carer"})  # roles that are looked at for conflicts

Pair = tuple[PersonId, PersonId]


def pair_of(one: PersonId, other: PersonId) -> Pair:
    """Two persons as a pair is kept: the smaller id first."""
    return (one, other) if one < other else (other, one)


class Kin:
    def __init__(self, storage: PersonStorage) -> None:
        self._storage = storage
        self._mark: tuple[int, int] | None = None
        self._pairs: Mapping[Pair, PersonPair] = {}
        self._groups: Mapping[PersonId, tuple[PersonId, ...]] = {}

    async def refresh(self) -> None:
        """Read the findings again if there are others. Raises Unavailable; then the map stays as it was."""
        mark = await self._storage.pairs_mark()
        if mark == self._mark:
            return
        pairs = await self._storage.pairs()
        self._pairs = {(pair.first, pair.second): pair for pair in pairs}
        self._groups = _groups(pair for pair in pairs if pair.is_one)
        self._mark = mark

    def of(self, person: PersonId) -> tuple[PersonId, ...]:
        """Everybody who is this person: first the one asked about, then the others in order."""
        group = self._groups.get(person)
        return (person,) if group is None else (person, *(one for one in group if one != person))

    def is_joined(self, person: PersonId) -> bool:
        return person in self._groups

    def pair(self, one: PersonId, other: PersonId) -> PersonPair | None:
        """What stands of two persons; None where no officer has looked."""
        return self._pairs.get(pair_of(one, other))

    def as_one(self, people: list[Mapping[str, Any]], persons: Mapping[str, KnownPerson]) -> list[Mapping[str, Any]]:
        """The persons of a notice, where two of them are joined each with what counts against either: nobody is a child
        or a recipient of anything for being joined."""
        here = {ref: known.link.person for ref, known in persons.items() if known.link.person in self._groups}
        if len(here) < 2:
            return people
        roles = {str(person.get("ref")): set(person.get("roles", ())) for person in people}
        found: list[Mapping[str, Any]] = []
        for person in people:
            ref = str(person.get("ref"))
            same = set(self.of(here[ref])) if ref in here else set()
            held = roles[ref].union(
                *(roles.get(other, set()) & _COUNTING for other, who in here.items() if who in same)
            )
            found.append(person if held == roles[ref] else {**person, "roles": sorted(held)})
        return found


def _groups(pairs: Iterable[PersonPair]) -> dict[PersonId, tuple[PersonId, ...]]:
    """Chains of pairs, each as one group that every member leads to."""
    found: dict[PersonId, set[PersonId]] = {}
    for pair in pairs:
        together = found.get(pair.first, {pair.first}) | found.get(pair.second, {pair.second})
        found |= dict.fromkeys(together, together)
    return {person: tuple(sorted(group)) for person, group in found.items()}
