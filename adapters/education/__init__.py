"""How does education (教育) speak? Spreadsheet exports with Chinese headings; see mapping.yaml and DOMAIN 2.3."""

from __future__ import annotations

from typing import Any

from adapters.kit.adapter import Outgoing
from adapters.kit.codetables import shared_tables
from adapters.kit.converters import Noted, Unmappable, Unwritable, is_awkward, read_citizen_id, write_citizen_id
from adapters.kit.lens import NATIVE_ROLES, CustomField, Reading, fill, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree
from adapters.kit.relations import guardian_by_relation
from adapters.kit.table_adapter import TableAdapter

_YES, _NO = frozenset({"是", "1", "Y", "有"}), frozenset({"否", "0", "N", "无"})
_COLUMN_ORDER = ("D31", "D15", "D32")
_ASIDE = "~is_guardian"
_DROPPED = {"辍学": "dropped", "缺课": "absent", "旷课": "absent"}


class _DocumentType:
    """身份证件类型: label or code; kept in `id_type`."""

    fills = ("id_type",)
    is_coded = True

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        found = shared_tables()["id_type@education"].find(text) if text else None
        if found is not None:
            if fill(target, ("id_type",), found):
                reading.note(target, ("id_type",), at)
        elif text:
            reading.gap("unmapped-code", at, "not in code table `id_type@education`", "persons.id_type")

    def write(self, rest: Tree, native: Tree) -> None:
        """Written with the number."""


class _DocumentNumber:
    """身份证件号: a resident identity unless the type says otherwise; ruined numbers are named, never repaired."""

    fills = ("id_no",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        if text is None:
            return
        kind = target.get("id_type")
        if kind not in (None, "ID"):
            target["id_no"] = text.strip()
            reading.note(target, ("id_no",), at)
            return
        try:
            found = read_citizen_id(text)
        except Unmappable as error:
            reading.gap(error.code, at, error.message, "persons.id_no")
            return
        if isinstance(found, Noted):
            reading.gap(found.code, at, found.message, "persons.id_no")
            if found.code != "id-form":
                target.setdefault("id_type", "ID")
            found = found.value
        else:
            target.setdefault("id_type", "ID")
        target["id_no"] = found
        reading.note(target, ("id_no",), at)

    def write(self, rest: Tree, native: Tree) -> None:
        kind, number = rest.get("id_type"), rest.get("id_no")
        table = shared_tables()["id_type@education"]
        label = table.writer(as_label=True).get(kind) if isinstance(kind, str) else None
        if label is None:
            return
        if "id_no" in rest:
            if kind == "ID":
                try:
                    write_citizen_id(number)
                except Unwritable:
                    return  # masked: type and number stay together in the extension block
            elif (
                not isinstance(number, str)
                or number != number.strip()
                or not number
                or "*" in number
                or is_awkward(number)
            ):
                return
            native["身份证件号"] = rest.pop("id_no")
        # the type column stands before the number column, and is read first
        native["身份证件类型"] = label
        if "身份证件号" in native:
            native["身份证件号"] = native.pop("身份证件号")
        del rest["id_type"]


class _Disability:
    """残疾类型: a type; where the export only says 是, a disability of unknown type cannot be carried."""

    fills = ("disability.type",)
    is_coded = True

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        if not text or text in _NO or text in ("无残疾", "非残疾"):
            return
        found = shared_tables()["disability_type"].find(text)
        if found is not None:
            fill(target, ("disability", "type"), found)
            reading.note(target, ("disability", "type"), at)
        elif text in _YES:
            if fill(target, ("health_status",), "60"):
                reading.note(target, ("health_status",), at)
        else:
            reading.gap("unmapped-code", at, "not in code table `disability_type`", "persons.disability.type")

    def write(self, rest: Tree, native: Tree) -> None:
        disability = rest.get("disability")
        if isinstance(disability, dict):
            label = shared_tables()["disability_type"].writer(as_label=True).get(str(disability.get("type")))
            if label is not None:
                native["残疾类型"] = label
                del disability["type"]
                if not disability:
                    del rest["disability"]


class _Difficulty:
    """A yes/no column that is a category of difficulty. 否 says nothing here; blank is not 否."""

    is_coded = True

    def __init__(self, code: str, column: str) -> None:
        self.code = code
        self.column = column

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        if text in _YES or text[:2] in ("留守", "孤儿", "随迁"):
            there = target.setdefault("difficulty", [])
            if self.code not in there:
                there.append(self.code)
            reading.note(target, ("difficulty",), at)
        elif text and text not in _NO and not text.startswith("非"):
            reading.gap("boolean-form", at, "neither 是 nor 否", "persons.difficulty")

    def write(self, rest: Tree, native: Tree) -> None:
        there = rest.get("difficulty")
        if not isinstance(there, list) or self.code not in there:
            return
        native[self.column] = "是"
        # A list that the columns say whole, in their order, is done; any other goes to the extension block as well.
        columns = [code for code in _COLUMN_ORDER if code in there]
        if there == columns and self.code == columns[-1]:
            del rest["difficulty"]


class _IsGuardian:
    """成员n是否监护人: 是 makes a guardian, 否 does not, blank leaves it to the relation."""

    is_coded = True

    def __init__(self, number: int) -> None:
        self.column = f"成员{number}是否监护人"

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        if text in _YES or text in _NO:
            target[_ASIDE] = text in _YES
        elif text:
            reading.gap("boolean-form", at, "neither 是 nor 否", "persons.roles")

    def write(self, rest: Tree, native: Tree) -> None:
        held = rest.pop(_ASIDE, None)
        if held is not None:
            native[self.column] = "是" if held else "否"


class Education(TableAdapter):
    def after_reading(self, tree: Tree, reading: Reading) -> None:
        for person in reading.persons:
            if person.get("roles") == ["member"]:
                held = person.pop(_ASIDE, None)
                is_guardian = guardian_by_relation(person.get("relation")) if held is None else held
                person["roles"] = ["guardian"] if is_guardian else ["other"]
        super().after_reading(tree, reading)
        kind = (text_of(tree.get("事件类型")) or "").strip()
        if not kind:
            fill(reading.data, ("ledger", "change"), "change")  # a class list says what the school has on record now
        if kind == "转学":
            since = reading.data.get("occurred_at", "")[:10]
            done = {"code": "A07", **({"from": since} if since else {}), "outcome": "done"}
            fill(reading.data, ("measures",), [done])
        status = _DROPPED.get(kind)
        for person in reading.persons if status else ():
            if "minor" in person["roles"]:
                person.setdefault("schooling_status", status)

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        for person in rest.get("persons", ()):
            if not isinstance(person, dict):
                continue
            if person.get("roles") in (["guardian"], ["other"]):
                person[_ASIDE] = person["roles"] == ["guardian"]
                person[NATIVE_ROLES] = person["roles"]
            elif "minor" not in person.get("roles", ()):
                person[NATIVE_ROLES] = ["guardian"] if guardian_by_relation(person.get("relation")) else ["other"]


_CUSTOMS: dict[str, CustomField] = {
    "document_type": _DocumentType(),
    "document_number": _DocumentNumber(),
    "disability": _Disability(),
    "left_behind": _Difficulty("D31", "是否留守儿童"),
    "orphan": _Difficulty("D15", "是否孤儿"),
    "migrant": _Difficulty("D32", "是否进城务工人员随迁子女"),
    **{f"is_guardian_{number}": _IsGuardian(number) for number in range(1, 5)},
}
ADAPTER = Education(load_mapping("adapters.education"), _CUSTOMS)
