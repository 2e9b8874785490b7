"""What does a marked-up narrative say as plain text? Tables, lists and paragraphs of CDA and XHTML, in reading order.

The text is sensitive throughout; it is only re-flowed, never interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import name2codepoint
from typing import Any

from lxml import etree

from adapters.kit.native import Unreadable
from adapters.kit.xml_codec import parse_hardened

_BLOCKS = frozenset(
    [
        "div",
        "p",
        "br",
        "paragraph",
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "list",
        "item",
        "caption",
        "ul",
        "ol",
        "li",
        "section",
        "title",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "pre",
    ]
)
_CELLS = frozenset({"td", "th"})
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_BLANKS = re.compile(r"[ \t\r\n\u00a0]+")


def markup_text(element: Any) -> str:
    """The words of an element; blocks and rows on lines of their own, cells apart, comments and scripts left out."""
    lines = (_BLANKS.sub(" ", line).strip(" |") for line in "".join(_pieces(element)).split("\x00"))
    return "\n".join(line for line in lines if line)


def _pieces(element: Any) -> Iterator[str]:
    stack: list[tuple[Any, str | None]] = [(element, None)]
    while stack:
        node, said = stack.pop()
        if said is not None:
            yield said
            continue
        if not isinstance(node.tag, str):
            continue
        name = node.tag.rpartition("}")[2].lower()
        edge = "\x00" if name in _BLOCKS else ""
        if edge:
            yield edge
        if name not in ("script", "style"):
            if node.text:
                yield node.text
            below: list[tuple[Any, str | None]] = []
            for child in node:
                below.append((child, None))
                if child.tail:
                    below.append((child, child.tail))
            stack.append((node, " | " if name in _CELLS else edge))
            stack.extend(reversed(below))


def xhtml_text(markup: str) -> str | None:
    """The words of an XHTML fragment (FHIR `Narrative.div`); None when it is not well formed."""

    def plain(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name in _XML_ENTITIES or name not in name2codepoint else chr(name2codepoint[name])

    try:
        root, _ = parse_hardened(_ENTITY.sub(plain, markup).encode("utf-8", "replace"))
    except Unreadable:
        return None
    return markup_text(root) if isinstance(root, etree._Element) else None
