"""Which action does each native name ask for? A mapping document as a plan of reading, made once when it is loaded.

`walk` goes through a native tree with its plan: every name has one action, made
of the rules that map it, so nothing is searched, and what has none is a named gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.kit.leaf import leaf
from adapters.kit.mapping import AgencyMapping, FieldRule, GroupRule
from adapters.kit.native import Position, Tree
from adapters.kit.reading import Action, CustomField, Reading, Slots, says_something

Plan = dict[str, Action]


def walk(node: Any, plan: Plan, slots: Slots, at: Position, reading: Reading) -> None:
    """Apply a plan to one native group."""
    if not isinstance(node, dict):
        if node in ("", None):
            return
        node = {reading.scalar_key: node}
    for key, value in node.items():
        action = plan.get(key)
        if action is None:
            if value if value.__class__ is str else says_something(value):
                reading.gap("unmapped", (*at, key), "no rule maps this")
        elif action is not _ignore:
            action(value, slots, (*at, key), reading)


def _branch(plan: Plan) -> Action:
    def read_group(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        if not isinstance(value, list):
            walk(value, plan, slots, at, reading)
        elif value:
            walk(value[0], plan, slots, at, reading)
            if len(value) > 1:
                reading.gap("repeated", (*at, 1), "one group is expected; the others are not mapped")

    return read_group


def _repeat(plan: Plan, groups: Sequence[GroupRule]) -> Action:
    """Each element fills a new person or list item; groups that share it name further slots of their own."""

    def read_groups(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        is_list = isinstance(value, list)
        for index, item in enumerate(value if is_list else () if value is None else (value,)):
            below = dict(slots)
            for group in groups:
                below[group.slot] = new_item(group)
            walk(item, plan, below, (*at, index) if is_list else at, reading)
            for group in groups:
                settle(group, below[group.slot], reading)

    return read_groups


def _ignore(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
    return None


def _drop(reason: str) -> Action:
    def name_it(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        if value if value.__class__ is str else says_something(value):
            reading.gap("dropped", at, reason)

    return name_it


def _custom(slot: str, custom: CustomField) -> Action:
    read = custom.read

    def read_field(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        read(value, slots[slot], at, reading)

    return read_field


def _each(actions: Sequence[Action]) -> Action:
    """All of several rules for one name, in the order of the document."""

    def read_all(value: Any, slots: Slots, at: Position, reading: Reading) -> None:
        for action in actions:
            action(value, slots, at, reading)

    return read_all


def new_item(group: GroupRule) -> Tree:
    """What a new person or list item begins with: a person has the role of its group."""
    roles = group.constants.get("roles")
    return {} if roles is None else {"roles": list(roles)}


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
    there.setdefault(mapping.extension[-1], {})[None] = [_ignore]
    there = tree
    for part in mapping.kind_at[:-1]:
        there = there.setdefault(part, {})
    there.setdefault(mapping.kind_at[-1], {}).setdefault(None, [_ignore])
    return _plan(tree, (), repeats)


def _action(group: GroupRule, rule: FieldRule, customs: Mapping[str, CustomField]) -> Action | None:
    if rule.action == "map":
        return leaf(group.slot, rule, under(group))
    if rule.action == "drop":
        return _drop(rule.argument)
    if rule.action == "ignore":
        return _ignore
    if rule.action == "custom":
        return _custom(group.slot, customs[rule.argument])
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
            actions.append(_repeat(inner, tuple(groups)) if groups else _branch(inner))
        plan[key] = actions[0] if len(actions) == 1 else _each(tuple(actions))
    return plan
