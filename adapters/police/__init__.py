"""How do the police (公安) speak? XML with upper-case pinyin elements, often GB18030; see mapping.yaml and DOMAIN 2.2."""

from __future__ import annotations

from typing import Any

from adapters.kit.adapter import MappedAdapter
from adapters.kit.codetables import shared_tables
from adapters.kit.converters import is_awkward
from adapters.kit.lens import Reading, fill, scalar, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree, get_at
from adapters.kit.relations import through_head
from adapters.police.identity_check import PoliceCodec

_TO_HEAD = "~to_head"


class _DocumentType:
    """`CYZJDM`: 111 beside GMSFHM, another code beside ZJHM. 990 stands for three kinds and is read as `other`, noted."""

    fills = ("id_type",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(scalar(value, reading.scalar_key))
        if text is None:
            return
        found = shared_tables()["id_type@police"].find(text)
        if found is None:
            reading.gap("unmapped-code", at, "not in code table `GA/T 517` version 2004", "persons.id_type")
        elif fill(target, ("id_type",), found):
            reading.note(target, ("id_type",), at)

    def write(self, rest: Tree, native: Tree) -> None:
        kind = rest.get("id_type")
        code = shared_tables()["id_type@police"].writer().get(kind) if isinstance(kind, str) else None
        if code is None:
            return
        native["CYZJDM"] = code
        if "id_no" not in rest:
            del rest["id_type"]


class _DocumentNumber:
    """`ZJHM`: the number of a document that is not a resident identity card."""

    fills = ("id_no",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(scalar(value, reading.scalar_key))
        if text is None:
            return
        if fill(target, ("id_no",), text.strip()):
            reading.note(target, ("id_no",), at)
        else:
            reading.gap("conflict", at, "a second document number beside GMSFHM", "persons.id_no")

    def write(self, rest: Tree, native: Tree) -> None:
        kind, number = rest.get("id_type"), rest.get("id_no")
        if (
            kind == "ID"
            or "CYZJDM" not in native
            or not isinstance(number, str)
            or not number
            or number != number.strip()
        ):
            return
        if "*" in number or is_awkward(number):
            return
        native["ZJHM"] = rest.pop("id_no")
        rest.pop("id_type")


class _ToHead:
    """`YHZGXDM`: relation to the household head. Kept aside until everybody is read, then converted."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(scalar(value, reading.scalar_key))
        if text is None:
            return
        found = shared_tables()["relation"].find(text)
        if found is None:
            reading.gap("unmapped-code", at, "not in code table `GB/T 4761` version 2008", "persons.relation")
        else:
            target[_TO_HEAD] = (found, at)

    def write(self, rest: Tree, native: Tree) -> None:
        """Never written: our releases speak of the minor, not of a household."""


_MINIMAL = ("name", "id_type", "id_no", "birth_date", "sex", "key")


class Police(MappedAdapter):
    def _ask_for(self, reading: Reading) -> None:
        """An identity check is about the minimal identifiers, not about a person of the notice."""
        if len(reading.persons) == 1 and set(reading.persons[0]) <= {"roles", *_MINIMAL}:
            person = reading.persons.pop()
            reading.data["query"]["minimal"] = {name: person[name] for name in _MINIMAL if name in person}

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        if get_at(reading.data, ("query", "question")) == "identity" and "minimal" not in reading.data["query"]:
            self._ask_for(reading)
        minors = [person for person in reading.persons if "minor" in person["roles"]]
        minor_to_head = minors[0].get(_TO_HEAD) if minors else None
        for person in reading.persons:
            held = person.pop(_TO_HEAD, None)
            if held is None or "minor" in person["roles"]:
                continue
            to_head, at = held
            found = through_head(minor_to_head[0], to_head, person.get("sex")) if minor_to_head else None
            if found is None:
                reading.gap(
                    "relation-undetermined", at, "the relation to the minor does not follow", "persons.relation"
                )
            elif not fill(person, ("relation",), found):
                reading.gap(
                    "conflict", at, "the household register and the guardian relation disagree", "persons.relation"
                )
            else:
                reading.note(person, ("relation",), at)


ADAPTER = Police(
    load_mapping("adapters.police"),
    PoliceCodec(roots=("REQUEST",), charset="GB18030", children=("HEAD", "BODY")),
    {"document_type": _DocumentType(), "document_number": _DocumentNumber(), "to_head": _ToHead()},
)
