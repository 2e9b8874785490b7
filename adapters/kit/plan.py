"""Which actions does each native name ask for? A mapping document as a plan of reading, made once when it is loaded.

`walk` goes through a native tree with its plan: every name has the actions of
the rules that map it, so nothing is searched, and what has none is a named gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.kit.leaf import Leaf
from adapters.kit.mapping import AgencyMapping, FieldRule, GroupRule
from adapters.kit.native import Position, Tree, as_list
from adapters.kit.reading import Action, CustomField, Reading, Slots

Plan = dict[str, tuple[Action, ...]]


@dataclass(frozen=True, slots=True)
class _Branch:
    plan: Plan

    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        items = as_list(value)
        for index, item in enumerate(items):
            if index:
                reading.gap("repeated", (*at, index), "one group is expected; the others are not mapped")
                break
            walk(item, self.plan, slots, at, reading)


@dataclass(frozen=True, slots=True)
class _Repeat:
    """Each element fills a new person or list item; groups that share it name further slots of their own."""

    plan: Plan
    groups: tuple[GroupRule, ...]

    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        items = as_list(value)
        for index, item in enumerate(items):
            below = {**slots, **{group.slot: new_item(group) for group in self.groups}}
            walk(item, self.plan, below, (*at, index) if len(items) > 1 or isinstance(value, list) else at, reading)
            for group in self.groups:
                settle(group, below[group.slot], reading)


@dataclass(frozen=True, slots=True)
class _Ignore:
    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Drop:
    reason: str

    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        if value not in ("", None, [], {}):
            reading.gap("dropped", at, self.reason)


@dataclass(frozen=True, slots=True)
class _Custom:
    slot: str
    custom: CustomField

    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        self.custom.read(value, slots[self.slot], at, reading)


def new_item(group: GroupRule) -> Tree:
    return {name: list(value) if isinstance(value, list) else value for name, value in group.constants.items()}


def settle(group: GroupRule, item: Tree, reading: Reading) -> None:
    """Keep an item that got more than its constants."""
    if len(item) <= len(group.constants):
        return
    if group.target == "person":
        reading.persons.append(item)
    elif group.target == "list":
        there = reading.data
        for part in group.list_path[:-1]:
            there = there.setdefault(part, {})
        there.setdefault(group.list_path[-1], []).append(item)


def walk(node: Any, plan: Plan, slots: Slots, at: Position, reading: Reading) -> None:
    """Apply a plan to one native group."""
    if not isinstance(node, dict):
        if node in ("", None):
            return
        node = {reading.scalar_key: node}
    for key, value in node.items():
        actions = plan.get(key)
        if actions is None:
            if value not in ("", None, [], {}):
                reading.gap("unmapped", (*at, key), "no rule maps this")
            continue
        for action in actions:
            action(value, slots, (*at, key), reading)


def under(group: GroupRule) -> str:
    """What comes before the canonical path of a field of this group."""
    return {"person": "persons.", "list": ".".join(group.list_path) + "."}.get(group.target, "")


def plan_of(mapping: AgencyMapping, customs: Mapping[str, CustomField]) -> Plan:
    """The whole document as one plan; vault and seal have none, for they are gone before the walk."""
    tree: dict[str, Any] = {}
    repeats: dict[tuple[str, ...], list[GroupRule]] = {}
    for group in mapping.groups:
        if group.repeat:
            repeats.setdefault(group.at, []).append(group)
    for group in mapping.groups:
        for rule in group.fields:
            action = _action(group, rule, customs)
            if action is None:
                continue
            for path in rule.aliases:
                there = tree
                for part in (*group.at, *path)[:-1]:
                    there = there.setdefault(part, {})
                there.setdefault((*group.at, *path)[-1], {}).setdefault(None, []).append(action)
    there = tree
    for part in mapping.extension[:-1]:
        there = there.setdefault(part, {})
    there.setdefault(mapping.extension[-1], {})[None] = [_Ignore()]
    there = tree
    for part in mapping.kind_at[:-1]:
        there = there.setdefault(part, {})
    there.setdefault(mapping.kind_at[-1], {}).setdefault(None, [_Ignore()])
    return _plan(tree, (), repeats)


def _action(group: GroupRule, rule: FieldRule, customs: Mapping[str, CustomField]) -> Action | None:
    if rule.action == "map":
        choice = rule.choices[0]
        is_simple = (
            len(rule.choices) == 1
            and not rule.when
            and not rule.many
            and not rule.not_provided
            and choice.to[0][0] != "@"
        )
        return Leaf(group.slot, rule, choice if is_simple else None, under(group))
    if rule.action == "drop":
        return _Drop(rule.argument)
    if rule.action == "ignore":
        return _Ignore()
    if rule.action == "custom":
        return _Custom(group.slot, customs[rule.argument])
    return None


def _plan(tree: dict[Any, Any], at: tuple[str, ...], repeats: Mapping[tuple[str, ...], list[GroupRule]]) -> Plan:
    plan: Plan = {}
    for key, below in tree.items():
        if key is None:
            continue
        actions: list[Action] = list(below.get(None, ()))
        if any(name is not None for name in below):
            inner = _plan(below, (*at, key), repeats)
            groups = repeats.get((*at, key))
            actions.append(_Repeat(inner, tuple(groups)) if groups else _Branch(inner))
        plan[key] = tuple(actions)
    return plan
