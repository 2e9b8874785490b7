"""How does the text of one native leaf become the value of one canonical field?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.kit.conversion import Noted, Unmappable
from adapters.kit.mapping import Choice, FieldRule
from adapters.kit.native import Position, get_at
from adapters.kit.reading import Reading, Slots, fill, scalar, text_of
from adapters.kit.text import has_private_use


@dataclass(frozen=True, slots=True)
class Leaf:
    """`simple` is set where there is one home, one value and nothing implied: nearly always, and fast.

    `under` goes before a gap's target: a person's name is `persons.name`, whichever person it is.
    """

    slot: str
    rule: FieldRule
    simple: Choice | None = None
    under: str = ""

    def _plainly(self, value: str, slots: Slots, at: Position, reading: Reading) -> None:
        choice = self.simple
        assert choice is not None
        if not value or value.isspace():
            return
        try:
            canonical = choice.converter.read(value)
        except Unmappable as error:
            reading.gap(error.code, at, error.message, self.under + ".".join(choice.to))
            return
        if canonical.__class__ is Noted:
            reading.gap(canonical.code, at, canonical.message, self.under + ".".join(choice.to))
            canonical = canonical.value
        if canonical.__class__ is str and not canonical.isascii() and has_private_use(canonical):
            reading.gap(
                "private-use-character",
                at,
                "holds a character that only one vendor's font knows",
                self.under + ".".join(choice.to),
            )
        target = slots[self.slot]
        path = choice.to
        if len(path) == 1 and path[0] not in target:
            target[path[0]] = canonical
        elif not fill(target, path, canonical):
            reading.gap("conflict", at, "another field of the message says something else", self.under + ".".join(path))
            return
        reading.sources.append((target, path, at))

    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        if value.__class__ is str and self.simple is not None:
            self._plainly(value, slots, at, reading)
            return
        rule = self.rule
        if isinstance(value, (dict, list)):
            if rule.many and isinstance(value, list):
                self._many([scalar(item, reading.scalar_key) for item in value], slots, at, reading)
                return
            self._named_rest(value, at, reading)
            value = scalar(value, reading.scalar_key)
        text = text_of(value)
        if text is None or text == rule.not_provided:
            return
        if rule.many:
            if rule.split:
                for separator in rule.also_split:
                    text = text.replace(separator, rule.split)
                self._many([part for part in text.split(rule.split) if part.strip()], slots, at, reading)
            else:
                self._many([text], slots, at, reading)
            return
        found = self._convert(text, at, reading)
        if found is not None:
            path, canonical, certain = found
            target = slots[self.slot]
            if path[0][0] == "@":
                if reading.envelope.setdefault(path[0], canonical) != canonical:
                    reading.gap("conflict", at, "another field of the message names another one", path[0])
                return
            if not fill(target, path, canonical):
                reading.gap(
                    "conflict", at, "another field of the message says something else", self.under + ".".join(path)
                )
                return
            reading.sources.append((target, path, at))
            if rule.when and certain:
                for name, constant in rule.when.items():
                    fill(target, tuple(name.split(".")), constant)

    def _convert(self, text: str, at: Position, reading: Reading) -> tuple[tuple[str, ...], Any, bool] | None:
        trouble: Unmappable | None = None
        for choice in self.rule.choices:
            try:
                canonical = choice.converter.read(text)
            except Unmappable as error:
                trouble = trouble or error
                continue
            certain = True
            if canonical.__class__ is Noted:
                reading.gap(canonical.code, at, canonical.message, self.under + ".".join(choice.to))
                certain = canonical.code != "id-form"
                canonical = canonical.value
            if canonical.__class__ is str and not canonical.isascii() and has_private_use(canonical):
                reading.gap(
                    "private-use-character",
                    at,
                    "holds a character that only one vendor's font knows",
                    self.under + ".".join(choice.to),
                )
            return choice.to, canonical, certain
        if trouble is not None:
            reading.gap(trouble.code, at, trouble.message, self.under + ".".join(self.rule.choices[0].to))
        return None

    def _many(self, values: Sequence[Any], slots: Slots, at: Position, reading: Reading) -> None:
        homes: dict[tuple[str, ...], list[Any]] = {}
        for index, value in enumerate(values):
            text = text_of(value)
            if text is None:
                continue
            found = self._convert(text, (*at, index) if len(values) > 1 else at, reading)
            if found is not None:
                homes.setdefault(found[0], []).append(found[1])
        for path, items in homes.items():
            target = slots[self.slot]
            if not fill(target, path, items):
                there = get_at(target, path)
                if isinstance(there, list):
                    there.extend(item for item in items if item not in there)
            reading.sources.append((target, path, at))

    def _named_rest(self, value: Any, at: Position, reading: Reading) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value[1:], 1):
                if item not in ("", None):
                    reading.gap("repeated", (*at, index), "one value is expected; the others are not mapped")
            value = value[0] if value else None
        if isinstance(value, dict):
            for key, below in value.items():
                if key != reading.scalar_key and below not in ("", None, [], {}):
                    reading.gap("unmapped", (*at, key), "no rule maps this")
