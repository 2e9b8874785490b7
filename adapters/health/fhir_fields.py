"""What do FHIR's structured elements say of a person: identifiers, names, addresses, telephones, relations?

Each class reads and writes one element for `fhir.yaml`.
"""

from __future__ import annotations

import re
from typing import Any

from adapters.health.contacts import phone_out, take_addresses, take_phone
from adapters.health.people import (
    CITIZEN,
    FORMER,
    RESIDENT_OID,
    Identifier,
    has_ended,
    is_something,
    joined_name,
    relation_of,
    take_end,
    take_identifiers,
    take_names,
    take_relation,
)
from adapters.kit.codetables import CodeTable, shared_tables
from adapters.kit.converters import Unwritable, write_citizen_id, write_text
from adapters.kit.fhir import To, codings
from adapters.kit.lens import Reading, fill, text_of
from adapters.kit.native import Position, Tree, as_list

RESIDENT = f"urn:oid:{RESIDENT_OID}"
PERSON_KEY = "urn:hutong:person"
RELATION_OID = "urn:oid:2.16.156.10011.2.3.3.8"
ETHNICITY_URL = "urn:hutong:fhir:ethnicity"
UNKNOWN = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
_ID_TYPES = "urn:oid:2.16.156.10011.2.3.1.2"
_HL7_IDS = "http://terminology.hl7.org/CodeSystem/v2-0203"
_RESIDENT_WORDS = ("身份证", "居民身份", "公民身份", "resident-id", "resident_id", "idcard", "cn-id")
_DOCUMENTS = {"PPN": "PASS", "BR": "BIRTH", "BCT": "BIRTH", "NI": "ID", "NNCHN": "ID", "CIN": "ID"}
_NATIONAL = re.compile(r"NN[A-Z]{3}")  # the national number of another country
_ABROAD = re.compile(
    r"https?://(?![^/]*\.cn(?:[:/]|$))|2\.16\.(?!156)|1\.2\.(?!156)"
)  # whose system is of another country
_OTHER_DOCUMENTS = frozenset({"SS", "SB", "NIIP", "HC", "JHN", "MC", "MA", "DL", "SSN"})
_DIVISION = re.compile(r"[0-9]{6}(?:[0-9]{3}){0,2}")


def elements(value: Any, at: Position) -> list[tuple[Tree, Position]]:
    items = as_list(value)
    listed = isinstance(value, list)
    return [(item, (*at, n) if listed else at) for n, item in enumerate(items) if isinstance(item, dict) and item]


def word(item: Tree, name: str) -> str:
    """One text member, stripped; empty when it is absent or no text."""
    found = item.get(name)
    return found.strip() if isinstance(found, str) else ""


def words(item: Tree, name: str) -> list[str]:
    return [part for part in as_list(item.get(name)) if isinstance(part, str) and part.strip()]


def is_past(item: Tree, reading: Reading) -> bool:
    """Whether the period of a name, number, address or relation had ended when the message was sent."""
    period = item.get("period")
    return isinstance(period, dict) and has_ended(word(period, "end"), reading)


