"""How is XML from old systems read safely and forgivingly, and written so that they accept it?

Safely: a document type declaration is refused before parsing, so there are no
entities, no external files and no network; size, depth and node counts are
limited. Forgivingly: names are compared in capitals without their namespace;
the declared charset is tried but not trusted; XML that sits escaped inside a
SOAP text or a CDATA section, or as base64 in a text, is unwrapped, at most
twice, each time under the same limits. Several messages in one envelope are several items.

Trees: an element with neither attributes nor children is its text; any other
is a dict of `@ATTRIBUTE`, child names, and `#` for its own text. Repeated
children are lists.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lxml import etree

from adapters.kit.json_codec import text_of_bytes
from adapters.kit.native import (
    DEFAULT_LIMITS,
    Limits,
    NativeItem,
    Position,
    Tree,
    Unreadable,
    get_at,
    path_position,
    set_at,
)
from adapters.kit.text import SUPERSEDED, encode_gb18030, needs_care
from gateway.model.notice import Gap

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*?\?>", re.IGNORECASE)
_ENCODING = re.compile(
    rb"""^[\s\xef\xbb\xbf]*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._\-]{1,40})["']""", re.IGNORECASE
)
_PROLOG = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile('[&<>"\r\n\t]')
# How base64 of an XML declaration, of a CDA document, or of a byte-order mark before either begins.
_BASE64 = ("PD94bW", "PENsaW5pY2FsRG9jdW1lbn", "77u/PD94bW", "77u/PENsaW5pY2FsRG9jdW1lbn")
_FAULTS = {
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: (
        "an element is closed under another name",
        "close elements in their order",
    ),
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: ("the document ends inside an element", "send the whole document"),
    etree.ErrorTypes.ERR_DOCUMENT_END: ("something stands behind the root element", "send one document"),
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: (
        "the document does not begin with an element",
        "send XML and nothing before it",
    ),
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: ("an entity that XML does not have", "write the character itself"),
    etree.ErrorTypes.ERR_INVALID_CHAR: ("a character that XML does not allow", "leave control characters out"),
    etree.ErrorTypes.ERR_INVALID_CHARREF: ("a character that XML does not allow", "leave control characters out"),
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: ("an attribute is given twice", "give each attribute once"),
}  # not well-formed, as people who keep such systems call it
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}"


# One for all: making one costs a fifth of reading a message, and lxml lets one thread at a time use it.
_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    dtd_validation=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
    strip_cdata=True,
)


def parse_hardened(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Any, list[Gap]]:
    """The root element of untrusted bytes, and what had to be overlooked. Raises Unreadable."""
    text, gaps = _text(raw, limits)
    return _parse_text(text, limits, gaps), gaps


def _text(raw: bytes, limits: Limits) -> tuple[str, list[Gap]]:
    declared = _ENCODING.search(raw[:400])
    return text_of_bytes(raw, limits, declared.group(1).decode("ascii") if declared else None)


def _parse_text(text: str, limits: Limits, gaps: list[Gap]) -> Any:
    text = text.lstrip("\ufeff")
    declaration = _DECLARATION.match(text)
    before = declaration.group() if declaration is not None else ""
    if before:
        if "<?xml" not in before:
            gaps.append(Gap("xml-declaration", "line 1", "`<?xml` must be in small letters; read all the same"))
        text = text[len(before) :]
    start = _PROLOG.match(text)
    head = text[start.end() if start else 0 :][:9].upper()
    if head == "<!DOCTYPE":
        raise Unreadable(
            "xml-dtd", "prolog", "a document type declaration is not accepted", "send XML without DTD and entities"
        )
    if text.count("<") > 2 * limits.max_nodes:  # before any of them becomes one
        raise Unreadable("too-large", "/", f"more than {limits.max_nodes} elements", "send smaller pieces")
    try:
        root = etree.fromstring(text.encode("utf-8", "surrogatepass"), _PARSER)
    except etree.XMLSyntaxError as error:
        raise _broken(error, before) from None
    except ValueError:
        raise Unreadable(
            "not-xml", "line 1", "not well-formed XML", "check tags, quotes and special characters"
        ) from None
    return root


def _broken(error: etree.XMLSyntaxError, before: str) -> Unreadable:
    """What is wrong, at its line and column in the text that came, of which the declaration `before` was not parsed."""
    line, column = error.position
    if line == 1:
        column += len(before) - before.rfind("\n") - 1
    message, remedy = _FAULTS.get(
        getattr(error, "code", 0), ("not well-formed XML", "check tags, quotes and special characters")
    )
    return Unreadable("not-xml", f"line {line + before.count(chr(10))}, column {column}", message, remedy)


@lru_cache(maxsize=4096)
def local_name(tag: Any) -> str:
    name = tag if isinstance(tag, str) else ""
    return name.rpartition("}")[2].upper()


