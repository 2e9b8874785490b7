"""How does health speak CDA R2? See cda.yaml, DOMAIN 2.4, WS/T 500.

Authors, informants, data enterers and authenticators go to the vault before
anything else is looked at.
"""

from __future__ import annotations

from typing import Any

from adapters.health.cda_body import SECTIONS, Body
from adapters.health.cda_fields import (
    BIRTH,
    ETHNICITY_OID,
    KEY_OID,
    SEX_OID,
    Addresses,
    Age,
    Coded,
    Ended,
    Ids,
    Joined,
    Kin,
    Names,
    RoleClass,
    Telecoms,
    Value,
    items,
    said,
)
from adapters.health.people import (
    FORMER,
    HAN,
    ORDINARY,
    OWN,
    PATIENT,
    join_relatives,
    joined_name,
    nobody,
    settle_people,
    taken_back,
)
from adapters.kit.adapter import MappedAdapter, Outgoing, Source
from adapters.kit.cda import CdaCodec
from adapters.kit.codetables import shared_tables
from adapters.kit.converters import Noted, Unmappable, read_instant
from adapters.kit.extension import lexicon
from adapters.kit.lens import CustomField, Reading
from adapters.kit.mapping import AgencyMapping, load_mapping
from adapters.kit.native import NativeItem, Position, Tree, as_list
from adapters.kit.persons import fold_roles
from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem

KINDS = "2.25.306250467514206291532912346839250174963"
_REPORTS = ("author", "informant", "dataEnterer", "authenticator", "legalAuthenticator")
_ROLES = ("assignedAuthor", "assignedEntity", "relatedEntity")
_PERSONS = ("assignedPerson", "relatedPerson")
_PERSONAL = frozenset({"NOK", "PRS", "ECON", "GUARD", "CAREGIVER", "AGNT", "CON", "QUAL", "POWATT", "PROXY", "RESPRSN"})
_PERSONS_OF_ENTITY = frozenset({"associatedPerson", "assignedPerson"})
# Participations of staff, whose class senders leave at that of a contact: WS/T 500 has CON and ORG for a discussion.
_STAFF_TYPES = frozenset({"ADM", "ATND", "CON", "DIS", "ORG", "PPRF", "PRF", "REF", "REFB", "REFT", "SPRF"})
STAFF_OID = "2.16.156.10011.1.4"  # 医务人员
FUNCTIONS = "2.16.840.1.113883.5.88"  # HL7's functions in the treatment; a carer's function is of another system
_NO_INFORMATION = {"@nullFlavor": "NI"}


