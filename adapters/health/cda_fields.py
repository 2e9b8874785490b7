"""What do CDA's header elements say of a person: ids by OID, names, addresses, telephones, sex, age, relation?

Each class reads and writes one element for `cda.yaml`. A value is text, a dict
of `@attribute`, child and `#` (own text), or a list of those.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.health.contacts import phone_out, take_addresses, take_phone
from adapters.health.people import (
    CITIZEN,
    HAN,
    RESIDENT_OID,
    Identifier,
    is_something,
    joined_name,
    take_end,
    take_identifiers,
    take_names,
    take_relation,
)
from adapters.kit.codetables import CodeTable, shared_tables
from adapters.kit.converters import (
    Converter,
    Noted,
    Unmappable,
    Unwritable,
    read_age,
    read_date,
    write_compact_date,
    write_text,
)
from adapters.kit.lens import Reading, fill
from adapters.kit.native import Position, Tree, as_list, set_at

Path = tuple[str, ...]
SEX_OID = "2.16.156.10011.2.3.3.4"
ETHNICITY_OID = "2.16.156.10011.2.3.3.3"
RELATION_OID = "2.16.156.10011.2.3.3.8"
KEY_OID = "2.25.306250467514206291532912346839250174961"
_SSN = "2.16.840.1.113883.4.1"
_PASSPORT = "2.16.840.1.113883.4.330"
_LICENCE = "2.16.840.1.113883.4.3."
_NAME_ORDER = {"L": 0, "C": 0, "OR": 0, "IDE": 1, "SYL": 1, "P": 3, "A": 3}
_ADDRESS = ("state", "city", "county", "township", "streetName", "houseNumber", "streetAddressLine", "additionalLocator",
            "precinct", "delimiter", "unitID", "careOf", "postBox")  # fmt: skip
_DIVISION = re.compile(r"[0-9]{6}(?:[0-9]{3}){0,2}")
_AGE_UNITS = {
    "岁": "岁", "周岁": "岁", "年": "岁", "A": "岁", "Y": "岁", "YR": "岁", "月": "个月", "个月": "个月", "月龄": "个月", "MO": "个月", "M": "个月",
    "天": "天", "日": "天", "D": "天", "日龄": "天",
}  # fmt: skip


def items(value: Any, at: Position) -> list[tuple[Tree, Position]]:
    """Elements as dicts with their positions; plain text becomes `{"#": text}`."""
    several = isinstance(value, list)
    out: list[tuple[Tree, Position]] = []
    for number, item in enumerate(as_list(value)):
        where = (*at, number) if several else at
        if isinstance(item, dict):
            out.append((item, where))
        elif isinstance(item, str) and item.strip():
            out.append(({"#": item}, where))
    return out


def said(item: Tree, name: str) -> str:
    found = item.get(name)
    return found.strip() if isinstance(found, str) else ""


def texts(item: Tree, name: str) -> list[str]:
    """The words of every such part; a dash that fills its place is none."""
    return [text for part, _ in items(item.get(name), ()) if (text := said(part, "#")).strip("-—─–")]


def plain(value: Any) -> bool:
    try:
        return bool(write_text(value) == value) and is_something(value)
    except Unwritable:
        return False


class Ids:
    """`id` by its OID: resident identity 2.16.156.10011.1.3; any other number of a person is local."""

    fills = ("id_no", "id_type", "key")

    def __init__(self, path: Path, *, is_written: bool = True) -> None:
        self.path, self.is_written = path, is_written

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        found: list[Identifier] = []
        for item, where in items(value, at):
            number, root = said(item, "@extension"), said(item, "@root")
            if said(item, "@nullFlavor"):
                if number:
                    reading.gap("masked-value", where, "the sender masked this value", "persons.id_no")
                continue
            if number:
                found.append(
                    (self._kind(root, number, said(item, "@assigningAuthorityName")), number, (*where, "@extension"))
                )
            elif root:
                reading.gap("identifier", where, "a number without an extension has no canonical field", "persons.key")
        take_identifiers(found, target, reading)

    def _kind(self, root: str, number: str, authority: str) -> str:
        if root == RESIDENT_OID or "身份证" in authority:
            return "ID"
        if root.startswith(_PASSPORT):
            return "PASS"
        if root == _SSN or root.startswith(_LICENCE):
            return "OTH"
        return "ID" if not root and CITIZEN.fullmatch(number) else ""

    def write(self, rest: Tree, native: Tree) -> None:
        if not self.is_written:
            return
        out: list[Tree] = []
        number, key = rest.get("id_no"), rest.get("key")
        if rest.get("id_type") == "ID" and isinstance(number, str) and CITIZEN.fullmatch(number):
            out.append({"@root": RESIDENT_OID, "@extension": number})
            del rest["id_type"], rest["id_no"]
        if plain(key) and not CITIZEN.fullmatch(str(key)):
            out.append({"@root": KEY_OID, "@extension": rest.pop("key")})
        if out:
            set_at(native, self.path, out if len(out) > 1 else out[0])


class Names:
    """`name`: whole, or in parts. A call-me part (`CL`) is an alias where there are others."""

    fills = ("name", "alias")

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        named: list[tuple[int, str, Position]] = []
        for item, where in items(value, at):
            order = min((_NAME_ORDER.get(use, 2) for use in said(item, "@use").split()), default=1)
            if isinstance(item.get("validTime"), dict) and "high" in item["validTime"]:
                order = 4
            given = [part for part, _ in items(item.get("given"), ()) if said(part, "#")]
            formal = [part for part in given if "CL" not in said(part, "@qualifier").split()]
            called = [said(part, "#") for part in given if part not in formal]
            first = [said(part, "#") for part in formal] or called
            name = joined_name(texts(item, "family"), first) or said(item, "#")
            named.append((order, " ".join(name.split()) if not HAN.search(name) else name, where))
            if called and formal:
                named.append((3, " ".join(called), where))
        take_names([(name, where) for _, name, where in sorted(named, key=lambda entry: entry[0])], target, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        if not plain(rest.get("name")):
            return
        out: list[Any] = [rest.pop("name")]
        if plain(rest.get("alias")) and rest["alias"] != out[0]:
            out.append({"@use": "P", "#": rest.pop("alias")})
        set_at(native, self.path, out if len(out) > 1 else out[0])


class Addresses:
    """The first address, not a former one; a division code stands in `censusTract` (or in a part that is one)."""

    fills = ("residence.address", "residence.region")

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        ordered = sorted(
            items(value, at), key=lambda entry: "OLD" in said(entry[0], "@use") or "BAD" in said(entry[0], "@use")
        )
        ordered.sort(key=lambda entry: "high" in (entry[0].get("useablePeriod") or ()))
        take_addresses([(*self._parts(item), where) for item, where in ordered], target, reading)

    def _parts(self, item: Tree) -> tuple[str, str]:
        region = next((t for t in texts(item, "censusTract") if _DIVISION.fullmatch(t)), "")
        parts: list[str] = []
        for name in _ADDRESS:
            for text in texts(item, name):
                if not region and name in ("state", "city", "county", "township") and _DIVISION.fullmatch(text):
                    region = text
                else:
                    parts.append(text)
        if HAN.search("".join(parts)):
            return "".join(parts), region
        latin = [
            t
            for name in ("streetAddressLine", "houseNumber", "streetName", "city", "state", "postalCode")
            for t in texts(item, name)
        ]
        others = [part for part in parts if part not in latin]
        country = [t for t in texts(item, "country") if t not in ("CN", "CHN", "中国")]
        return " ".join([*latin, *others, *country]) or said(item, "#"), region

    def write(self, rest: Tree, native: Tree) -> None:
        residence = rest.get("residence")
        if not isinstance(residence, dict):
            return
        out: Tree = {"@use": "H"}
        if plain(residence.get("address")):
            out["streetAddressLine"] = residence.pop("address")
        if isinstance(residence.get("region"), str) and _DIVISION.fullmatch(residence["region"]):
            out["censusTract"] = residence.pop("region")
        if len(out) > 1:
            set_at(native, self.path, out)
        if not residence:
            del rest["residence"]


class Telecoms:
    fills = ("phone",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at):
            number = said(item, "@value") or said(item, "#")
            scheme, _, rest = number.rpartition(":")
            if not rest.strip():
                continue
            if scheme.lower() not in ("tel", "", "sms"):
                reading.gap("unmapped", where, "not a telephone number", "persons.phone")
            else:
                take_phone(rest, target, where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        phone = phone_out(rest)
        if phone is not None:
            set_at(native, self.path, {"@value": f"tel:{phone}"})


class Coded:
    """`code` of a table of our own side: sex, ethnicity. What the table does not know is a gap."""

    def __init__(self, path: Path, field: str, reads: CodeTable, writes: CodeTable, system: str) -> None:
        self.path, self.field, self.reads, self.writes, self.system = path, field, reads, writes, system
        self.fills = (field,)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for number, (item, where) in enumerate(items(value, at)):
            code, label = said(item, "@code"), said(item, "@displayName") or said(item, "#")
            if said(item, "@nullFlavor") and not code:
                continue
            system = said(item, "@codeSystem")
            is_ours = system in ("", self.system) or self.field == "sex"
            by_code, by_label = (self.reads.find(text) if text else None for text in (code if is_ours else "", label))
            found = by_code or by_label
            if by_code and by_label and by_code != by_label:
                message = "the code and its label say different things"
                reading.gap("code-conflict", where, message, f"persons.{self.field}")
                found = by_code if system else by_label
            if found is None:
                reading.gap("unmapped-code", where, f"not in code table `{self.reads.name}`", f"persons.{self.field}")
            elif number == 0 and fill(target, (self.field,), found):
                reading.note(target, (self.field,), where)
            else:
                reading.gap("repeated", where, "one value is expected", f"persons.{self.field}")

    def write(self, rest: Tree, native: Tree) -> None:
        spellings = self.writes.spellings.get(str(rest.get(self.field)))
        if spellings is not None and self.reads.find(str(rest[self.field])) == rest[self.field]:
            code = rest.pop(self.field)
            set_at(native, self.path, {"@code": code, "@codeSystem": self.system, "@displayName": spellings[1]})


class Value:
    """An element whose `value` attribute one converter reads: birthTime."""

    def __init__(self, path: Path, field: str, converter: Converter) -> None:
        self.path, self.field, self.converter = path, field, converter
        self.fills = (field,)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at)[:1]:
            text = said(item, "@value") or said(item, "#")
            if not text:
                continue
            try:
                found = self.converter.read(text)
            except Unmappable as error:
                reading.gap(error.code, (*where, "@value"), error.message, f"persons.{self.field}")
                continue
            if isinstance(found, Noted):
                reading.gap(found.code, (*where, "@value"), found.message, f"persons.{self.field}")
                found = found.value
            if fill(target, (self.field,), found):
                reading.note(target, (self.field,), (*where, "@value"))

    def write(self, rest: Tree, native: Tree) -> None:
        try:
            text = self.converter.write(rest.get(self.field))
        except Unwritable:
            return
        del rest[self.field]
        set_at(native, self.path, {"@value": text})


BIRTH = Converter(read_date, write_compact_date)


class Age:
    """WS/T 500: `<age unit="岁" value="5"/>` where no birthTime is given; months and days for infants. Read only."""

    fills = ("age",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at)[:1]:
            number = said(item, "@value") or said(item, "#")
            unit = said(item, "@unit")
            if not number:
                continue
            text = number
            if unit in ("周", "WK", "W") and number.isdigit():
                text = f"{int(number) * 7}天"
            elif unit in ("小时", "时", "H", "分钟", "分", "MIN"):
                text = "0天"
            elif unit and number.isdigit():
                text = number + _AGE_UNITS.get(unit.upper(), unit)
            try:
                found = read_age(text)
            except Unmappable as error:
                reading.gap(error.code, where, error.message, "persons.age")
                continue
            if isinstance(found, Noted):
                reading.gap(found.code, where, found.message, "persons.age")
                found = found.value
            if fill(target, ("age",), found):
                reading.note(target, ("age",), where)

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Kin:
    """`code` of a guardian or participant: GB/T 4761 or HL7's roles."""

    fills = ("relation",)

    def __init__(self, path: Path, table: CodeTable) -> None:
        self.path, self.table = path, table

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at)[:1]:
            entries = [(said(item, "@codeSystem"), said(item, "@code"), said(item, "@displayName"))]
            entries += [
                (said(t, "@codeSystem"), said(t, "@code"), said(t, "@displayName"))
                for t, _ in items(item.get("translation"), ())
            ]
            entries += [("", "", text) for text in texts(item, "originalText")]
            take_relation([entry for entry in entries if entry[1] or entry[2]], self.table, target, where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        spellings = shared_tables()["relation"].spellings.get(str(rest.get("relation")))
        if spellings is not None:
            code = rest.pop("relation")
            set_at(native, self.path, {"@code": code, "@codeSystem": RELATION_OID, "@displayName": spellings[1]})


class RoleClass:
    """classCode: GUARD is a guardian; written PRS, a personal relationship, whoever it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if value == "GUARD":
            target["~guardian"] = True

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Ended:
    """`time` of a participation: a relation whose end has passed makes no guardian."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at):
            for high, place in items(item.get("high"), (*where, "high")):
                take_end(said(high, "@value"), place, target, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Joined:
    """Put there by the adapter: the number of the recordTarget whose guardian this is."""

    def __init__(self, member: str) -> None:
        self.member = member

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        target[self.member] = value

    def write(self, rest: Tree, native: Tree) -> None:
        return None
