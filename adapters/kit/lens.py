"""How is one mapping read in both directions?

`Lens.read` walks a native tree once and fills a canonical notice; whatever no
rule knows becomes a named gap at its native position. `Lens.write` walks the
rules and fills a native tree; whatever no rule could write goes to the
extension block. So reading loses nothing silently and writing loses nothing
at all, and `read(write(x)) == x`.

Persons: reading gives refs `p1`, `p2` ... with minors first, and relates the
others to the first minor. Writing notes in the extension block only what
differs from that.

Reporter fields are taken out of the tree before any rule is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from adapters.kit.converters import Noted, Unmappable, Unwritable, local_instant
from adapters.kit.extension import TABLE, flat, lexicon, typed, unflat, untyped
from adapters.kit.mapping import AgencyMapping, Choice, FieldRule, GroupRule, KindRule
from adapters.kit.native import Position, Tree, as_list, get_at, pop_at, set_at
from adapters.kit.text import has_private_use
from gateway.model.identifiers import NoticeType
from gateway.model.notice import Gap, Provenance

Plan = dict[str, tuple["Action", ...]]


@dataclass(slots=True)
class Reading:
    """What one native tree has given so far."""

    locate: Callable[[Position], str]
    scalar_key: str
    data: Tree = field(default_factory=dict)
    persons: list[Tree] = field(default_factory=list)
    reporter: Tree = field(default_factory=dict)
    sealed: Tree = field(default_factory=dict)
    envelope: dict[str, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    sources: list[tuple[Tree, tuple[str, ...], Position]] = field(default_factory=list)

    def gap(self, code: str, position: Position, message: str, target: str = "") -> None:
        self.gaps.append(Gap(code, self.locate(position), message, target))

    def note(self, target: Tree, path: tuple[str, ...], position: Position) -> None:
        self.sources.append((target, path, position))


Slots = dict[str, Tree]


class Action(Protocol):
    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None: ...


class CustomField(Protocol):
    """An adapter's own reader and writer for what a declaration cannot say."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None: ...

    def write(self, rest: Tree, native: Tree) -> None:
        """Move what fits from `rest` (the item's canonical values not yet written) into `native`."""
        ...


def scalar(value: Any, key: str) -> Any:
    """The text of a leaf that may come as an element with attributes or components."""
    if isinstance(value, dict):
        return scalar(value.get(key), key)
    if isinstance(value, list):
        return scalar(value[0], key) if value else None
    return value


def text_of(value: Any) -> str | None:
    """A leaf as text: JSON numbers and booleans count, an empty text is nothing."""
    if isinstance(value, str):
        return value if value.strip() else None
    if value is True or value is False:
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    return None


def fill(target: Tree, path: tuple[str, ...], value: Any) -> bool:
    """Set a canonical value; False when another value stands there already."""
    there: Any = target
    for part in path[:-1]:
        there = there.setdefault(part, {})
        if not isinstance(there, dict):
            return False
    if path[-1] in there:
        return bool(there[path[-1]] == value)
    there[path[-1]] = value
    return True


@dataclass(frozen=True, slots=True)
class _Leaf:
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