class _Sent:
    """effectiveTime: `20260301094500+0800`; a date alone is a time of the day unknown."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at)[:1]:
            try:
                found = read_instant(said(item, "@value"))
            except Unmappable as error:
                reading.gap(error.code, (*where, "@value"), error.message, "@time")
                continue
            reading.envelope.setdefault("@time", str(found.value if isinstance(found, Noted) else found))

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class _DocumentId:
    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, _ in items(value, at)[:1]:
            root, extension = said(item, "@root"), said(item, "@extension")
            number = extension if not root or root == KEY_OID else f"{root}^{extension}" if extension else root
            if number:
                reading.envelope.setdefault("@id", number)

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class _Encounter:
    """encompassingEncounter/id names the case in the hospital's own words; staff and places do not travel."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in items(value, at)[:1]:
            for encounter, place in items(item.get("encompassingEncounter"), (*where, "encompassingEncounter"))[:1]:
                for number, _ in items(encounter.get("id"), place)[:1]:
                    if said(number, "@extension"):
                        reading.envelope.setdefault("@subject", said(number, "@extension"))
                for name in encounter:
                    if name not in ("id", "code", "effectiveTime", "templateId") and name[0] != "@":
                        reading.gap("unmapped", (*place, name), "no rule maps this")

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class HealthCda(MappedAdapter):
    def read_item(self, item: NativeItem, source: Source, number: int, sender: Office) -> SubmittedNotice | RefusedItem:
        is_ours = any(said(code, "@codeSystem") == KINDS for code, _ in items(item.tree.get("code"), ()))
        if "recordTarget" not in item.tree and "hutong:notice" not in item.tree and not is_ours:
            where = item.locate(("recordTarget",)) if item.locate else "recordTarget"
            message = "the document names no patient"
            problem = Problem("no-person", where, message, "send a document with a recordTarget")
            return RefusedItem(item.position or problem.position, (problem,))
        versions = items(item.tree.get("versionNumber"), ("versionNumber",))
        if not is_ours and any(said(version, "@value") == "-1" for version, _ in versions):
            problem = taken_back(item.locate(("versionNumber",)) if item.locate else "versionNumber")
            return RefusedItem(item.position or problem.position, (problem,))
        return super().read_item(item, source, number, sender)

    # --- reading ---

    def before_reading(self, tree: Tree, reading: Reading) -> None:
        _take_reporter(tree, reading)
        notice = tree.get("hutong:notice")
        if not isinstance(notice, dict):
            notice = tree["hutong:notice"] = {}
        for item, _ in items(tree.get("code"), ())[:1]:
            if said(item, "@codeSystem") == KINDS:
                notice["kind"] = said(item, "@code")
        if "kind" not in notice:
            reading.envelope[ORDINARY] = ""
        for number, target in enumerate(as_list(tree.get("recordTarget"))):
            if not isinstance(target, dict):
                continue
            target[OWN] = number
            for role, _ in items(target.get("patientRole"), ()):
                for patient, _ in items(role.get("patient"), ()):
                    for guardian, _ in items(patient.get("guardian"), ()):
                        guardian[PATIENT] = number
        self._staff(tree, reading)
        body = tree.pop("component", None)
        if body is not None:
            tree["component"] = body  # persons first: diagnoses belong to one

    def _staff(self, tree: Tree, reading: Reading) -> None:
        """Participants who are no relatives of the child do not travel; their place in the list stays."""
        there = tree.get("participant")
        for number, item in enumerate(as_list(there)):
            entity = item.get("associatedEntity") if isinstance(item, dict) else None
            if not isinstance(entity, dict):
                continue
            kind = said(entity, "@classCode")
            is_personal = kind in _PERSONAL or (not kind and not _PERSONS_OF_ENTITY.isdisjoint(entity))
            if is_personal and not _is_staff(item, entity):
                continue
            at: Position = ("participant", number) if isinstance(there, list) else ("participant",)
            reading.gap("staff", at, "a participant who is no relative has no place in a case notice")
            item.clear()

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        reading.persons[:] = [p for p in reading.persons if set(p) - {"roles", OWN, PATIENT, FORMER, "~guardian"}]
        for person in reading.persons:
            if "birth_date" in person:
                person.pop("age", None)
        made = f"{self.mapping.version[:4]}-01-01"
        several = isinstance(tree.get("recordTarget"), list)
        numbers = [int(person.get(OWN, 0)) for person in reading.persons if person["roles"] == ["minor"]]

        def born(index: int) -> Position:
            target: Position = ("recordTarget", numbers[index]) if several else ("recordTarget",)
            return (*target, "patientRole", "patient", "birthTime")

        settle_people(reading, reading.envelope.get("@time", made)[:10], born)
        join_relatives(reading)

    def refusal(self, reading: Reading) -> Problem | None:
        return nobody(reading, ("recordTarget",))

    # --- writing ---

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        fold_roles(rest)

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        notice = tree.pop("hutong:notice", {})
        kind = notice.pop("kind", "")
        label = lexicon("label").types.get(outgoing.type, kind)
        moment = outgoing.time.astimezone(outgoing.time.tzinfo)
        targets = as_list(tree.pop("recordTarget", None)) or [{}]
        people = as_list(tree.pop("participant", None))
        body, block = tree.pop("component", None), tree.pop("hutong:KZK", None)
        tree.clear()
        tree.update(
            {
                "realmCode": {"@code": "CN"},
                "typeId": {"@root": "2.16.840.1.113883.1.3", "@extension": "POCD_HD000040"},
                "id": {"@root": KEY_OID, "@extension": outgoing.number},
                "code": {"@code": kind, "@codeSystem": KINDS, "@displayName": label},
                "title": label,
                "effectiveTime": {"@value": moment.strftime("%Y%m%d%H%M%S%z")},
                "confidentialityCode": {"@code": "R", "@codeSystem": "2.16.840.1.113883.5.25"},
                "languageCode": {"@code": "zh-CN"},
                "recordTarget": [_target(target) for target in targets],
                "author": {
                    "time": {"@value": moment.strftime("%Y%m%d%H%M%S%z")},
                    "assignedAuthor": {"id": _NO_INFORMATION, "assignedAuthoringDevice": {"softwareName": "HUTONG"}},
                },
                "custodian": {"assignedCustodian": {"representedCustodianOrganization": {"id": _NO_INFORMATION}}},
            }
        )
        if people:
            tree["participant"] = [_participant(person) for person in people]
        if body is None:
            empty = {"code": {"@code": "TB", "@codeSystem": SECTIONS}, "title": label, "text": label}
            body = {"structuredBody": {"component": {"section": empty}}}
        tree["component"] = body
        if notice:
            tree["hutong:notice"] = notice
        if block:
            tree["hutong:KZK"] = block


