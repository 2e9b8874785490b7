"""How does one canonical value become one native leaf?

A rule is made into one function when its document is loaded, as `leaf` does for reading. A placed value is taken out of
`rest`; one that the converter refuses stays there, and travels in the extension block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.kit.conversion import Unwritable
from adapters.kit.mapping import Choice, FieldRule
from adapters.kit.native import Tree, get_at, pop_at, set_at
from adapters.kit.reading import CustomField

Envelope = Mapping[str, str]
Place = Callable[[Tree, Tree, Envelope], None]
"""(node that is filled, canonical values not yet written, envelope)"""

# The member of `rest` without which the function has nothing to do; None where it must be asked.
Placing = tuple[str | None, Place]


def placing(rule: FieldRule, customs: Mapping[str, CustomField]) -> Placing | None:
    """None for rules that are only read."""
    if rule.action == "custom":
        write = customs[rule.argument].write
        return None, lambda node, rest, envelope: write(rest, node)
    if rule.action != "map":
        return None
    heads = {choice.to[0] for choice in rule.choices}
    (head, *others) = heads
    needed = None if others or head[0] == "@" else head
    choice = rule.choices[0]
    if needed is None or len(rule.choices) > 1 or rule.when or rule.many or len(rule.native) > 1 or len(choice.to) > 2:
        return needed, _any(rule)
    return needed, _leaf(rule.native[0], choice) if len(choice.to) == 1 else _inner_leaf(rule, choice)


def _leaf(native: str, choice: Choice) -> Place:
    """One home at the top of its item, one native name, nothing implied: nearly always, and fast."""
    (name,), write = choice.to, choice.converter.write

    def place(node: Tree, rest: Tree, envelope: Envelope) -> None:
        value = rest[name]
        if value is None or node.get(native) is not None:
            return
        try:
            node[native] = write(value)
        except Unwritable:
            return
        del rest[name]

    return place


def _inner_leaf(rule: FieldRule, choice: Choice) -> Place:
    """The same, in a group of the item."""
    (native,), (head, name), write, otherwise = rule.native, choice.to, choice.converter.write, _any(rule)

    def place(node: Tree, rest: Tree, envelope: Envelope) -> None:
        group = rest[head]
        if group.__class__ is not dict:
            otherwise(node, rest, envelope)
            return
        value = group.get(name)
        if value is None or node.get(native) is not None:
            return
        try:
            node[native] = write(value)
        except Unwritable:
            return
        del group[name]
        if not group:
            del rest[head]

    return place


def _any(rule: FieldRule) -> Place:
    """The first home that has a value which the native field takes."""
    native, implied = rule.native, tuple((tuple(name.split(".")), constant) for name, constant in rule.when.items())
    homes = tuple((choice.to[0], choice.to, _writer(rule, choice)) for choice in rule.choices)

    def place(node: Tree, rest: Tree, envelope: Envelope) -> None:
        if native[0] in node and get_at(node, native) is not None:
            return
        for head, path, write in homes:
            if head[0] == "@":
                if head in envelope:
                    set_at(node, native, envelope[head])
                    return
                continue
            value = get_at(rest, path) if head in rest else None
            if value is None or any(get_at(rest, name) != constant for name, constant in implied):
                continue
            try:
                written = write(value)
            except Unwritable:
                continue
            set_at(node, native, written)
            pop_at(rest, path)
            for name, _ in implied:
                pop_at(rest, name)
            return

    return place


def _writer(rule: FieldRule, choice: Choice) -> Callable[[Any], Any]:
    """What makes the native value of this home. Raises Unwritable."""
    write = choice.converter.write
    if not rule.many:
        return write
    split, separators = rule.split, (rule.split, *rule.also_split)

    def write_all(value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise Unwritable
        parts = [write(item) for item in value]
        if not split:
            return parts
        if any(separator in part for part in parts for separator in separators):
            raise Unwritable  # would come back as more items
        return split.join(parts)

    return write_all