class Lens:
    """One agency format, compiled. `customs` are the adapter's own fields by name."""

    def __init__(
        self, mapping: AgencyMapping, extension_style: str, customs: Mapping[str, CustomField] | None = None
    ) -> None:
        self.mapping = mapping
        self.extension_style = extension_style
        self.customs = dict(customs or {})
        self.lexicon = lexicon(mapping.style)
        self._kinds = {kind.native: kind for kind in mapping.kinds}
        self._lazy: tuple[GroupRule, ...] = tuple(g for g in mapping.groups if g.target != "data" and not g.repeat)
        self._vault: tuple[tuple[tuple[str, ...], str, bool], ...] = self._taken("vault") + self._taken("seal")
        self.plan = self._compile()

    # --- reading ---

    def _taken(self, action: str) -> tuple[tuple[tuple[str, ...], str, bool], ...]:
        out: list[tuple[tuple[str, ...], str, bool]] = []
        for group in self.mapping.groups:
            for rule in group.fields:
                if rule.action == action:
                    out.extend(((*group.at, *path), rule.argument, action == "seal") for path in rule.aliases)
        return tuple(out)

    def _compile(self) -> Plan:
        tree: dict[str, Any] = {}
        repeats: dict[tuple[str, ...], list[GroupRule]] = {}
        for group in self.mapping.groups:
            if group.repeat:
                repeats.setdefault(group.at, []).append(group)
        for group in self.mapping.groups:
            for rule in group.fields:
                action = self._action(group, rule)
                if action is None:
                    continue
                for path in rule.aliases:
                    there = tree
                    for part in (*group.at, *path)[:-1]:
                        there = there.setdefault(part, {})
                    there.setdefault((*group.at, *path)[-1], {}).setdefault(None, []).append(action)
        there = tree
        for part in self.mapping.extension[:-1]:
            there = there.setdefault(part, {})
        there.setdefault(self.mapping.extension[-1], {})[None] = [_Ignore()]
        there = tree
        for part in self.mapping.kind_at[:-1]:
            there = there.setdefault(part, {})
        there.setdefault(self.mapping.kind_at[-1], {}).setdefault(None, [_Ignore()])
        return self._plan(tree, (), repeats)

    def _action(self, group: GroupRule, rule: FieldRule) -> Action | None:
        if rule.action == "map":
            choice = rule.choices[0]
            is_simple = (
                len(rule.choices) == 1
                and not rule.when
                and not rule.many
                and not rule.not_provided
                and choice.to[0][0] != "@"
            )
            return _Leaf(group.slot, rule, choice if is_simple else None, under(group))
        if rule.action == "drop":
            return _Drop(rule.argument)
        if rule.action == "ignore":
            return _Ignore()
        if rule.action == "custom":
            return _Custom(group.slot, self.customs[rule.argument])
        return None  # vault and seal are gone before the walk

    def _plan(
        self, tree: dict[Any, Any], at: tuple[str, ...], repeats: Mapping[tuple[str, ...], list[GroupRule]]
    ) -> Plan:
        plan: Plan = {}
        for key, below in tree.items():
            if key is None:
                continue
            actions: list[Action] = list(below.get(None, ()))
            if any(name is not None for name in below):
                inner = self._plan(below, (*at, key), repeats)
                groups = repeats.get((*at, key))
                actions.append(_Repeat(inner, tuple(groups)) if groups else _Branch(inner))
            plan[key] = tuple(actions)
        return plan

    def take_reporter(self, tree: Tree, reading: Reading) -> None:
        """Move reporter and sealed fields out of the tree, before anything else is looked at."""
        for path, name, is_sealed in self._vault:
            for value in _take_all(tree, path):
                text = text_of(scalar(value, reading.scalar_key))
                if text is not None:
                    home = reading.sealed if is_sealed else reading.reporter
                    if name in home and home[name] != text.strip():
                        home[name] = f"{home[name]}; {text.strip()}"
                    else:
                        home[name] = text.strip()

    def read(self, tree: Tree, reading: Reading) -> NoticeType | None:
        """Fill `reading`; return the canonical type, None when the kind names none and there is no default."""
        self.take_reporter(tree, reading)
        kind = self._kind(tree, reading)
        slots: Slots = {"data": reading.data}
        for group in self._lazy:
            slots[group.slot] = new_item(group)
        walk(tree, self.plan, slots, (), reading)
        for group in self._lazy:
            settle(group, slots[group.slot], reading)
        if kind is None:
            return None
        for path, value in kind.sets.items():
            fill(reading.data, path, value)
        return kind.type

    def _kind(self, tree: Tree, reading: Reading) -> KindRule | None:
        text = text_of(scalar(get_at(tree, self.mapping.kind_at), reading.scalar_key))
        if text is not None:
            plain = text.strip()
            known = self._kinds.get(plain)
            if known is not None:
                return known
            canonical = self.lexicon.types_back.get(plain) or (plain if plain in self.lexicon.types else None)
            if canonical is not None:
                return KindRule(plain, NoticeType(canonical), {})
        elif self.mapping.implicit_type is not None:
            return KindRule("", self.mapping.implicit_type, {})
        if self.mapping.default_type is None:
            return None
        reading.gap(
            "unknown-kind",
            self.mapping.kind_at,
            f"the message kind is not listed; taken as {self.mapping.default_type}",
        )
        return KindRule("", self.mapping.default_type, {})

    def finish(self, tree: Tree, reading: Reading) -> tuple[Provenance, ...]:
        """Order and name the persons, overlay the extension block; the provenance of every value."""
        default_refs(reading.persons)
        block = get_at(tree, self.mapping.extension)
        overlay: Tree = {}
        if block not in (None, "", {}):
            try:
                overlay = self._overlay(block)
            except (ValueError, TypeError, RecursionError):
                reading.gap(
                    "extension", self.mapping.extension, "the extension block is not well formed and was not read"
                )
        if overlay:
            self._merge(overlay, reading)
        if reading.persons:
            reading.data["persons"] = reading.persons
        prefixes = {id(reading.data): ""} | {id(person): f"/persons/{n}" for n, person in enumerate(reading.persons)}
        out = [
            provenance(prefixes[id(target)], path, reading.locate(at))
            for target, path, at in reading.sources
            if id(target) in prefixes
        ]
        if overlay:
            at = reading.locate(self.mapping.extension)
            out.extend(provenance("", pointer, at) for pointer in _leaves(overlay) if pointer[0] != "persons")
        return tuple(out)

    def _overlay(self, block: Any) -> Tree:
        if self.extension_style == "typed":
            block = untyped(block)
        elif self.extension_style == "flat":
            block = unflat(block)
        if not isinstance(block, dict):
            raise TypeError("an extension block is a group")
        home = self.lexicon.home(block)
        home.pop("@table", None)
        return dict(home)

    def _merge(self, overlay: Tree, reading: Reading) -> None:
        people = overlay.pop("persons", [])
        renamed: dict[str, str] = {}
        entries = [entry for entry in people if isinstance(entry, dict)] if isinstance(people, list) else []
        for entry in entries:
            if isinstance(entry.get("@native"), str) and isinstance(entry.get("ref"), str):
                renamed[entry["@native"]] = entry["ref"]
        by_ref = {person["ref"]: person for person in reading.persons}
        for person in reading.persons:
            if person.get("of") in renamed:
                person["of"] = renamed[person["of"]]
        for entry in entries:
            named = by_ref.get(str(entry.pop("@native", "")))
            if named is None:
                reading.persons.append(entry)
                continue
            if entry.pop("unrelated", False):
                named.pop("of", None)
            _deep_merge(named, entry)
        _deep_merge(reading.data, overlay)

    # --- writing ---

    def write(self, rest: Tree, kind: NoticeType, envelope: Mapping[str, str]) -> Tree:
        """A native tree of everything in `rest`, which is consumed.

        `envelope` has @id, @time, @subject, @expires; times already in native form.
        """
        tree: Tree = {}
        native_kind = self._kind_out(kind, rest)
        persons: list[Tree] = [person for person in rest.pop("persons", []) if isinstance(person, dict)]
        claimed: list[Tree] = []
        set_at(tree, self.mapping.kind_at, native_kind)
        for group in self.mapping.groups:
            if group.reads_only:
                continue
            self._write_group(group, tree, rest, persons, claimed, envelope)
        left = self._people_left(claimed, persons)
        if left:
            rest["persons"] = left
        _prune(rest)
        for name in [name for name in rest if name[0] == "~"]:
            del rest[name]  # what an adapter laid aside for its own fields
        if rest:
            block = self.lexicon.out({"@table": TABLE, **rest})
            if self.extension_style == "typed":
                block = typed(block)
            elif self.extension_style == "flat":
                block = dict(flat(block))
            set_at(tree, self.mapping.extension, block)
        return tree

    def _kind_out(self, kind: NoticeType, rest: Tree) -> str:
        for rule in self.mapping.kinds:
            if rule.type == kind and not rule.reads_only and all(get_at(rest, p) == v for p, v in rule.sets.items()):
                for path in rule.sets:
                    pop_at(rest, path)
                return rule.native
        return self.lexicon.types.get(kind, str(kind))

    def _write_group(
        self,
        group: GroupRule,
        tree: Tree,
        rest: Tree,
        persons: list[Tree],
        claimed: list[Tree],
        envelope: Mapping[str, str],
    ) -> None:
        if group.target == "data":
            node: Tree = {}
            self._write_fields(group, node, rest, envelope)
            if node:
                _merge_native(tree, group.at, node)
            return
        if group.target == "person":
            items = [p for p in persons if plays(p, group.constants["roles"][0])]
        else:
            found = get_at(rest, group.list_path)
            items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
            if len(items) != len(found or ()):
                return
        nodes: list[Tree] = []
        for item in items if group.repeat else items[:1]:
            node = {}
            copy = _copy(item)
            self._write_fields(group, node, copy, envelope)
            if group.target == "list" and copy:
                return  # an item that does not fit whole goes to the extension block, with its list
            if not node:
                continue
            nodes.append(node)
            if group.target == "person":
                for index, person in enumerate(persons):
                    if person is item:
                        del persons[index]
                        break
                expected = copy.pop(NATIVE_ROLES, group.constants["roles"])
                if item.get("roles") == expected:
                    del copy["roles"]
                claimed.append(
                    {
                        **copy,
                        "@roles": expected,
                        "@relation": "relation" in item and "relation" not in copy,
                        "@ref": item.get("ref"),
                    }
                )
        if group.target == "list" and nodes:
            pop_at(rest, group.list_path)
        if nodes:
            if group.repeat:
                there = tree
                for part in group.at[:-1]:
                    there = there.setdefault(part, {})
                there.setdefault(group.at[-1], []).extend(nodes)
            else:
                _merge_native(tree, group.at, nodes[0])

    def _write_fields(self, group: GroupRule, node: Tree, rest: Tree, envelope: Mapping[str, str]) -> None:
        for rule in group.fields:
            if rule.action == "custom":
                self.customs[rule.argument].write(rest, node)
            elif rule.action == "map":
                self._write_field(rule, node, rest, envelope)

    def _write_field(self, rule: FieldRule, node: Tree, rest: Tree, envelope: Mapping[str, str]) -> None:
        if rule.native[0] in node and get_at(node, rule.native) is not None:
            return
        for choice in rule.choices:
            head = choice.to[0]
            if head not in rest and head[0] != "@":
                continue
            if head[0] == "@":
                if head in envelope:
                    set_at(node, rule.native, envelope[choice.to[0]])
                    return
                continue
            value = get_at(rest, choice.to)
            if value is None or any(get_at(rest, tuple(n.split("."))) != v for n, v in rule.when.items()):
                continue
            try:
                if rule.many:
                    if not isinstance(value, list) or not value:
                        continue
                    parts = [choice.converter.write(item) for item in value]
                    if rule.split and any(rule.split in p or any(s in p for s in rule.also_split) for p in parts):
                        continue
                    native: Any = rule.split.join(parts) if rule.split else parts
                else:
                    native = choice.converter.write(value)
            except Unwritable:
                continue
            set_at(node, rule.native, native)
            pop_at(rest, choice.to)
            for name in rule.when:
                pop_at(rest, tuple(name.split(".")))
            return

    def _people_left(self, claimed: list[Tree], others: list[Tree]) -> list[Tree]:
        """What the extension block must say about persons: leftovers, refs and relations that reading would not guess."""
        order = sorted(claimed, key=lambda person: "minor" not in person["@roles"])
        first = next((person for person in order if "minor" in person["@roles"]), None)
        out: list[Tree] = []
        for number, person in enumerate(order, 1):
            entry = {k: v for k, v in person.items() if k not in ("@roles", "@relation", "@ref") and k[0] != "~"}
            if entry.get("ref") == f"p{number}":
                del entry["ref"]
            expected = (
                first["@ref"] if first is not None and person["@relation"] and "minor" not in person["@roles"] else None
            )
            if expected is not None:
                if entry.get("of") == expected:
                    del entry["of"]
                elif "of" not in entry:
                    entry["unrelated"] = True
            if entry:
                out.append({"@native": f"p{number}", **entry})
        return [*out, *({k: v for k, v in person.items() if k[0] != "~"} for person in others)]


