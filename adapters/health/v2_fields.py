"""What do the structured HL7 v2 fields say: identifiers, names, addresses, relations, observations?

Each class reads and writes one kind of field for the mapping document. Values
come as the codec gives them: text, a dict of components, or a list of
repetitions.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.health.contacts import phone_out, take_addresses, take_phone
from adapters.health.people import HAN, is_something, says_nothing, take_end, take_names, take_relation
from adapters.health.v2_structure import is_of_this_message_alone
from adapters.kit.codetables import CodeTable, shared_tables
from adapters.kit.converters import Noted, Unmappable, Unwritable, read_citizen_id, read_division, write_citizen_id
from adapters.kit.er7 import component
from adapters.kit.lens import Reading, fill, text_of
from adapters.kit.native import Position, Tree, as_list

_CITIZEN = re.compile(r"[0-9]{17}[0-9Xx]")
# Local spellings of `resident identity` in CX.5 (and CX.4), as hospitals use them.
_RESIDENT_TYPES = frozenset(
    {"NI", "01", "1", "21", "51", "IDENTIFYNO", "IDCARD", "SFZ", "SFZH", "身份证", "居民身份证", "NNCHN"}
)
_DOCUMENT_TYPES = {
    "PPN": "PASS",
    "PASSPORT": "PASS",
    "03": "PASS",
    "02": "HKB",
    "06": "HKM",
    "07": "TW",
    "BR": "BIRTH",
    "BC": "BIRTH",
}
_OTHER_DOCUMENTS = frozenset({"SS", "SB", "NIIP", "HC", "JHN", "MC", "MA", "DL"})


# Table 0200: alias, nickname, name at birth, maiden name, pseudonym, bad or unused ones come after the legal name.
_OTHER_NAMES = frozenset({"A", "N", "B", "M", "S", "P", "BAD", "NOUSE", "NAV", "T", "K", "TEMP"})
# Table 0190: a bad address, where somebody was born or comes from, an office or a firm is taken only where no home is told.
_NO_HOME = frozenset({"BA", "N", "BDL", "BR", "F", "O", "B", "V", "S"})
LATE = "~late_identifiers"


def take_local(number: str, where: Position, target: Tree, reading: Reading) -> None:
    """A local number becomes the key; a further one is named, unless it repeats what is known."""
    if fill(target, ("key",), number):
        reading.note(target, ("key",), where)
    elif number != target.get("id_no"):
        reading.gap("identifier", (*where, "1"), "a further identifier has no canonical field", "persons.key")


def repetitions(value: Any, at: Position) -> list[tuple[Any, Position]]:
    items = as_list(value)
    return [(item, (*at, index) if len(items) > 1 else at) for index, item in enumerate(items)]


class Identifiers:
    """CX repetitions: a resident identity, else another document, and one local number; the rest are named gaps."""

    fills = ("id_no", "id_type", "key")

    def __init__(self, native: str, *, primary: bool = True) -> None:
        self.native = native
        self.primary = primary

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        local: list[tuple[str, Position]] = []
        documents: list[tuple[str, str, Position]] = []
        for item, where in repetitions(value, at):
            number = component(item, "1")
            if number is None:
                if component(item, "2") is not None:
                    message = "a number where its check digit belongs"
                    reading.gap("identifier", (*where, "2"), message, "persons.key")
                continue  # `^^^^25`: a type without a number
            number = number.strip()
            if says_nothing(number, (*where, "1"), "persons.key", reading):
                continue
            kind = (component(item, "5") or "").strip().upper()
            authority = (component(item, "4") or "").strip().upper()
            if is_of_this_message_alone(authority, kind):
                continue
            is_resident = kind in _RESIDENT_TYPES or authority in _RESIDENT_TYPES
            if (_CITIZEN.fullmatch(number) and (is_resident or kind in ("", "SS") or not self.primary)) or (
                is_resident and self._resident(number, where, reading)
            ):
                documents.insert(0, ("ID", number, where))
            elif kind in _DOCUMENT_TYPES:
                documents.append((_DOCUMENT_TYPES[kind], number, where))
            elif kind in _OTHER_DOCUMENTS or kind.startswith("NN"):
                documents.append(("OTH", number, where))
            elif not self.primary:
                target.setdefault(LATE, []).append((number, where))  # PID-3 comes first, wherever it stands
            else:
                local.append((number, where))
        for kind, number, where in documents:
            self._document(kind, number, target, where, reading)
        for number, where in local:
            take_local(number, where, target, reading)

    def _resident(self, number: str, where: Position, reading: Reading) -> bool:
        try:
            found = read_citizen_id(number)
        except Unmappable as error:
            reading.gap(error.code, (*where, "1"), error.message, "persons.id_no")
            return False
        return not (isinstance(found, Noted) and found.code == "id-form")

    def _document(self, kind: str, number: str, target: Tree, where: Position, reading: Reading) -> None:
        if kind == "ID":
            found = read_citizen_id(number)
            if isinstance(found, Noted):
                reading.gap(found.code, (*where, "1"), found.message, "persons.id_no")
                found = found.value
            number = str(found)
        there = target.get("id_no")
        if there is None and "id_type" not in target:
            target["id_type"], target["id_no"] = kind, number
            reading.note(target, ("id_no",), where)
            reading.note(target, ("id_type",), where)
        elif there != number:
            reading.gap("identifier", (*where, "1"), "a further identifier has no canonical field", "persons.id_no")

    def write(self, rest: Tree, native: Tree) -> None:
        if not self.primary:
            return
        out: list[Any] = []
        key = rest.get("key")
        if is_something(key) and not _CITIZEN.fullmatch(str(key)):
            out.append({"1": rest.pop("key"), "4": "HOSP", "5": "PI"})
        kind, number = rest.get("id_type"), rest.get("id_no")
        if kind == "ID":
            try:
                out.append({"1": write_citizen_id(number), "4": "GA", "5": "NI"})
                del rest["id_type"], rest["id_no"]
            except Unwritable:
                pass  # masked: the extension block says so
        elif kind == "PASS" and is_something(number) and "*" not in str(number):
            out.append({"1": number, "5": "PPN"})
            del rest["id_type"], rest["id_no"]
        if out:
            native[self.native] = out if len(out) > 1 else out[0]


class PersonName:
    """XPN: the whole Chinese name in one component, pinyin^Chinese, an empty first component, or family^given^middle."""

    fills = ("name", "alias")

    def __init__(self, native: str) -> None:
        self.native = native

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        in_use = sorted(repetitions(value, at), key=lambda entry: component(entry[0], "7") in _OTHER_NAMES)
        take_names([(self._name(item), where) for item, where in in_use], target, reading)

    def _name(self, item: Any) -> str:
        if not isinstance(item, dict):
            return (text_of(item) or "").strip()
        parts = [(component(item, number) or "").strip() for number in ("1", "2", "3")]
        han = [part for part in parts if HAN.search(part)]
        if han:
            # pinyin^Chinese keeps the Chinese; family^given in Chinese is joined without a blank
            return "".join(han)
        return " ".join(part for part in (parts[1], parts[2], parts[0]) if part)

    def write(self, rest: Tree, native: Tree) -> None:
        name = rest.get("name")
        if not is_something(name):
            return
        alias = rest.get("alias")
        pair = [rest.pop("name")]
        if is_something(alias) and alias != name:
            pair.append(rest.pop("alias"))
        native[self.native] = pair if len(pair) > 1 else pair[0]


class Address:
    """XAD: our own form is text^^division; foreign ones are joined from street, other, city, province, postcode, country."""

    fills = ("residence.address", "residence.region")

    def __init__(self, native: str) -> None:
        self.native = native

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        lived_in = sorted(repetitions(value, at), key=lambda entry: component(entry[0], "7") in _NO_HOME)
        take_addresses([(*self._parts(item), where) for item, where in lived_in], target, reading)

    def _parts(self, item: Any) -> tuple[str, str]:
        if not isinstance(item, dict):
            return (text_of(item) or "").strip(), ""
        region = ""
        words: list[str] = []
        for number in ("1", "2", "3", "4", "5", "6"):
            part = (component(item, number) or "").strip()
            if not part or (number == "6" and part in ("CN", "CHN")):
                continue
            if number == "3":
                try:
                    region = str(read_division(part))
                    continue
                except Unmappable:
                    pass  # a city's name, part of the address
            words.append(part)
        return " ".join(words), region

    def write(self, rest: Tree, native: Tree) -> None:
        residence = rest.get("residence")
        if not isinstance(residence, dict):
            return
        text, region = residence.get("address"), residence.get("region")
        out: Tree = {}
        if isinstance(text, str) and text and text == text.strip():
            out["1"] = residence.pop("address")
        if isinstance(region, str) and re.fullmatch(r"[0-9]{6}|[0-9]{9}|[0-9]{12}", region):
            out["3"] = residence.pop("region")
        if out:
            native[self.native] = {**out, "6": "CN"}
        if not residence:
            del rest["residence"]


class Telephone:
    """XTN: the number in the first component, or area code and number in 6 and 7, or 12, or as any text in 9."""

    fills = ("phone",)

    def __init__(self, native: str) -> None:
        self.native = native

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in repetitions(value, at):
            number = self._number(item)
            if number:
                take_phone(number, target, where, reading)
            elif component(item, "4") is not None:
                reading.gap("unmapped", (*where, "4"), "not a telephone number", "persons.phone")

    def _number(self, item: Any) -> str:
        first = (component(item, "1") or "").strip()
        if first or not isinstance(item, dict):
            return first
        parts = [(component(item, number) or "").strip() for number in ("6", "7")]
        whole = "-".join(part for part in parts if part)
        return whole or (component(item, "12") or component(item, "9") or "").strip()

    def write(self, rest: Tree, native: Tree) -> None:
        if self.native not in native:
            phone = phone_out(rest)
            if phone is not None:
                native[self.native] = phone


class Ended:
    """NK1-9: when the relation ended."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if not take_end(component(value, "1") or "", at, target, reading):
            reading.gap("unmapped", at, "no rule maps this")

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Ethnicity:
    """CE: `01`, `HA^汉族`, `^^汉族`; what no table knows is a gap, and so is a code that contradicts its label, which is believed."""

    fills = ("ethnicity",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        table = shared_tables()["ethnicity"]
        item = value[0] if isinstance(value, list) else value
        said = [part for number in ("1", "2", "3") if (part := component(item, number)) is not None]
        found = {part: known for part in said if (known := table.find(part)) is not None}
        if len(set(found.values())) > 1:
            reading.gap("code-conflict", at, "the code and its label say different things", "persons.ethnicity")
            found = {part: known for part, known in found.items() if HAN.search(part)}
        for known in list(found.values())[:1]:
            if fill(target, ("ethnicity",), known):
                reading.note(target, ("ethnicity",), at)
        if said and not found:
            reading.gap("unmapped-code", at, "not in code table `GB/T 3304` version 1991", "persons.ethnicity")

    def write(self, rest: Tree, native: Tree) -> None:
        if rest.get("ethnicity") in shared_tables()["ethnicity"].writer():
            native["22"] = rest.pop("ethnicity")


class Relation:
    """CE: GB/T 4761 code and label, or HL70063. `this person is X of the patient`, as canonical wants it."""

    fills = ("relation",)

    def __init__(self, table: CodeTable) -> None:
        self.table = table

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        item = value[0] if isinstance(value, list) else value
        said = [
            tuple((component(item, number) or "").strip() for number in numbers)
            for numbers in (("3", "1", "2"), ("6", "4", "5"))
        ]
        entries = [(system, code, label) for system, code, label in said if code or label]
        take_relation(entries, self.table, target, at, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        spellings = shared_tables()["relation"].spellings.get(str(rest.get("relation")))
        if spellings is not None:
            native["3"] = {"1": rest.pop("relation"), "2": spellings[1], "3": "GB/T4761"}
