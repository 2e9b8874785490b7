"""How are canonical values moved into native groups, rule by rule, and what is left for the extension block?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.kit.extension import TABLE, flat, lexicon, typed
from adapters.kit.mapping import AgencyMapping, GroupRule
from adapters.kit.native import Tree, copied, get_at, merge_at, pop_at, set_at
from adapters.kit.persons import Claimed, people_left, plays
from adapters.kit.placing import Placing, placing
from adapters.kit.reading import CustomField
from gateway.model.identifiers import NoticeType


class Writer:
    """One mapping, written. Stateless after construction."""

    def __init__(self, mapping: AgencyMapping, extension_style: str, customs: Mapping[str, CustomField]) -> None:
        self.mapping = mapping
        self.extension_style = extension_style
        self.lexicon = lexicon(mapping.style)
        self._groups = tuple(
            (group, tuple(made for rule in group.fields if (made := placing(rule, customs)) is not None))
            for group in mapping.groups
            if not group.reads_only
        )

    def write(self, rest: Tree, kind: NoticeType, envelope: Mapping[str, str]) -> Tree:
        """A native tree of everything in `rest`, which is consumed.

        `envelope` has @id, @time, @subject, @expires; times already in native form.
        """
        tree: Tree = {}
        native_kind = self._kind_out(kind, rest)
        persons: list[Tree] = [person for person in rest.pop("persons", []) if isinstance(person, dict)]
        claimed: list[Claimed] = []
        set_at(tree, self.mapping.kind_at, native_kind)
        for group, fields in self._groups:
            if group.target == "data":
                node: Tree = {}
                _place(fields, node, rest, envelope)
                if node:
                    merge_at(tree, group.at, node)
            else:
                self._write_items(group, fields, tree, rest, persons, claimed, envelope)
        left = people_left(claimed, persons)
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
                block = flat(block)
            set_at(tree, self.mapping.extension, block)
        return tree

    def _kind_out(self, kind: NoticeType, rest: Tree) -> str:
        for rule in self.mapping.kinds:
            if rule.type == kind and not rule.reads_only and all(get_at(rest, p) == v for p, v in rule.sets.items()):
                for path in rule.sets:
                    pop_at(rest, path)
                return rule.native
        return self.lexicon.types.get(kind, str(kind))

    def _write_items(
        self,
        group: GroupRule,
        fields: Sequence[Placing],
        tree: Tree,
        rest: Tree,
        persons: list[Tree],
        claimed: list[Claimed],
        envelope: Mapping[str, str],
    ) -> None:
        if group.target == "person":
            items = [p for p in persons if plays(p, group.constants["roles"][0])]
        else:
            found = get_at(rest, group.list_path)
            items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
            if len(items) != len(found or ()):
                return
        nodes: list[Tree] = []
        for item in items if group.repeat else items[:1]:
            node: Tree = {}
            if group.target == "list":
                copy = copied(item)
                _place(fields, node, copy, envelope)
                if copy:
                    return  # an item that does not fit whole goes to the extension block, with its list
            else:
                claim = Claimed(item, item.get("roles"), "relation" in item, item.get("ref"))
                _place(fields, node, item, envelope)
                if node:
                    claimed.append(claim.read_back(group.constants["roles"]))
                    del persons[next(index for index, person in enumerate(persons) if person is item)]
            if node:
                nodes.append(node)
        if group.target == "list" and nodes:
            pop_at(rest, group.list_path)
        if nodes:
            if group.repeat:
                there = tree
                for part in group.at[:-1]:
                    there = there.setdefault(part, {})
                there.setdefault(group.at[-1], []).extend(nodes)
            else:
                merge_at(tree, group.at, nodes[0])


def _place(fields: Sequence[Placing], node: Tree, rest: Tree, envelope: Mapping[str, str]) -> None:
    for head, place in fields:
        if head is None or head in rest:
            place(node, rest, envelope)


def _prune(tree: Tree) -> None:
    for key in [key for key, value in tree.items() if value == {} and key != "_disclosure"]:
        del tree[key]