class Identifiers:
    fills = ("id_no", "id_type", "key")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        found: list[Identifier] = []
        for item, where in sorted(elements(value, at), key=lambda entry: is_past(entry[0], reading)):
            number = word(item, "value")
            if not number:
                continue
            if word(item, "use") == "old":
                reading.gap("old-value", (*where, "value"), "marked as no longer in use", "persons.key")
                continue
            found.append((self._kind(item, number), number, (*where, "value")))
        take_identifiers(found, target, reading)

    def _kind(self, item: Tree, number: str) -> str:
        system = word(item, "system").lower().removeprefix("urn:oid:")
        types = codings(item.get("type"))
        if system == RESIDENT_OID or any(mark in system for mark in _RESIDENT_WORDS):
            return "ID"
        for kind_system, code, display in types:
            if code in _DOCUMENTS:
                is_foreign = code == "NI" and _ABROAD.match(system) and not CITIZEN.fullmatch(number)
                return "OTH" if is_foreign else _DOCUMENTS[code]
            if "2.3.1.2" in kind_system or "cv02.01.101" in kind_system.lower():
                return shared_tables()["id_type@health"].find(code) or "OTH"
            if any(mark in (display + code).lower() for mark in _RESIDENT_WORDS):
                return "ID"
        if any(_NATIONAL.fullmatch(code) for _, code, _ in types):
            return "OTH"
        if any(code in _OTHER_DOCUMENTS for _, code, _ in types) or system.endswith("us-ssn"):
            return "ID" if CITIZEN.fullmatch(number) else "OTH"
        return "ID" if CITIZEN.fullmatch(number) and not types else ""

    def write(self, rest: Tree, native: Tree) -> None:
        out: list[Tree] = []
        kind, number = rest.get("id_type"), rest.get("id_no")
        if kind == "ID" and isinstance(number, str) and CITIZEN.fullmatch(number) and write_citizen_id(number):
            coding = {"system": _ID_TYPES, "code": "01", "display": "居民身份证"}
            out.append({"use": "official", "type": {"coding": [coding]}, "system": RESIDENT, "value": number})
            del rest["id_type"], rest["id_no"]
        elif kind == "PASS" and _plain(number) and "*" not in str(number):
            out.append({"type": {"coding": [{"system": _HL7_IDS, "code": "PPN"}]}, "value": number})
            del rest["id_type"], rest["id_no"]
        key = rest.get("key")
        if _plain(key) and not CITIZEN.fullmatch(str(key)):
            out.append({"system": PERSON_KEY, "value": rest.pop("key")})
        if out:
            native["identifier"] = out


