"""How is a policy file read so that every mistake has a file and a line?

YAML is composed into nodes, never constructed: scalars stay the text that was
written (so `no` is a value, not a boolean), marks give positions, and nothing
is guessed. A reader collects *all* problems instead of stopping at the first.
Unknown keys, keys given twice, empty lists and texts, anchors and several documents in one file are problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

import yaml

from gateway.model.errors import Problem
from gateway.policy.vocabulary import Origin, Text

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

T = TypeVar("T")


@dataclass(slots=True)
class Problems:
    """All that was found wrong, in the order found."""

    found: list[Problem] = field(default_factory=list)

    def add(self, code: str, origin: Origin, message: str, remedy: str = "") -> None:
        self.found.append(Problem(code, str(origin), message, remedy))


@dataclass(frozen=True, slots=True)
class Node:
    """One YAML node with its place, and typed ways to read it. A wrong type is a problem and reads as empty."""

    raw: yaml.Node
    file: str
    problems: Problems

    @property
    def origin(self) -> Origin:
        return Origin(self.file, self.raw.start_mark.line + 1)

    def problem(self, code: str, message: str, remedy: str = "") -> None:
        self.problems.add(code, self.origin, message, remedy)

    def _sub(self, node: yaml.Node) -> Node:
        return Node(node, self.file, self.problems)

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.raw, yaml.ScalarNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.raw, yaml.SequenceNode)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.raw, yaml.MappingNode)

    def entries(self) -> dict[str, tuple[Node, Node]]:
        """Key text to (key node, value node) of a mapping."""
        if not isinstance(self.raw, yaml.MappingNode):
            self.problem("not-a-mapping", "a mapping of keys to values is needed here")
            return {}
        read: dict[str, tuple[Node, Node]] = {}
        for key, value in self.raw.value:
            key_node = self._sub(key)
            if not isinstance(key, yaml.ScalarNode):
                key_node.problem("not-a-key", "a key must be plain text")
            elif key.value in read:
                key_node.problem("duplicate-key", f"the key `{key.value}` is given twice")
            else:
                read[key.value] = (key_node, self._sub(value))
        return read

    def members(
        self, *, required: frozenset[str] = frozenset(), optional: frozenset[str] = frozenset()
    ) -> dict[str, Node]:
        """The values of a mapping whose keys are closed: an unknown key and a missing one are problems."""
        read: dict[str, Node] = {}
        for name, (key, value) in self.entries().items():
            if name in required or name in optional:
                read[name] = value
            else:
                known = ", ".join(sorted(required | optional))
                key.problem("unknown-key", f"the key `{name}` is not known here", f"one of: {known}")
        if self.is_mapping:
            for name in sorted(required - read.keys()):
                self.problem("missing-key", f"the key `{name}` is missing")
        return read

    def text(self) -> str:
        if not isinstance(self.raw, yaml.ScalarNode):
            self.problem("not-a-text", "one plain value is needed here")
            return ""
        value = str(self.raw.value)
        if not value.strip():
            self.problem("empty-text", "an empty value says nothing", "leave the key out or give a value")
        return value

    def items(self) -> list[Node]:
        """The items of a list that must not be empty."""
        if not isinstance(self.raw, yaml.SequenceNode):
            self.problem("not-a-list", "a list is needed here")
            return []
        if not self.raw.value:
            self.problem(
                "empty-list",
                "an empty list says nothing",
                "leave the key out, or write `any` where everything is meant",
            )
        return [self._sub(item) for item in self.raw.value]

    def texts(self) -> list[tuple[str, Node]]:
        """One text or a list of texts; a text given twice is a problem."""
        nodes = [self] if self.is_scalar else self.items()
        seen: dict[str, Node] = {}
        for node in nodes:
            value = node.text()
            if value in seen:
                node.problem("duplicate-value", f"`{value}` is given twice in one list")
            elif value:
                seen[value] = node
        return list(seen.items())

    def title(self) -> Text:
        """`{zh: ..., en: ...}`."""
        read = self.members(required=frozenset({"zh", "en"}))
        return Text(*(read[key].text() if key in read else "" for key in ("zh", "en")))

    def date(self) -> date:
        value = self.text()
        try:
            if not _DATE.fullmatch(value):
                raise ValueError
            return date.fromisoformat(value)
        except ValueError:
            self.problem("not-a-date", "a date has the form 2026-01-31")
            return date.min

    def number(self) -> int:
        value = self.text()
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
            self.problem("not-a-number", "a whole number is needed here")
            return 0
        return int(value)

    def boolean(self) -> bool:
        value = self.text()
        if value not in {"yes", "no"}:
            self.problem("not-yes-or-no", "write `yes` or `no`")
        return value == "yes"

    def one_of(self, choices: Mapping[str, T], what: str) -> T | None:
        value = self.text()
        if value in choices:
            return choices[value]
        if value:
            self.problem("unknown-value", f"`{value}` is not a known {what}", f"one of: {', '.join(sorted(choices))}")
        return None


def read_files(files: Mapping[str, str], problems: Problems) -> Iterator[tuple[str, Node]]:
    """Compose each file (name to text) and yield it with its root node. Broken YAML is a problem with its line."""
    for name in sorted(files):
        try:
            root = yaml.compose(files[name], Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            problems.add("not-yaml", Origin(name, line), f"this is not YAML: {error.problem or 'cannot be read'}")
            continue
        except yaml.YAMLError:
            problems.add("not-yaml", Origin(name, 1), "this is not YAML: a character that YAML does not allow")
            continue
        if root is None:
            problems.add("empty-file", Origin(name, 1), "the file says nothing")
            continue
        node = Node(root, name, problems)
        if _has_alias(root, node, set()):
            continue
        yield name, node


def _has_alias(node: yaml.Node, at: Node, seen: set[int]) -> bool:
    if id(node) in seen:
        Node(node, at.file, at.problems).problem(
            "alias", "an anchored value is used twice; write it out, or name a field group"
        )
        return True
    seen.add(id(node))
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    found = [_has_alias(child, at, seen) for child in children]  # all of them: each alias is a problem of its own
    return any(found)


def read_named(node: Node, read: Callable[[str, Node, Node], T | None]) -> dict[str, T]:
    """A mapping of free names to things; must not be empty."""
    result: dict[str, T] = {}
    entries = node.entries()
    if node.is_mapping and not entries:
        node.problem("empty-mapping", "an empty mapping says nothing")
    for name, (key, value) in entries.items():
        thing = read(name, key, value)
        if thing is not None:
            result[name] = thing
    return result
