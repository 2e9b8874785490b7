"""How is FHIR R4 read as one notice, from JSON or XML, and written so that R4 validators accept it?

A message, document, collection, transaction or search bundle, or one resource
alone, becomes a tree of resource type -> list of resources. Contained resources
stand beside the others. A bundle of bundles, a bundle about patients who have nothing to do with each other
(`fhir_bundles`), an array, or NDJSON is a batch; a history is refused. XML becomes what JSON would be (`fhir_xml`).
Positions are FHIRPath from the root: `Bundle.entry[3].resource.birthDate`.

References are resolved as R4 2.36.4.1 says: a full URL first, then relative to
the entry's own base, then `Type/id` where exactly one entry has it, `#id` inside
the same resource. Nothing is ever fetched. The tree carries the `References`
under `GRAPH`; whoever reads the tree takes it out first.

Writing: `To("Patient", 0)` becomes a reference to that entry's full URL, a uuid
made from the bundle's identifier, so equal releases give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import orjson

from adapters.kit.fhir_bundles import by_patient
from adapters.kit.fhir_xml import is_fhir_xml, read_xml, write_xml
from adapters.kit.json_codec import charset_parameter, parse_strict, text_of_bytes
from adapters.kit.native import DEFAULT_LIMITS, SKIPPED, Limits, NativeItem, Position, Tree, Unreadable
from gateway.model.notice import Gap

GRAPH = "~graph"
Place = tuple[str, int]
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_VERSION = re.compile(r"/_history/[A-Za-z0-9.\-]{1,64}$")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64}")
_NAMES = UUID("6f0c7d5e-55a1-5d0e-8a52-6c1d1a8a9b11")
FIRST = ("MessageHeader", "Composition", "Patient", "RelatedPerson")
# Names that a tree uses for what is no resource: the bundle itself, and what the adapter puts in.
_TAKEN = frozenset({"Bundle", "Notice", "Block"})


class To(NamedTuple):
    """A reference to the number-th resource of a type, in a tree that is written."""

    kind: str
    number: int


@dataclass(slots=True)
class References:
    """Where each resource of one item stands, and what its references mean."""

    places: dict[str, list[str]] = field(default_factory=dict)  # type -> FHIRPath of each
    bases: dict[Place, str] = field(default_factory=dict)
    inside: dict[Place, Place] = field(default_factory=dict)  # contained -> its container
    urls: dict[str, Place | None] = field(default_factory=dict)  # None: said by several entries
    fragments: dict[tuple[Place, str], Place] = field(default_factory=dict)
    identifiers: dict[str, Place] = field(default_factory=dict)  # of logical references, put there by the adapter

    def find(self, reference: Any, at: Place) -> Place | None:
        """The place a Reference (or its text) points to from the resource at `at`; None when it is not in the input."""
        text = reference.get("reference") if isinstance(reference, dict) else reference
        if not isinstance(text, str) or not text:
            identifier = reference.get("identifier") if isinstance(reference, dict) else None
            value = identifier.get("value") if isinstance(identifier, dict) else None
            return self.identifiers.get(value) if isinstance(value, str) else None
        if text[0] == "#":
            home = self.inside.get(at, at)
            return home if text == "#" else self.fragments.get((home, text[1:]))
        for known in (text, _VERSION.sub("", text)):
            if _RELATIVE.fullmatch(known):
                base = self.bases.get(at)
                found = self.urls.get(f"{base}/{known}") if base else None
                if found is not None:
                    return found
            found = self.urls.get(known)
            if found is not None:
                return found
        return None

    def locate(self, path: Position) -> str:
        """FHIRPath of a tree path: resource type, number, element, number ..."""
        if not path:
            return ""
        kind = str(path[0])
        places = self.places.get(kind)
        if not places:
            return kind + _inner(path[1:])
        if len(path) == 1 or path[1].__class__ is not int:
            return places[0] + _inner(path[1:])
        number = int(path[1])
        return (places[number] if number < len(places) else kind) + _inner(path[2:])


@lru_cache(maxsize=8192)
def _inner(path: Position) -> str:
    """FHIRPath below a resource."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


