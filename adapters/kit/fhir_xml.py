"""How does the XML form of FHIR R4 become the tree that its JSON form is, and back?

The two forms say the same, but XML does not say what is a list, a number or a boolean, and wants its elements in
order: `fhir_r4.yaml` tells both. Of types that no case notice is made of nothing is known; what repeats there is a
list, and everything is text. Positions are FHIRPath, as in JSON.

Strict where two readers could disagree: an element of another namespace, text between elements, a resource that is
none, a primitive with both value and elements of its own, more than one root. The hardening is that of `xml_codec`:
no document type declaration, no entities, bounded in size, depth and number of elements.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml
from lxml import etree

from adapters.kit.native import DEFAULT_LIMITS, Limits, Tree, Unreadable
from adapters.kit.xml_codec import parse_hardened
from gateway.model.notice import Gap

FHIR_XML = "application/fhir+xml"
FHIR = "http://hl7.org/fhir"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_SPACE = f"{{{FHIR}}}"
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ROOT = re.compile(r"<(?:[A-Za-z_][\w.\-]*:)?([A-Z][A-Za-z]{1,63})(\s[^>]*)>")
_REMEDY = "send FHIR R4 XML as its schema has it, or JSON"


class Element(NamedTuple):
    """`kind`: `b`, `i`, `d`, `` for text, else the name of a type."""

    name: str
    many: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Type:
    """`order` is that of XML. `attributes` are what is no element: the `id` of what is no resource, the `url` of an extension."""

    elements: Mapping[str, Element]
    order: Mapping[str, int]
    attributes: frozenset[str]


@cache
def types() -> Mapping[str, Type]:
    """Every type by name; under `R` and `B` what is known of a resource and of an element whose type is not listed."""
    document = yaml.load(
        resources.files("adapters.kit").joinpath("fhir_r4.yaml").read_text("utf-8"),
        Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506 - a safe loader
    )
    heads = document["heads"]
    out = {name: _type(name, name, said) for name, said in heads.items()}
    for name, said in document["types"].items():
        head, _, own = said.partition(" ")
        out[name] = _type(name, head, f"{heads[head]} {own}")
    return out


def _type(name: str, head: str, said: str) -> Type:
    elements = [_element(word) for word in said.split()]
    attributes = {"url", "id"} if name == "Extension" else set() if head in "RQ" else {"id"}
    return Type(
        {one.name: one for one in elements},
        {one.name: number for number, one in enumerate(elements)},
        frozenset(attributes),
    )


def _element(word: str) -> Element:
    name, _, kind = word.partition(":")
    return Element(name.rstrip("*"), name.endswith("*"), kind)


def is_fhir_xml(raw: bytes) -> bool:
    """Whether the root element is of FHIR's namespace, by a look at its start tag."""
    head = raw[:4096].replace(b"\0", b"").decode("latin-1")
    root = _ROOT.search(head)
    return root is not None and root[1] != "ClinicalDocument" and FHIR in root[2]


# --- reading ---


def read_xml(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Tree, list[Gap]]:
    """The resource as its JSON form has it, and what had to be overlooked. Raises Unreadable."""
    root, gaps = parse_hardened(raw, limits)
    if not (isinstance(root.tag, str) and root.tag.startswith(_SPACE)):
        raise Unreadable("not-fhir", "/", "the root element is not of FHIR's namespace", f'declare xmlns="{FHIR}"')
    return _Reader(limits).resource(root, "", 1), gaps