class Names:
    """HumanName: the whole name in `text`, else its parts. What is in use comes before what was."""

    fills = ("name", "alias")

    _ORDER = ("official", "usual", "", "temp", "anonymous", "nickname", "maiden", "old")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        named = []
        for item, where in elements(value, at):
            text = word(item, "text")
            name = text or joined_name(words(item, "family"), words(item, "given"))
            use = "old" if is_past(item, reading) else word(item, "use")
            named.append((self._ORDER.index(use) if use in self._ORDER else 2, name, where))
        take_names([(name, where) for _, name, where in sorted(named, key=lambda entry: entry[0])], target, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        out = []
        if _plain(rest.get("name")):
            out.append({"use": "official", "text": rest.pop("name")})
            if _plain(rest.get("alias")) and rest["alias"] != out[0]["text"]:
                out.append({"use": "nickname", "text": rest.pop("alias")})
        if out:
            native["name"] = out


class ContactName(Names):
    """Patient.contact.name is one HumanName, read only."""

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Addresses:
    """The first address in use; a division code stands in `district`."""

    fills = ("residence.address", "residence.region")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        in_use = sorted(elements(value, at), key=lambda entry: self._rank(entry[0], reading))
        take_addresses([(*self._parts(item), where) for item, where in in_use], target, reading)

    def _rank(self, item: Tree, reading: Reading) -> int:
        """Where somebody lives comes before where bills go and where work is, and that before what was."""
        use = word(item, "use")
        return 2 if use == "old" or is_past(item, reading) else int(use in ("billing", "work"))

    def _parts(self, item: Tree) -> tuple[str, str]:
        parts: list[str] = []
        region = ""
        for name in ("line", "district", "city", "state", "postalCode", "country"):
            for part in words(item, name):
                if name in ("district", "city", "state") and not region and _DIVISION.fullmatch(part.strip()):
                    region = part.strip()
                elif not (name == "country" and part.strip() in ("CN", "CHN", "中国")):
                    parts.append(part.strip())
        text = word(item, "text") or " ".join(parts)
        return text, region

    def write(self, rest: Tree, native: Tree) -> None:
        residence = rest.get("residence")
        if not isinstance(residence, dict):
            return
        out: Tree = {}
        if _plain(residence.get("address")):
            out["text"] = residence.pop("address")
        if isinstance(residence.get("region"), str) and _DIVISION.fullmatch(residence["region"]):
            out["district"] = residence.pop("region")
        if out:
            native["address"] = [{"use": "home", **out}]
        if not residence:
            del rest["residence"]


class Telecoms:
    fills = ("phone",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            number, system = word(item, "value"), word(item, "system")
            if not number:
                continue
            if system not in ("phone", "sms", ""):
                reading.gap("unmapped", where, "neither a telephone nor a message number", "persons.phone")
            elif word(item, "use") == "old":
                reading.gap("repeated", where, "a further telephone number has no canonical field", "persons.phone")
            else:
                take_phone(number, target, where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        phone = phone_out(rest)
        if phone is not None:
            native["telecom"] = [{"system": "phone", "value": phone}]


class Relation:
    """GB/T 4761, HL7 RoleCode, SNOMED or words: this person is X of the patient. A guardian role marks a guardian."""

    fills = ("relation",)

    _CONTACT_ROLES = "v2-0131"

    def __init__(self, table: CodeTable) -> None:
        self.table = table

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        said = [entry for entry in codings(value) if self._CONTACT_ROLES not in entry[0]]
        take_relation(said, self.table, target, at, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        relation = rest.get("relation")
        spellings = shared_tables()["relation"].spellings.get(str(relation))
        if spellings is not None and relation_of([str(relation)], self.table) == relation:
            coding = {"system": RELATION_OID, "code": rest.pop("relation"), "display": spellings[1]}
            native["relationship"] = [{"coding": [coding]}]


class PatientLink:
    """Whose relative: the number of the Patient in the input, put there by the adapter."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if isinstance(value, int):
            target["~patient"] = value

    def write(self, rest: Tree, native: Tree) -> None:
        number = rest.pop("~patient", None)
        if native:
            native["patient"] = To("Patient", number) if isinstance(number, int) and number >= 0 else UNKNOWN


class Own:
    """The number of this resource among its kind, so that others can be joined to its person."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        target["~self"] = value

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class PersonExtensions:
    """Ethnicity is ours; any other extension is a named gap."""

    fills = ("ethnicity",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            url = word(item, "url")
            codes = codings(item.get("valueCodeableConcept")) + codings(item.get("valueCoding"))
            said = [part for _, code, display in codes for part in (code, display)]
            if url == ETHNICITY_URL or "3304" in "".join(system for system, _, _ in codes):
                found = next((f for text in said if (f := shared_tables()["ethnicity"].find(text))), None)
                if found is not None and fill(target, ("ethnicity",), found):
                    reading.note(target, ("ethnicity",), where)
                    continue
            reading.gap("unmapped", where, "no rule maps this extension")

    def write(self, rest: Tree, native: Tree) -> None:
        spellings = shared_tables()["ethnicity"].spellings.get(str(rest.get("ethnicity")))
        if spellings is not None:
            coding = {"system": "urn:hutong:codesystem:GBT3304", "code": rest.pop("ethnicity"), "display": spellings[1]}
            native["extension"] = [{"url": ETHNICITY_URL, "valueCodeableConcept": {"coding": [coding]}}]


class BirthDetail:
    """`_birthDate`: a time of birth has no canonical field; a reason for absence says nothing more."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value.get("extension") if isinstance(value, dict) else None, (*at, "extension")):
            if not word(item, "url").endswith("data-absent-reason"):
                reading.gap("unmapped", where, "a time of birth has no canonical field", "persons.birth_date")

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Period:
    """When a relation holds: one that has ended makes no guardian; beginnings and ends have no canonical field."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        end = word(value, "end") if isinstance(value, dict) else ""
        if not take_end(end, (*at, "end"), target, reading):
            reading.gap("unmapped", at, "no rule maps this")

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Active:
    """A record that is no longer in use is said to be so; what it says of a relative makes no guardian."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if text_of(value) == "0":
            reading.gap("inactive", at, "the record is marked as no longer in use")
            target[FORMER] = True

    def write(self, rest: Tree, native: Tree) -> None:
        return None


def _plain(value: Any) -> bool:
    try:
        return bool(write_text(value) == value) and is_something(value)
    except Unwritable:
        return False
