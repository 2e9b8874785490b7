"""How does the text of one native leaf become the value of one canonical field?

A rule is made into one function when its document is loaded: its home, its
converter and the JSON pointer of its provenance are bound then, and nothing of
the rule is looked up when a notice arrives. Most leaves have one home at the top
of their item and nothing else to say (`_plain`), nearly all one home and one
value (`_single`); others have several homes or stand in the envelope (`_one`),
or hold a list (`_many`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapters.kit.conversion import Noted, Unmappable
from adapters.kit.mapping import Choice, FieldRule, Path
from adapters.kit.native import Position, get_at
from adapters.kit.reading import Action, Reading, Slots, fill, pointer_of, scalar, text_of
from adapters.kit.text import has_private_use

# (text, position, reading) -> home, its pointer, value, whether it is certain; None when no home takes the text
_Found = tuple[Path, str, Any, bool]
_Convert = Callable[[str, Position, Reading], _Found | None]


def leaf(slot: str, rule: FieldRule, under: str) -> Action:
    """`under` goes before a gap's target: a person's name is `persons.name`, whichever person it is."""
    if rule.many:
        return _many(slot, rule, _converting(rule, under))
    if len(rule.choices) > 1 or rule.choices[0].to[0][0] == "@":
        return _one(slot, rule, _converting(rule, under), under)
    if len(rule.choices[0].to) == 1 and not rule.when and not rule.not_provided:
        return _plain(slot, rule.choices[0], under)
    return _single(slot, rule, under)


def _plain(slot: str, choice: Choice, under: str) -> Action:
    """Most leaves by far, so nothing is asked that need not be."""
    (name,), read, pointer = choice.to, choice.converter.read, pointer_of(choice.to)
    target_name = under + name

    def read_leaf(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        text = value if value.__class__ is str else _leaf_text(value, at, reading)
        if not text or text.isspace():
            return
        try:
            canonical = read(text)
        except Unmappable as error:
            reading.gap(error.code, at, error.message, target_name)
            return
        if canonical.__class__ is Noted:
            canonical = _doubted(canonical, at, target_name, reading)
        if reading.is_careful:
            _look_for_private_use(canonical, at, target_name, reading)
        target = slots[slot]
        if name not in target:
            target[name] = canonical
        elif target[name] != canonical:
            _contradicted(at, target_name, reading)
            return
        reading.sources.append((target, pointer, at))

    return read_leaf


def _single(slot: str, rule: FieldRule, under: str) -> Action:
    """One home, in a group of its item, or with values that this field implies."""
    (choice,) = rule.choices
    path, read, pointer, not_provided = choice.to, choice.converter.read, pointer_of(choice.to), rule.not_provided
    target_name = under + ".".join(path)
    implied = tuple((tuple(home.split(".")), constant) for home, constant in rule.when.items())

    def read_leaf(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        text = value if value.__class__ is str else _leaf_text(value, at, reading)
        if not text or text.isspace() or text == not_provided:
            return
        try:
            canonical = read(text)
        except Unmappable as error:
            reading.gap(error.code, at, error.message, target_name)
            return
        is_certain = True
        if canonical.__class__ is Noted:
            is_certain = canonical.code != "id-form"
            canonical = _doubted(canonical, at, target_name, reading)
        if reading.is_careful:
            _look_for_private_use(canonical, at, target_name, reading)
        target = slots[slot]
        if not fill(target, path, canonical):
            _contradicted(at, target_name, reading)
            return
        reading.sources.append((target, pointer, at))
        if is_certain:
            for home, constant in implied:
                fill(target, home, constant)

    return read_leaf


def _one(slot: str, rule: FieldRule, convert: _Convert, under: str) -> Action:
    not_provided = rule.not_provided
    implied = tuple((tuple(name.split(".")), constant) for name, constant in rule.when.items())

    def read_leaf(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        text = value if value.__class__ is str else _leaf_text(value, at, reading)
        if not text or text.isspace() or text == not_provided:
            return
        found = convert(text, at, reading)
        if found is None:
            return
        path, pointer, canonical, is_certain = found
        if path[0][0] == "@":
            if reading.envelope.setdefault(path[0], canonical) != canonical:
                reading.gap("conflict", at, "another field of the message names another one", path[0])
            return
        target = slots[slot]
        if not fill(target, path, canonical):
            _contradicted(at, under + ".".join(path), reading)
            return
        reading.sources.append((target, pointer, at))
        if is_certain:
            for home, constant in implied:
                fill(target, home, constant)

    return read_leaf


def _many(slot: str, rule: FieldRule, convert: _Convert) -> Action:
    not_provided, split, also_split = rule.not_provided, rule.split, rule.also_split

    def read_leaf(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        if value.__class__ is list:
            values: Sequence[Any] = [scalar(item, reading.scalar_key) for item in value]
        else:
            text = value if value.__class__ is str else _leaf_text(value, at, reading)
            if not text or text.isspace() or text == not_provided:
                return
            if split:
                for separator in also_split:
                    text = text.replace(separator, split)
                values = [part for part in text.split(split) if part.strip()]
            else:
                values = [text]
        homes: dict[Path, tuple[str, list[Any]]] = {}
        for index, one in enumerate(values):
            text = text_of(one)
            if text is not None:
                found = convert(text, (*at, index) if len(values) > 1 else at, reading)
                if found is not None:
                    homes.setdefault(found[0], (found[1], []))[1].append(found[2])
        target = slots[slot]
        for path, (pointer, items) in homes.items():
            if not fill(target, path, items):
                there = get_at(target, path)
                if isinstance(there, list):
                    there.extend(item for item in items if item not in there)
            reading.sources.append((target, pointer, at))

    return read_leaf


def _converting(rule: FieldRule, under: str) -> _Convert:
    """The first home whose converter takes the text; when none does, the trouble of the first is named."""
    homes = [
        (choice.to, pointer_of(choice.to), under + ".".join(choice.to), choice.converter.read)
        for choice in rule.choices
    ]
    first_name = homes[0][2]

    def convert(text: str, at: Position, reading: Reading) -> _Found | None:
        trouble: Unmappable | None = None
        for path, pointer, target_name, read in homes:
            try:
                canonical = read(text)
            except Unmappable as error:
                trouble = trouble or error
                continue
            is_certain = True
            if canonical.__class__ is Noted:
                is_certain = canonical.code != "id-form"
                canonical = _doubted(canonical, at, target_name, reading)
            if reading.is_careful:
                _look_for_private_use(canonical, at, target_name, reading)
            return path, pointer, canonical, is_certain
        if trouble is not None:
            reading.gap(trouble.code, at, trouble.message, first_name)
        return None

    return convert


def _doubted(found: Noted, at: Position, target: str, reading: Reading) -> Any:
    """A value that is kept, with what is doubtful about it said."""
    reading.gap(found.code, at, found.message, target)
    return found.value


def _look_for_private_use(canonical: Any, at: Position, target: str, reading: Reading) -> None:
    if canonical.__class__ is str and has_private_use(canonical):
        reading.gap("private-use-character", at, "holds a character that only one vendor's font knows", target)


def _contradicted(at: Position, target: str, reading: Reading) -> None:
    reading.gap("conflict", at, "another field of the message says something else", target)


def _leaf_text(value: Any, at: Position, reading: Reading) -> str | None:
    """The text of a leaf that came as something else; what stands beside it is named."""
    if isinstance(value, list):
        for index, item in enumerate(value[1:], 1):
            if item not in ("", None):
                reading.gap("repeated", (*at, index), "one value is expected; the others are not mapped")
        value = value[0] if value else None
    key = reading.scalar_key
    if isinstance(value, dict):
        for name, below in value.items():
            if name != key and below not in ("", None, [], {}):
                reading.gap("unmapped", (*at, name), "no rule maps this")
    return text_of(scalar(value, key))