class _Reader:
    """One document. `where` is the FHIRPath of what is being read."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.count = 0

    def resource(self, node: Any, where: str, depth: int) -> Tree:
        name = self._name(node, where)
        here = where or name
        if not name[:1].isupper():
            raise Unreadable("not-fhir", here, "no resource where one is expected", _REMEDY)
        return {"resourceType": name, **self.group(node, types().get(name, types()["R"]), here, depth)}

    def group(self, node: Any, kind: Type, where: str, depth: int) -> Tree:
        """An element with elements of its own."""
        if depth > self.limits.max_depth:
            raise Unreadable(
                "too-deep", where, f"nested deeper than {self.limits.max_depth}", "send a flatter document"
            )
        # another attribute than these is no FHIR, and is named when the tree is read; `xsi:schemaLocation` says nothing
        out: Tree = {name: said for name, said in node.items() if name[0] != "{"}
        self._no_text(node.text, where)
        found: dict[str, list[Any]] = {}
        for child in node:
            found.setdefault(self._name(child, where), []).append(child)
            self._no_text(child.tail, where)
        for name, children in found.items():
            known = kind.elements.get(name)
            is_list = known.many if known is not None else False
            is_list = is_list or len(children) > 1
            said = [
                self._said(child, known, f"{where}.{name}[{number}]" if is_list else f"{where}.{name}", depth + 1)
                for number, child in enumerate(children)
            ]
            values, beside = [value for value, _ in said], [more for _, more in said]
            if any(value is not None for value in values):
                out[name] = values if is_list else values[0]
            if any(more is not None for more in beside):
                out["_" + name] = beside if is_list else beside[0]
        return out

    def _said(self, node: Any, known: Element | None, where: str, depth: int) -> tuple[Any, Tree | None]:
        """The value of one element, and what JSON puts beside it under `_name`."""
        self.count += 1
        if self.count > self.limits.max_nodes:
            raise Unreadable("too-large", where, f"more than {self.limits.max_nodes} elements", "send smaller pieces")
        if node.tag.startswith(_XHTML):
            return etree.tostring(node, encoding="unicode", with_tail=False), None
        kind = known.kind if known is not None else ""
        if kind == "Resource" or (known is None and len(node) == 1 and self._is_resource(node[0])):
            if len(node) != 1:
                raise Unreadable("not-fhir", where, "one resource is expected here", _REMEDY)
            self._no_text(node.text, where)
            self._no_text(node[0].tail, where)
            return self.resource(node[0], where, depth), None
        if len(kind) > 1 or (known is None and "value" not in node.attrib):
            if node.get("value") is not None and len(kind) > 1:
                raise Unreadable("not-fhir", where, "a value where elements are expected", _REMEDY)
            return self.group(node, types().get(kind, types()["B"]), where, depth), None
        text = node.attrib.get("value")
        if text is not None and len(node.attrib) == 1 and not len(node) and not node.text:
            return _typed(text, kind), None
        more = {name: said for name, said in self.group(node, types()["E"], where, depth).items() if name != "value"}
        if set(more) - {"id", "extension"}:
            raise Unreadable("not-fhir", where, "more than a value and extensions of it", _REMEDY)
        return (None if text is None else _typed(text, kind)), more or None

    def _name(self, node: Any, where: str) -> str:
        tag = node.tag
        if isinstance(tag, str):
            if tag.startswith(_SPACE):
                return tag[len(_SPACE) :]
            if tag == _XHTML + "div":
                return "div"
        raise Unreadable("not-fhir", where or "/", "an element of another namespace", _REMEDY)

    def _is_resource(self, node: Any) -> bool:
        return isinstance(node.tag, str) and node.tag.startswith(_SPACE) and node.tag[len(_SPACE) :][:1].isupper()

    def _no_text(self, text: str | None, where: str) -> None:
        if text and not text.isspace():
            raise Unreadable("not-fhir", where, "text between the elements", _REMEDY)


def _typed(text: str, kind: str) -> Any:
    """As the JSON reader gives it: fractions stay text; what is not of its type stays text too, and is named when it is read."""
    if kind == "b" and text in ("true", "false"):
        return text == "true"
    return int(text) if kind in ("i", "d") and _WHOLE.fullmatch(text) is not None else text


# --- writing ---


def write_xml(resource: Mapping[str, Any]) -> bytes:
    """A resource in its XML form, the elements in the order of R4."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>']
    _resource(resource, parts, f' xmlns="{FHIR}"')
    text = "".join(parts)
    return (_NOT_XML.sub("\ufffd", text) if _NOT_XML.search(text) is not None else text).encode()


_QUOTED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
)


def _resource(resource: Mapping[str, Any], parts: list[str], declared: str = "") -> None:
    name = str(resource["resourceType"])
    parts.append(f"<{name}{declared}>")
    _elements(resource, types().get(name, types()["R"]), parts)
    parts.append(f"</{name}>")


def _elements(group: Mapping[str, Any], kind: Type, parts: list[str]) -> None:
    said = dict.fromkeys(name.removeprefix("_") for name in group if name != "resourceType")
    for name in sorted(said, key=lambda name: kind.order.get(name, len(kind.order))):
        if name in kind.attributes:
            continue
        known = kind.elements.get(name)
        values, beside = _listed(group.get(name)), _listed(group.get("_" + name))
        for number in range(max(len(values), len(beside))):
            value = values[number] if number < len(values) else None
            more = beside[number] if number < len(beside) else None
            _one(name, value, more, known.kind if known is not None else "", parts)


def _one(name: str, value: Any, more: Any, kind: str, parts: list[str]) -> None:
    if isinstance(value, dict):
        below = types().get(kind, types()["B"])
        is_resource = "resourceType" in value
        parts.append(f"<{name}{'' if is_resource else _attributes(value, below.attributes)}>")
        if is_resource:
            _resource(value, parts)
        else:
            _elements(value, below, parts)
        parts.append(f"</{name}>")
        return
    extra: Mapping[str, Any] = more if isinstance(more, dict) else {}
    attributes = _attributes({**extra, **({} if value is None else {"value": _spelled(value)})}, ("id", "value"))
    inner: list[str] = []
    for extension in _listed(extra.get("extension")):
        _one("extension", extension, None, "Extension", inner)
    parts.append(f"<{name}{attributes}>{''.join(inner)}</{name}>" if inner else f"<{name}{attributes}/>")


def _attributes(group: Mapping[str, Any], names: Collection[str]) -> str:
    said = [(name, group[name]) for name in sorted(names) if isinstance(group.get(name), str)]
    return "".join(f' {name}="{value.translate(_QUOTED)}"' for name, value in said)


def _spelled(value: Any) -> str:
    return "true" if value is True else "false" if value is False else str(value)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else () if value is None else (value,)
