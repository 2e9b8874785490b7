"""What may a decision look at?

`Facts` holds one closed value, or `UNKNOWN`, for each fact of the vocabulary.
A value outside its domain cannot be built in. A fact with several possible
values is widened to unknown: that is careful (less knowledge never shows
more) and keeps the proofs at load exact over everything that can be asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.model.errors import NotPermitted, Problem
from gateway.policy.vocabulary import UNKNOWN, FactSpec, Vocabulary

Signature = tuple[str, ...]


class UnknownFactValue(NotPermitted):
    """A fact or value that the vocabulary does not list was offered, or a certain fact was left out."""

    code = "unknown-fact-value"


@dataclass(frozen=True, slots=True)
class Facts(Mapping[str, tuple[str, ...]]):
    """The possible values of each fact, as a mapping; `signature` is the closed tuple decisions are made from.

    `accepts` are the obligations the recipient has declared to honour.
    `persons` gives, per person ref of the notice, the signature of that
    person's `person.*` facts.
    """

    vocabulary: Vocabulary
    signature: Signature
    accepts: frozenset[str] = frozenset()
    persons: Mapping[str, Signature] = field(default_factory=dict)

    def __getitem__(self, name: str) -> tuple[str, ...]:
        for spec, value in zip(self.vocabulary.facts.values(), self.signature, strict=True):
            if spec.name == name:
                return tuple(spec.values) if value == UNKNOWN else (value,)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.vocabulary.facts)

    def __len__(self) -> int:
        return len(self.signature)

    def __hash__(self) -> int:
        return hash((self.signature, self.accepts))

    def value(self, name: str) -> str:
        """The one value of a fact, or UNKNOWN."""
        return self.signature[list(self.vocabulary.facts).index(name)]

    def known(self) -> dict[str, str]:
        """Only what is known; what `facts` turns back into the same facts."""
        return {
            name: value for name, value in zip(self.vocabulary.facts, self.signature, strict=True) if value != UNKNOWN
        }

    def with_values(self, **changed: str) -> Facts:
        """The same facts with some values changed; UNKNOWN is a value here. Names with a dot use `with_value`."""
        result = self
        for name, value in changed.items():
            result = result.with_value(name, value)
        return result

    def with_value(self, name: str, value: str) -> Facts:
        names = list(self.vocabulary.facts)
        spec = self.vocabulary.facts[name]
        if value not in spec.values and (value != UNKNOWN or spec.certain):
            raise UnknownFactValue(f"the fact `{name}` has no such value")
        place = names.index(name)
        signature = (*self.signature[:place], value, *self.signature[place + 1 :])
        return Facts(self.vocabulary, signature, self.accepts, self.persons)

    def without(self, name: str) -> Facts:
        return self.with_value(name, UNKNOWN)


def _one_value(spec: FactSpec, offered: str | Collection[str] | None, problems: list[Problem]) -> str:
    if offered is None or offered == UNKNOWN:
        values: Collection[str] = spec.values
    elif isinstance(offered, str):
        values = (offered,)
    else:
        values = offered
    if any(value not in spec.values for value in values):
        # the value itself is not named: it may come from a notice
        problems.append(
            Problem("unknown-fact-value", spec.name, f"the fact `{spec.name}` was given a value outside its domain")
        )
        return UNKNOWN
    if len(set(values)) == 1:
        return next(iter(values))
    if not values:
        problems.append(Problem("no-fact-value", spec.name, f"the fact `{spec.name}` was given no possible value"))
    elif spec.certain:
        known = f"one of: {', '.join(spec.values)}"
        problems.append(
            Problem("uncertain-fact", spec.name, f"the fact `{spec.name}` must have one known value", known)
        )
    return UNKNOWN


def facts(
    vocabulary: Vocabulary,
    values: Mapping[str, str | Collection[str] | None],
    *,
    accepts: Collection[str] = (),
    persons: Mapping[str, Mapping[str, str | Collection[str] | None]] | None = None,
) -> Facts:
    """Build facts from named values: one value, several possible values, or None for unknown.

    A fact that is left out is unknown. Obligation names the vocabulary does
    not list are ignored: a recipient may accept more than this policy asks.
    Raises UnknownFactValue with every problem found: a fact or value that is
    not in the vocabulary, or a certain fact that is not known.
    """
    problems: list[Problem] = [
        Problem("unknown-fact", name, f"there is no fact `{name}`") for name in values if name not in vocabulary.facts
    ]
    signature = tuple(_one_value(spec, values.get(name), problems) for name, spec in vocabulary.facts.items())
    signatures: dict[str, Signature] = {}
    personal = [spec for spec in vocabulary.facts.values() if spec.is_personal]
    for ref, own in (persons or {}).items():
        problems.extend(
            Problem("unknown-fact", name, f"there is no fact `{name}` of a person")
            for name in own
            if all(spec.name != name for spec in personal)
        )
        signatures[ref] = tuple(_one_value(spec, own.get(spec.name), problems) for spec in personal)
    if problems:
        raise UnknownFactValue(
            "the facts are not those of the vocabulary",
            remedy="give each fact that is always known, as NAME=VALUE; or ask about a disclosure of the log",
            problems=tuple(problems),
        )
    return Facts(vocabulary, signature, frozenset(set(accepts) & vocabulary.obligations.keys()), signatures)
