"""How is a CDA R2 document read as one notice, and written with the parts in the order its schema wants?

The header becomes a tree of element names as CDA spells them; names of other
namespaces carry a prefix (`sdtc:raceCode`, `hutong:notice`). The body stays an
element, since most of it is no business of a case notice. A `recordTarget`
alone is taken as a document. Documents inside SOAP or an escaped text are
unwrapped. Positions are XPath: `/ClinicalDocument/recordTarget[2]/patientRole/id[1]`.

An element that says `nullFlavor` and nothing else counts as absent; `MSK`
(masked by the sender) is noted. Prefixes that senders forget to declare (`xsi`,
`sdtc`) are declared for them, noted. The hardening is that of `xml_codec`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable, path_position
from adapters.kit.text import wide_charset
from adapters.kit.xml_codec import Roots, local_name, numbered, parse_hardened, unwrap
from gateway.model.notice import Gap

V3 = "urn:hl7-org:v3"
OURS = "urn:hutong:cda"
SDTC = "urn:hl7-org:sdtc"
_REMEDY = "send a ClinicalDocument (CDA R2)"
# What else comes as XML from hospitals, by its root element.
_OTHERS = (
    (re.compile(r"\{http://hl7\.org/fhir\}"), "send FHIR R4 as application/fhir+xml or application/fhir+json"),
    (
        re.compile(r"\{urn:hl7-org:v2xml\}|(?:\{[^}]*\})?[A-Z]{3}_[A-Z0-9]{3}$"),
        "send HL7 v2 as segments and delimiters (ER7), beginning with MSH",
    ),
    (
        re.compile(r"(?:\{[^}]*\})?[A-Z]{4}_[A-Z]{2}[0-9]{6}"),
        "an HL7 v3 message is not read: send the document it is about (CDA R2), HL7 v2 or FHIR R4",
    ),
)
XSI = "http://www.w3.org/2001/XMLSchema-instance"
BODY = "component"
_OURS = f"{{{OURS}}}"
_PREFIXES = {V3: "", "": "", OURS: "hutong:", SDTC: "sdtc:"}
_FORGOTTEN = {b"xsi": XSI.encode(), b"sdtc": SDTC.encode(), b"voc": b"urn:hl7-org:v3/voc"}
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.\-]*:)?(?:ClinicalDocument|recordTarget)\b")
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ROOTS: Roots = {"CLINICALDOCUMENT": frozenset(), "RECORDTARGET": frozenset({"PATIENTROLE"})}


@lru_cache(maxsize=4096)
def element_name(tag: str) -> str:
    """`name` of HL7's namespace or none, `prefix:name` of any other."""
    space, _, name = tag.rpartition("}")
    return _PREFIXES.get(space[1:], "other:") + name


def _size(document: Any) -> int:
    return sum(1 for _ in document.iter())