# For groups that take several roles (`member`, `party`): the roles that reading the format will give this person.
NATIVE_ROLES = "~native_roles"


def plays(person: Mapping[str, Any], role: str) -> bool:
    """Whether a person group of that role may carry this person; `member` takes everybody but the minors."""
    roles = person.get("roles")
    if not isinstance(roles, list):
        return False
    if role == "party":
        return NATIVE_ROLES in person
    return "minor" not in roles if role == "member" else role in roles


def default_refs(persons: list[Tree]) -> None:
    """Minors first, then in native order; others with a relation are related to the first minor, unless the adapter
    marked them `~unrelated`: a relative of somebody who is not in the input."""
    persons.sort(key=lambda person: "minor" not in person.get("roles", ()))
    first = ""
    for number, person in enumerate(persons, 1):
        person["ref"] = f"p{number}"
        if "minor" in person.get("roles", ()):
            first = first or person["ref"]
        elif not person.pop("~unrelated", False) and first and "relation" in person:
            person.setdefault("of", first)


def read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def native_instant(moment: datetime, form: str) -> str:
    return local_instant(moment, form)


def _take_all(tree: Any, path: tuple[str, ...]) -> list[Any]:
    if isinstance(tree, list):
        return [value for item in tree for value in _take_all(item, path)]
    if not isinstance(tree, dict):
        return []
    if len(path) == 1:
        return as_list(tree.pop(path[0], None))
    return _take_all(tree.get(path[0]), path[1:])