def to_tree(element: Any, limits: Limits = DEFAULT_LIMITS) -> Tree | str:
    """An element as a native tree. Raises Unreadable where it is deeper or larger than the limits."""
    count = 0

    def build(node: Any, depth: int) -> Tree | str:
        nonlocal count
        count += 1
        if depth > limits.max_depth:
            raise Unreadable("too-deep", "/", f"nested deeper than {limits.max_depth}", "send a flatter document")
        if count > limits.max_nodes:
            raise Unreadable("too-large", "/", f"more than {limits.max_nodes} elements", "send smaller pieces")
        attributes = node.items()
        if not attributes and not len(node):
            return node.text or ""
        out: Tree = {}
        for name, value in attributes:
            if not name.startswith(_XML_SPACE):
                out["@" + name.rpartition("}")[2].upper()] = value
        text = node.text or ""
        for child in node:
            tag = child.tag
            if not isinstance(tag, str):
                continue  # an unresolved entity reference cannot occur without a DTD
            key = local_name(tag)
            below = build(child, depth + 1)
            there = out.get(key)
            if there is None:
                out[key] = below
            elif isinstance(there, list):
                there.append(below)
            else:
                out[key] = [there, below]
            if child.tail:
                text += child.tail
        if text.strip():
            out["#"] = text
        return out

    return build(element, 1)


Roots = Mapping[str, frozenset[str]]


def unwrap(element: Any, roots: Roots, limits: Limits, gaps: list[Gap], levels: int = 2) -> list[Any]:
    """Every element with one of these names: the root itself, those below it, or those escaped inside its texts.

    A name alone says little (`request` is a word of many formats), so each root may name children of which it must have
    one. What stands inside a found element is part of it. Raises Unreadable for more than the limits allow.
    """
    found: list[Any] = []
    texts: list[Any] = []
    waiting = [element]
    while waiting:
        node = waiting.pop()
        if not isinstance(node.tag, str):
            continue
        wanted = roots.get(local_name(node.tag))
        if wanted is not None and (not wanted or any(local_name(child.tag) in wanted for child in node)):
            found.append(node)
            if len(found) > limits.max_items:
                where = "/" + local_name(element.tag)
                raise Unreadable("too-many", where, f"more than {limits.max_items} messages", "send smaller files")
            continue
        text = node.text
        if levels and text and text.lstrip("\ufeff \t\r\n").startswith(("<", *_BASE64)):
            texts.append(node)
        waiting.extend(reversed(node))
    if found:
        return found
    broken: Unreadable | None = None
    for node in texts:
        text = node.text.lstrip("\ufeff \t\r\n")
        try:
            inner = _parse_inner(text, limits, gaps)
        except Unreadable as error:
            if error.problem.code == "xml-dtd":
                raise
            if text[:1] == "<":  # what only looked like base64 is none
                broken = broken or _inside(node, error)
            continue
        found.extend(unwrap(inner, roots, limits, gaps, levels - 1))
    if broken is not None and not found:
        raise broken
    return found


def _parse_inner(text: str, limits: Limits, gaps: list[Gap]) -> Any:
    """The root of a document that stands in a text, as it is or as base64. Raises Unreadable."""
    if text.startswith("<"):
        return _parse_text(text, limits, gaps)
    try:
        raw = b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise Unreadable("not-xml", "/", "neither XML nor base64", "send XML") from None
    root, below = parse_hardened(raw, limits)
    gaps.extend(below)
    return root


def _inside(node: Any, error: Unreadable) -> Unreadable:
    """A refusal of the XML in the text of an element, at that element."""
    path = "".join(f"/{local_name(above.tag)}" for above in (*reversed(list(node.iterancestors())), node))
    problem = error.problem
    return Unreadable(problem.code, f"text of {path}, {problem.position}", problem.message, problem.remedy)


def numbered(name: str, index: int, count: int) -> Position:
    """The first steps of a position in one of several messages: `/REQUEST[2]`."""
    return (name, index) if count > 1 else (name,)


def copy_without(tree: Tree, path: tuple[str, ...]) -> Tree:
    """A copy down to `path`, whose end is left out; what is beside it is copied as well."""
    out: Tree = {}
    for key, value in tree.items():
        if key != path[0]:
            out[key] = copy_tree(value)
        elif len(path) > 1 and isinstance(value, dict):
            out[key] = copy_without(value, path[1:])
    return out


def copy_tree(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copy_tree(below) for key, below in value.items()}
    return [copy_tree(below) for below in value] if isinstance(value, list) else value


def _escaped(text: str, in_attribute: bool = False) -> str:
    if _SPECIAL.search(text) is None:
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    if in_attribute:
        text = text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return text