@dataclass(frozen=True)
class CdaCodec:
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "#"
    extension_style: str = "typed"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        root, gaps = self._parse(raw)
        found = unwrap(root, _ROOTS, self.limits, gaps)
        if not found:
            where = "/" + (root.tag.rpartition("}")[2] if isinstance(root.tag, str) else "")
            remedy = next((said for mark, said in _OTHERS if mark.match(str(root.tag))), _REMEDY)
            raise Unreadable("not-this-format", where, "no clinical document", remedy)
        # an element takes four bytes at least, so only a large input is counted
        if len(raw) > 4 * self.limits.max_nodes and sum(_size(document) for document in found) > self.limits.max_nodes:
            raise Unreadable("too-large", "/", f"more than {self.limits.max_nodes} elements", "send smaller pieces")
        return [self._document(document, index, len(found), gaps) for index, document in enumerate(found)]

    def _document(self, found: Any, index: int, count: int, gaps: list[Gap]) -> NativeItem:
        is_document = local_name(found.tag) == "CLINICALDOCUMENT"
        prefix = numbered("ClinicalDocument", index, count) if is_document else ()
        inside: Position = () if is_document else numbered("recordTarget", index, count)

        head = path_position(prefix)

        def locate(path: Position) -> str:
            return head + path_position(inside + path[1:] if inside and path[:1] == ("recordTarget",) else path)

        notes = list(gaps)
        tree = self._header(found, locate, notes) if is_document else {"recordTarget": found}
        if not is_document:
            tree["recordTarget"] = self._tree(found, ("recordTarget",), locate, notes, 1) or {}
        return NativeItem(tree, locate(inside), notes, locate)

    def _parse(self, raw: bytes) -> tuple[Any, list[Gap]]:
        try:
            return parse_hardened(raw, self.limits)
        except Unreadable as error:
            wide = wide_charset(raw)
            if wide is not None:
                text = raw.decode(wide, "replace").lstrip("\ufeff")
                raw = _DECLARATION.sub("", text, count=1).encode("utf-8", "replace")
            start = _ROOT.search(raw)
            if error.problem.code != "not-xml" or start is None:
                raise
            missing = [name for name in _FORGOTTEN if name + b":" in raw and b"xmlns:" + name + b"=" not in raw]
            if not missing:
                raise
            said = b"".join(b' xmlns:%s="%s"' % (name, _FORGOTTEN[name]) for name in missing)
            root, gaps = parse_hardened(raw[: start.end()] + said + raw[start.end() :], self.limits)
            return root, [
                *gaps,
                Gap("xml-namespace", "/", "a namespace prefix is not declared; taken as the usual one"),
            ]

    def _header(self, root: Any, locate: Any, gaps: list[Gap]) -> Tree:
        out: Tree = {}
        for child in root:
            if isinstance(child.tag, str) and element_name(child.tag) == BODY:
                out[BODY] = child
        for key, below in self._children(root, (), locate, gaps, 1).items():
            out.setdefault(key, below)
        return out

    def _children(self, node: Any, at: Position, locate: Any, gaps: list[Gap], depth: int) -> Tree:
        if depth > self.limits.max_depth:
            raise Unreadable("too-deep", locate(at), f"nested deeper than {self.limits.max_depth}", "send less depth")
        named: dict[str, list[Any]] = {}
        is_ours = node.tag.startswith(_OURS)
        for child in node:
            tag = child.tag
            if tag.__class__ is str:
                name = tag[len(_OURS) :] if is_ours and tag.startswith(_OURS) else element_name(tag)
                there = named.get(name)
                if there is None:
                    named[name] = [child]
                else:
                    there.append(child)
        out: Tree = {}
        for name, children in named.items():
            if depth == 1 and name == BODY:
                continue
            if len(children) == 1:
                child = children[0]
                if not len(child) and not child.attrib:
                    if child.text:
                        out[name] = child.text
                    continue
                item = self._tree(child, (*at, name), locate, gaps, depth + 1)
                if item is not None:
                    out[name] = item
                continue
            # absent ones keep their place in the list, so that positions stay those of the document
            items = [self._tree(child, (*at, name, n), locate, gaps, depth + 1) for n, child in enumerate(children)]
            if any(item is not None for item in items):
                out[name] = ["" if item is None else item for item in items]
        return out

    def _tree(self, node: Any, at: Position, locate: Any, gaps: list[Gap], depth: int) -> Tree | str | None:
        """An element as text or a dict; None when it says that it says nothing."""
        text = node.text or ""
        is_leaf = not len(node)
        if is_leaf:
            if not node.attrib:
                return text or None
            flavor = node.get("nullFlavor")
            if flavor is not None and not text.strip() and len(node.attrib) <= 1 + ("use" in node.attrib):
                if flavor == "MSK":
                    gaps.append(Gap("masked-value", locate(at), "the sender masked this value"))
                return None
        out: Tree = {
            "@" + (name.rpartition("}")[2] if name[0] == "{" else name): value for name, value in node.attrib.items()
        }
        if not is_leaf:
            out.update(self._children(node, at, locate, gaps, depth))
            for child in node:
                if child.tail:
                    text += child.tail
        if text and not text.isspace():
            out["#"] = text
        return out or None

    # --- writing ---

    def write(self, tree: Tree) -> bytes:
        parts = ['<?xml version="1.0" encoding="UTF-8"?>']
        names = f' xmlns="{V3}" xmlns:xsi="{XSI}" xmlns:hutong="{OURS}"'
        _write("ClinicalDocument", tree, parts, names, "")
        text = "".join(parts)
        return (_NOT_XML.sub("\ufffd", text) if _NOT_XML.search(text) is not None else text).encode()

    def position(self, path: Position) -> str:
        return path_position(("ClinicalDocument", *path))


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_QUOTED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def _write(name: str, value: Any, parts: list[str], attributes: str, prefix: str) -> None:
    """Everything below a `hutong:` element is of that namespace."""
    if not isinstance(value, dict):
        parts.append(f"<{prefix}{name}{attributes}>{str(value).translate(_ESCAPES)}</{prefix}{name}>")
        return
    if name.startswith("hutong:"):
        name, prefix = name[7:], "hutong:"
    own = ""
    below: list[str] = []
    for key, inner in value.items():
        if key == "#":
            own = str(inner).translate(_ESCAPES)
        elif key[0] == "@":
            attributes += f' {key[1:]}="{str(inner).translate(_QUOTED)}"'
        else:
            for item in inner if isinstance(inner, list) else (inner,):
                _write(key, item, below, "", prefix)
    if own or below:
        parts.append(f"<{prefix}{name}{attributes}>{own}")
        parts.extend(below)
        parts.append(f"</{prefix}{name}>")
    else:
        parts.append(f"<{prefix}{name}{attributes}/>")
