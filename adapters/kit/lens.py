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

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.kit.extension import lexicon
from adapters.kit.mapping import AgencyMapping, GroupRule, KindRule
from adapters.kit.native import Tree, as_list, get_at, plain_copy
from adapters.kit.overlay import lay_over, leaves, overlay_of
from adapters.kit.persons import NATIVE_ROLES, default_refs, plays
from adapters.kit.plan import new_item, plan_of, settle, walk
from adapters.kit.reading import Action, CustomField, Reading, Slots, fill, scalar, text_of
from adapters.kit.time_values import local_instant
from adapters.kit.writing import Writer
from gateway.model.identifiers import NoticeType
from gateway.model.notice import Provenance

__all__ = [
    "NATIVE_ROLES", "Action", "CustomField", "Lens", "Reading", "Slots", "default_refs", "fill", "native_instant",
    "plain_copy", "plays", "read_time", "scalar", "text_of",
]  # fmt: skip


_made = tuple.__new__
_Vault = dict[str, Any]  # native name -> the same of what is below it, or (name in the vault, whether it is sealed)


class Lens:
    """One agency format, compiled. `customs` are the adapter's own fields by name."""

    def __init__(
        self, mapping: AgencyMapping, extension_style: str, customs: Mapping[str, CustomField] | None = None
    ) -> None:
        self.mapping = mapping
        self.extension_style = extension_style
        self.customs = dict(customs or {})
        self.lexicon = lexicon(mapping.style)
        self._kinds = {
            **{type_: KindRule(type_, NoticeType(type_), {}) for type_ in self.lexicon.types},
            **{native: KindRule(native, NoticeType(type_), {}) for native, type_ in self.lexicon.types_back.items()},
            **{kind.native: kind for kind in mapping.kinds},
        }
        self._lazy: tuple[GroupRule, ...] = tuple(g for g in mapping.groups if g.target != "data" and not g.repeat)
        self._vault: _Vault = {}
        for action in ("vault", "seal"):
            self._taken(action, self._vault)
        self.plan = plan_of(mapping, self.customs)
        self._writer = Writer(mapping, extension_style, self.customs)

    # --- reading ---

    def _taken(self, action: str, vault: _Vault) -> None:
        """Add the paths of one action."""
        for group in self.mapping.groups:
            for rule in group.fields:
                if rule.action == action:
                    for path in rule.aliases:
                        there = vault
                        for part in (*group.at, *path)[:-1]:
                            there = there.setdefault(part, {})
                        there[path[-1]] = rule.argument, action == "seal"

    def take_reporter(self, tree: Tree, reading: Reading) -> None:
        """Move reporter and sealed fields out of the tree, before anything else is looked at."""
        _take(tree, self._vault, reading)

    def read(self, tree: Tree, reading: Reading) -> NoticeType | None:
        """Fill `reading`; return the canonical type, None when the kind names none and there is no default."""
        self.take_reporter(tree, reading)
        kind = self.kind(tree, reading)
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

    def kind(self, tree: Tree, reading: Reading) -> KindRule | None:
        """What the tree says it is; an unlisted kind is named where there is a default, else None."""
        text = text_of(scalar(get_at(tree, self.mapping.kind_at), reading.scalar_key))
        if text is not None:
            known = self._kinds.get(text.strip())
            if known is not None:
                return known
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
                overlay = overlay_of(block, self.extension_style, self.lexicon)
            except (ValueError, TypeError, RecursionError):
                reading.gap(
                    "extension", self.mapping.extension, "the extension block is not well formed and was not read"
                )
        if overlay:
            lay_over(overlay, reading)
        if reading.persons:
            reading.data["persons"] = reading.persons
        prefixes = {id(reading.data): ""}
        for number, person in enumerate(reading.persons):
            prefixes[id(person)] = f"/persons/{number}"
        locate, prefix_of = reading.locate, prefixes.get
        out = [
            _made(Provenance, (prefix + pointer, locate(at)))  # what its own constructor does, one call later
            for target, pointer, at in reading.sources
            if (prefix := prefix_of(id(target))) is not None
        ]
        if overlay:
            where = locate(self.mapping.extension)
            out.extend(Provenance("/" + "/".join(path), where) for path in leaves(overlay) if path[0] != "persons")
        return tuple(out)

    # --- writing ---

    def write(self, rest: Tree, kind: NoticeType, envelope: Mapping[str, str]) -> Tree:
        """A native tree of everything in `rest`, which is consumed.

        `envelope` has @id, @time, @subject, @expires; times already in native form.
        """
        return self._writer.write(rest, kind, envelope)


def read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def native_instant(moment: datetime, form: str) -> str:
    return local_instant(moment, form)


def _take(tree: Any, vault: _Vault, reading: Reading) -> None:
    """Take what the vault names out of a group, or out of each of several."""
    if tree.__class__ is list:
        for item in tree:
            _take(item, vault, reading)
    if tree.__class__ is not dict:
        return
    for name, below in vault.items():
        if name not in tree:
            continue
        if below.__class__ is dict:
            _take(tree[name], below, reading)
            continue
        for value in as_list(tree.pop(name)):
            text = text_of(scalar(value, reading.scalar_key))
            if text is not None:
                _keep(text.strip(), below, reading)


def _keep(text: str, taken: tuple[str, bool], reading: Reading) -> None:
    name, is_sealed = taken
    home = reading.sealed if is_sealed else reading.reporter
    home[name] = text if home.get(name, text) == text else f"{home[name]}; {text}"