@dataclass(frozen=True)
class XmlCodec:
    """`roots`: accepted root names in capitals; the first is written. `namespace` and `prefix` apply to all written elements."""

    roots: tuple[str, ...]
    namespace: str | None = None
    prefix: str | None = None
    charset: str = "UTF-8"
    limits: Limits = DEFAULT_LIMITS
    small_attributes: bool = False  # attribute names are written in small letters
    split: tuple[str, ...] = ()  # a list below which each element is one notice: ("DATA", "ROW")
    children: tuple[str, ...] = ()  # in capitals: a root has one of these; any, where none is named
    scalar_key: str = "#"
    extension_style: str = "typed"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        found, gaps, is_careful = self.opened(raw, self.wanted)
        items: list[NativeItem | Unreadable] = []
        for index, message in enumerate(found):
            at = numbered(local_name(message.tag), index, len(found))
            items.extend(self.message(message, at, gaps, is_careful))
        return items

    @property
    def wanted(self) -> Roots:
        return dict.fromkeys(self.roots, frozenset(self.children))

    def opened(self, raw: bytes, wanted: Roots) -> tuple[list[Any], list[Gap], bool]:
        """The messages in the bytes, what had to be overlooked, and whether private-use characters may stand in them.

        Raises Unreadable where there is no message.
        """
        text, gaps = _text(raw, self.limits)
        root = _parse_text(text, self.limits, gaps)
        found = unwrap(root, wanted, self.limits, gaps)
        if not found:
            where = "/" + local_name(root.tag)
            raise Unreadable(
                "not-this-format",
                where,
                "the root element is not of this format",
                f"send one of: {', '.join(self.roots)}",
            )
        return found, gaps, needs_care(text, "#")  # as in `&#xE000;`, however often escaped

    def message(
        self, message: Any, at: Position, gaps: list[Gap], is_careful: bool
    ) -> Sequence[NativeItem | Unreadable]:
        """One message as one notice, or as one for each of its rows."""
        tree = to_tree(message, self.limits)

        head = path_position(at)

        def locate(path: Position) -> str:
            return head + path_position(path)

        whole: Tree = tree if isinstance(tree, dict) else {"#": tree}
        rows = get_at(whole, self.split) if self.split else None
        if not isinstance(rows, list):
            return [NativeItem(whole, locate(()), list(gaps), locate, is_careful)]
        if len(rows) > self.limits.max_items:
            raise Unreadable("too-many", locate(()), f"more than {self.limits.max_items} rows", "send smaller files")
        items = [self._part(whole, row, index, at, gaps) for index, row in enumerate(rows)]
        for item in items:
            item.is_careful = is_careful
        return items

    def _part(self, whole: Tree, row: Any, index: int, at: Position, gaps: list[Gap]) -> NativeItem:
        """One row with everything around the rows: heads and message numbers belong to all."""
        depth = len(self.split)
        tree = copy_without(whole, self.split)
        set_at(tree, self.split, row)

        def locate(path: Position) -> str:
            if path[:depth] == self.split:
                path = (*path[:depth], index, *(path[depth + 1 :] if path[depth : depth + 1] == (0,) else path[depth:]))
            return path_position((*at, *path))

        return NativeItem(tree, path_position((*at, *self.split, index)), list(gaps), locate)

    def write(self, tree: Tree) -> bytes:
        prefix = f"{self.prefix}:" if self.prefix else ""
        declared = f' xmlns{":" + self.prefix if self.prefix else ""}="{self.namespace}"' if self.namespace else ""
        parts: list[str] = [f'<?xml version="1.0" encoding="{self.charset}"?>']
        self._write(prefix + self.roots[0], tree, prefix, parts, declared)
        text = "".join(parts)
        if _NOT_XML.search(text) is not None:
            text = _NOT_XML.sub("\ufffd", text)
        if self.charset == "UTF-8":
            return text.encode("utf-8")
        return encode_gb18030(SUPERSEDED.sub(lambda found: f"&#x{ord(found[0]):X};", text))

    def _write(self, name: str, value: Any, prefix: str, parts: list[str], declared: str = "") -> None:
        if value.__class__ is not dict:
            parts.append(f"<{name}{declared}>{_escaped(str(value))}</{name}>")
            return
        attributes = declared
        own = ""
        below: list[str] = []
        for key, inner in value.items():
            if key == "#":
                own = _escaped(str(inner))
            elif key[0] == "@":
                attribute = key[1:].lower() if self.small_attributes else key[1:]
                attributes += f' {attribute}="{_escaped(str(inner), True)}"'
            elif inner.__class__ is list:
                for item in inner:
                    self._write(prefix + key, item, prefix, below)
            else:
                self._write(prefix + key, inner, prefix, below)
        if own or below:
            parts.append(f"<{name}{attributes}>{own}")
            parts.extend(below)
            parts.append(f"</{name}>")
        else:
            parts.append(f"<{name}{attributes}/>")

    def position(self, path: Position) -> str:
        return path_position((self.roots[0], *path))
