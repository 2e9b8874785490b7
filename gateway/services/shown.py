"""What does a decision show of the fields that are there, in the words of the log?

A disclosure's record names every field that was there and shown, with its form, the rules it was shown by and the
limits that cut something away. The same office is told of the same kind of notice again and again, so the last answers
are remembered: names of fields and rules, never a value.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from gateway.model.access import DELIVER, Decision
from gateway.model.audit import shown_name
from gateway.model.identifiers import FieldId, PolicyHash
from gateway.policy.facts import Facts, Signature


class Shown(NamedTuple):
    """Fields with their forms, rules and limits, each sorted."""

    fields: tuple[tuple[str, str], ...]
    because: tuple[str, ...]
    limits: tuple[str, ...]


class Showing:
    """`shown` with a memory, which starts anew when it is full.

    The key is all that the fields of a decision depend on (facts of the matter, accepted obligations, policy) and the
    fields that are there. What is decided of single persons stands in the record's slots.
    """

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._known: dict[tuple[PolicyHash, Signature, frozenset[str], frozenset[FieldId]], Shown] = {}

    def __call__(self, decision: Decision, there: frozenset[FieldId]) -> Shown:
        """As `shown`; nothing is remembered of a decision that does not hold the closed facts it was made on."""
        asked = decision.facts
        if not isinstance(asked, Facts):
            return shown(decision, there)
        key = (decision.policy, asked.signature, asked.accepts, there)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            found = self._known[key] = shown(decision, there)
        return found


def shown(decision: Decision, there: AbstractSet[FieldId]) -> Shown:
    """What was shown of what is there: a form that the policy grants on an absent field discloses nothing."""
    deliver = decision.fields.get(DELIVER)
    because, limits = set(() if deliver is None else deliver.because), set[str]()
    fields: list[tuple[str, str]] = []
    for name in there:
        found = decision.fields.get(name)
        if found is None:
            continue
        if found.shown:
            fields.append((str(name), shown_name(found.shown)))
            because.update(found.because)
        limits.update(found.cut_by)
    return Shown(tuple(sorted(fields)), tuple(sorted(because)), tuple(sorted(limits)))