def _copy(value: Any) -> Any:
    if value.__class__ is str:
        return value
    if isinstance(value, dict):
        return {key: _copy(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_copy(below) for below in value]
    return value


def plain_copy(data: Mapping[str, Any]) -> Tree:
    """A deep, mutable copy of canonical data."""
    copied = _copy(dict(data))
    return copied if isinstance(copied, dict) else {}


def _prune(tree: Tree) -> None:
    for key in [key for key, value in tree.items() if value == {} and key != "_disclosure"]:
        del tree[key]


def _merge_native(tree: Tree, at: tuple[str, ...], node: Tree) -> None:
    there = tree
    for part in at:
        there = there.setdefault(part, {})
    _deep_merge(there, node)


def _deep_merge(there: Tree, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        below = there.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            _deep_merge(below, value)
        else:
            there[key] = value


def _leaves(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if value.__class__ is dict:
        return [leaf for key, below in value.items() for leaf in _leaves(below, (*at, key))]
    if value.__class__ is list:
        return [leaf for index, below in enumerate(value) for leaf in _leaves(below, (*at, str(index)))]
    return [at]


@lru_cache(maxsize=16_384)
def provenance(prefix: str, path: tuple[str, ...], source: str) -> Provenance:
    """Messages of one format say the same things in the same places, so these are made once."""
    return Provenance(f"{prefix}/{'/'.join(path)}", source)
