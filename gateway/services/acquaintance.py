"""Whom did we meet lately, so that a notice about them needs no question to the store?

A bounded memory of aliases with their persons and keys. It may be wrong in both ways (somebody unknown here is in the
store; somebody known here was un-merged or erased), and that does no harm: the writer compares
every alias in the notice's own transaction and answers `Stale("person")`, after which the store is asked and the
notice prepared again. Ordered, since a plain dict walks past all that were ever deleted to find its oldest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from gateway.model.identifiers import KeyId, PersonId
from gateway.ports.storage import PersonLink

KEPT_ALIASES = 100_000  # about 30 MB; the children a county's offices write about in months


class Acquaintance(OrderedDict[bytes, tuple[PersonId, KeyId]]):
    """Keyed alias -> person and key. The oldest are forgotten first."""

    def meet(self, persons: Iterable[PersonLink]) -> None:
        """Remember the persons of a notice that was stored: of a person known before, only the aliases they had."""
        for person in persons:
            if person.is_new:
                self._keep(dict.fromkeys(person.aliases, (person.person, person.key)))

    def correct(self, aliases: Iterable[bytes], found: Mapping[bytes, tuple[PersonId, KeyId]]) -> None:
        """Believe the store about these aliases: `found` are those it knows."""
        for alias in aliases:
            self.pop(alias, None)
        self._keep(found)

    def _keep(self, known: Mapping[bytes, tuple[PersonId, KeyId]]) -> None:
        self.update(known)
        while len(self) > KEPT_ALIASES:
            self.popitem(last=False)