@dataclass(frozen=True)
class FhirCodec:
    """`together`: how the exchange's own code systems begin; what speaks in them is one notice."""

    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "value"
    extension_style: str = "flat"
    together: str = "urn:hutong:"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        if is_fhir_xml(raw) or ("xml" in media_type and raw[:64].lstrip(SKIPPED)[:1] not in (b"{", b"[")):
            resource, gaps = read_xml(raw, self.limits)
            return list(self._items(resource, "", gaps))
        text, gaps = text_of_bytes(raw, self.limits, charset_parameter(media_type))
        if "ndjson" in media_type:
            values = [(f"line {n}", line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
            self._not_too_many(len(values))
            out: list[NativeItem | Unreadable] = []
            for where, line in values:
                try:
                    out.extend(self._items(parse_strict(line, self.limits), f"{where}, ", gaps))
                except Unreadable as error:
                    told = error.problem
                    out.append(Unreadable(told.code, f"{where}, {told.position}", told.message, told.remedy))
            return out
        value = parse_strict(text, self.limits)
        if isinstance(value, list):
            self._not_too_many(len(value))
            return [item for n, below in enumerate(value) for item in self._items(below, f"[{n}], ", gaps)]
        return list(self._items(value, "", gaps))

    def _not_too_many(self, count: int) -> None:
        if count > self.limits.max_items:
            raise Unreadable("too-many", "/", f"more than {self.limits.max_items} resources", "send smaller pieces")

    def _items(self, value: Any, prefix: str, gaps: list[Gap]) -> Iterator[NativeItem | Unreadable]:
        kind = _kind(value)
        if not kind or (kind in _TAKEN and kind != "Bundle"):
            yield Unreadable(
                "not-fhir", f"{prefix}resourceType", "no resource type", "send a FHIR R4 bundle or resource"
            )
            return
        entries = value.get("entry") if kind == "Bundle" else None
        if kind == "Bundle" and entries is not None and not _is_listed(entries):
            yield Unreadable("not-fhir", f"{prefix}Bundle.entry", "not a list of entries", "send a FHIR R4 bundle")
            return
        if kind == "Bundle" and value.get("type") == "history":
            message, remedy = "a history holds what is no longer so", "send the resources as they are now"
            yield Unreadable("history", f"{prefix}Bundle.type", message, remedy)
            return
        entries = entries or []
        is_batch = bool(entries) and all(_kind(_resource(entry)) == "Bundle" for entry in entries)
        if is_batch:
            for number, entry in enumerate(entries):
                yield from self._items(_resource(entry), f"{prefix}Bundle.entry[{number}].resource, ", gaps)
            return
        whole = self._item(value, prefix, gaps)
        if len(whole.tree.get("Patient", ())) > 1 and not self._is_together(value):
            parts = by_patient(entries, whole.tree, whole.tree[GRAPH])
            self._not_too_many(len(parts))
            if len(parts) > 1:
                yield from (
                    self._item(value, prefix, gaps if not number else [], part) for number, part in enumerate(parts)
                )
                return
        yield whole

    def _is_together(self, value: Tree) -> bool:
        """A message or a document is about whomever it holds, and so is what says something in codes of the exchange."""
        if value.get("type") in ("message", "document"):
            return True
        resources = [_resource(entry) for entry in value.get("entry") or ()]
        return any(
            _kind(resource) in ("MessageHeader", "Composition")
            or any(system.startswith(self.together) for system, _, _ in codings(resource.get("code")))
            for resource in resources
        )

    def _item(self, value: Tree, prefix: str, before: list[Gap], only: Sequence[int] | None = None) -> NativeItem:
        """What a resource or bundle holds; of a bundle for several patients, the entries whose numbers are `only`."""
        graph = References()
        gaps = list(before)
        tree: Tree = {}
        if value["resourceType"] != "Bundle":
            self._add(value, value["resourceType"], "", tree, graph, prefix, gaps)
        else:
            tree["Bundle"] = {name: below for name, below in value.items() if name not in ("entry", "resourceType")}
            graph.places["Bundle"] = [f"{prefix}Bundle"]
            entries = _list(value.get("entry"))
            chosen = enumerate(entries) if only is None else [(number, entries[number]) for number in only]
            self._entries(chosen, "Bundle", tree, graph, prefix, gaps)
        tree[GRAPH] = graph
        where = prefix.removesuffix(", ") if only is None else next(iter(graph.places.get("Patient", ())), "")
        return NativeItem(tree, where, gaps, graph.locate)

    def _entries(
        self, entries: Iterable[tuple[int, Tree]], at: str, tree: Tree, graph: References, prefix: str, gaps: list[Gap]
    ) -> None:
        for number, entry in entries:
            where = f"{at}.entry[{number}]"
            resource = _resource(entry)
            kind = _kind(resource)
            if not kind:
                gaps.append(Gap("unmapped", prefix + where, "an entry without a resource"))
            elif kind == "Bundle":
                below = enumerate(_list(resource.get("entry")))
                self._entries(below, f"{where}.resource", tree, graph, prefix, gaps)
            elif kind in _TAKEN:
                gaps.append(Gap("unmapped", f"{prefix}{where}.resource", "no resource type of FHIR R4"))
            else:
                url = entry.get("fullUrl")
                self._add(resource, f"{where}.resource", url if isinstance(url, str) else "", tree, graph, prefix, gaps)

    def _add(
        self, resource: Tree, where: str, url: str, tree: Tree, graph: References, prefix: str, gaps: list[Gap]
    ) -> Place:
        kind = str(resource["resourceType"])
        there = tree.setdefault(kind, [])
        place = (kind, len(there))
        there.append(resource)
        graph.places.setdefault(kind, []).append(prefix + where)
        logical = resource.get("id")
        names = {url} if url else set()
        if isinstance(logical, str):
            names.add(logical if logical.startswith(f"{kind}/") else f"{kind}/{logical}")
            if url.endswith(f"/{kind}/{logical}"):
                graph.bases[place] = url.removesuffix(f"/{kind}/{logical}")
        for name in names:
            graph.urls[name] = place if name not in graph.urls else None
        for number, inner in enumerate(_list(resource.get("contained"))):
            inside = f"{where}.contained[{number}]"
            if _kind(inner) and inner["resourceType"] not in _TAKEN:
                below = self._add({**inner, "id": None}, inside, "", tree, graph, prefix, gaps)
                graph.inside[below] = place
                if isinstance(inner.get("id"), str):
                    graph.fragments[(place, inner["id"])] = below
                if place in graph.bases:
                    graph.bases[below] = graph.bases[place]
            elif inner not in ({}, None):
                gaps.append(Gap("unmapped", prefix + inside, "no resource that may stand inside another"))
        return place

    # --- writing ---

    def write_as(self, tree: Tree, media_type: str) -> bytes:
        written = self.write(tree)
        return write_xml(orjson.loads(written)) if "xml" in media_type else written

    def write(self, tree: Tree) -> bytes:
        """`tree` is what `read` gives, with `Bundle` carrying an identifier; lists are written in the tree's order."""
        head = dict(tree["Bundle"])
        urls = _FullUrls(str(head.get("identifier", {}).get("value", "")))
        names = [name for name in FIRST if name in tree] + [n for n in tree if n not in FIRST and n != "Bundle"]
        entries: list[Tree] = []
        for name in names:
            for number, resource in enumerate(_list(tree[name]) or [tree[name]]):
                entries.append({"fullUrl": urls[name, number], "resource": {"resourceType": name, **resource}})
        return orjson.dumps({"resourceType": "Bundle", **head, "entry": entries}, default=urls.reference)

    def position(self, path: Position) -> str:
        return References().locate(path)


def full_url(seed: str, kind: str, number: int) -> str:
    return f"urn:uuid:{uuid5(_NAMES, f'{seed}/{kind}/{number}')}"


class _FullUrls(dict[Place, str]):
    """The full URL of each place of one bundle, made when it is first asked for."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self.seed = seed

    def __missing__(self, place: Place) -> str:
        made = self[place] = full_url(self.seed, *place)
        return made

    def reference(self, value: Any) -> Tree:
        """What orjson cannot write by itself: a reference to an entry. Raises TypeError for anything else."""
        if not isinstance(value, To):
            raise TypeError("not a value of a resource")
        return {"reference": self[value.kind, value.number]}


def _resource(entry: Any) -> Tree:
    found = entry.get("resource") if isinstance(entry, dict) else None
    return found if isinstance(found, dict) else {}


def _kind(value: Any) -> str:
    """The resource type of what looks like a resource, else nothing."""
    kind = value.get("resourceType") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and _TYPE.fullmatch(kind) is not None else ""


def _is_listed(entries: Any) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def codings(concept: Any) -> list[tuple[str, str, str]]:
    """(system, code, display) of a CodeableConcept, or of a list of them, or of a Coding; the text comes last, as display."""
    out: list[tuple[str, str, str]] = []
    for item in concept if isinstance(concept, list) else [concept]:
        if not isinstance(item, dict):
            continue
        for coding in _list(item.get("coding")) or ([item] if "code" in item or "display" in item else []):
            if isinstance(coding, dict):
                parts = (coding.get("system"), coding.get("code"), coding.get("display"))
                system, code, display = (part if isinstance(part, str) else "" for part in parts)
                out.append((system, code, display))
        if isinstance(item.get("text"), str) and item["text"].strip():
            out.append(("", "", item["text"]))
    return out