def _is_staff(participant: Tree, entity: Tree) -> bool:
    """Somebody with a function in the treatment (a family doctor, a consultant, whoever led a discussion), by whatever class."""
    numbers = {said(number, "@root") for number, _ in items(entity.get("id"), ())}
    functions = {said(code, "@codeSystem") for code, _ in items(participant.get("functionCode"), ())}
    return said(participant, "@typeCode") in _STAFF_TYPES or FUNCTIONS in functions or STAFF_OID in numbers


def _target(target: Tree) -> Tree:
    role = dict(target.get("patientRole", {}))
    patient = role.pop("patient", None)
    out: Tree = {"id": role.pop("id", _NO_INFORMATION), **role}
    if patient:
        names = ("name", "administrativeGenderCode", "birthTime", "ethnicGroupCode")
        out["patient"] = {name: patient[name] for name in names if name in patient}
    return {"patientRole": out}


def _participant(person: Tree) -> Tree:
    entity = person.get("associatedEntity", {})
    names = ("id", "code", "addr", "telecom", "associatedPerson")
    return {
        "@typeCode": "IND",
        "associatedEntity": {"@classCode": "PRS", **{name: entity[name] for name in names if name in entity}},
    }


def _take_reporter(tree: Tree, reading: Reading) -> None:
    found: dict[str, dict[str, None]] = {"name": {}, "phone": {}, "id_no": {}, "unit": {}, "relation": {}}
    for kind in _REPORTS:
        for report, _ in items(tree.pop(kind, None), ()):
            for role in _ROLES:
                for entity, _ in items(report.get(role), ()):
                    _reporter(entity, role, found)
    for name, values in found.items():
        if values:
            reading.reporter[name] = "; ".join(values)


def _reporter(entity: Tree, role: str, found: dict[str, dict[str, None]]) -> None:
    for member in _PERSONS:
        for person, _ in items(entity.get(member), ()):
            for name, _ in items(person.get("name"), ()):
                given = [said(part, "#") for part, _ in items(name.get("given"), ())]
                family = [said(part, "#") for part, _ in items(name.get("family"), ())]
                whole = joined_name(family, given) or said(name, "#")
                if whole:
                    found["name"][whole if HAN.search(whole) else " ".join(whole.split())] = None
    for telecom, _ in items(entity.get("telecom"), ()):
        if number := said(telecom, "@value").removeprefix("tel:").strip():
            found["phone"][number] = None
    for identifier, _ in items(entity.get("id"), ()):
        if said(identifier, "@extension"):
            found["id_no"][said(identifier, "@extension")] = None
    for organisation, _ in items(entity.get("representedOrganization"), ()):
        for name, _ in items(organisation.get("name"), ()):
            if said(name, "#"):
                found["unit"][said(name, "#")] = None
    if role == "relatedEntity":
        for code, _ in items(entity.get("code"), ()):
            if label := said(code, "@displayName") or said(code, "@code"):
                found["relation"][label] = None


def _customs(mapping: AgencyMapping) -> dict[str, CustomField]:
    tables = shared_tables()
    role: tuple[str, ...] = ("patientRole",)
    patient: tuple[str, ...] = (*role, "patient")
    entity: tuple[str, ...] = ("associatedEntity",)
    return {
        "document_id": _DocumentId(),
        "sent": _Sent(),
        "own": Joined(OWN),
        "joined": Joined(PATIENT),
        "ids": Ids((*role, "id")),
        "more_ids": Ids((*patient, "id"), is_written=False),
        "address": Addresses((*role, "addr")),
        "phone": Telecoms((*role, "telecom")),
        "name": Names((*patient, "name")),
        "sex": Coded((*patient, "administrativeGenderCode"), "sex", tables["sex@hl7v2"], tables["sex"], SEX_OID),
        "born": Value((*patient, "birthTime"), "birth_date", BIRTH),
        "ethnicity": Coded(
            (*patient, "ethnicGroupCode"), "ethnicity", tables["ethnicity"], tables["ethnicity"], ETHNICITY_OID
        ),
        "age": Age(),
        "class": RoleClass((*entity, "@classCode")),
        "kin_ids": Ids((*entity, "id")),
        "relation": Kin((*entity, "code"), mapping.tables["relation_hl7"]),
        "kin_address": Addresses((*entity, "addr")),
        "kin_phone": Telecoms((*entity, "telecom")),
        "kin_name": Names((*entity, "associatedPerson", "name")),
        "ended": Ended(),
        "encounter": _Encounter(),
        "body": Body(),
    }


_MAPPING = load_mapping("adapters.health", "cda.yaml")
CDA = HealthCda(_MAPPING, CdaCodec(), _customs(_MAPPING))
