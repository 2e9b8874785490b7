"""How does health speak HL7 v2? ER7 with Z-segments; see v2.yaml and DOMAIN 2.4."""

from __future__ import annotations

import re
from typing import Any

from adapters.health.observations import Observations
from adapters.health.people import CLINICAL_REFERRAL, ORDINARY, nobody, settle_people, taken_back
from adapters.health.v2_fields import (
    LATE,
    Address,
    Ended,
    Ethnicity,
    Identifiers,
    PersonName,
    Relation,
    Telephone,
    take_local,
)
from adapters.health.v2_structure import NoticeCodec, complete, without_stand_ins
from adapters.health.v2_version import DEFAULT, short_number, version_asked, write_for
from adapters.kit.adapter import MappedAdapter, Outgoing, Source
from adapters.kit.er7 import component
from adapters.kit.lens import CustomField, Reading, fill, text_of
from adapters.kit.mapping import AgencyMapping, load_mapping
from adapters.kit.native import NativeItem, Position, Tree, get_at
from adapters.kit.persons import fold_roles
from adapters.kit.relations import guardian_by_relation
from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Encoded, RefusedItem

_NEXT_SEGMENT = re.compile(r"(?:^|[^A-Za-z0-9]|\\[rn])(?:EVN|PID|PV1)$")
_UNIT_CODE = re.compile(r"[0-9A-Za-z.-]{1,40}")
_DELETING = frozenset({"A23", "A29"})  # delete a patient's record, delete a person
_PHOTO = {"kind": "photo", "holder": "医院"}


class _Processing:
    """MSH-11: anything but production is named, since test data must not become a case unseen."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if component(value, "1") not in (None, "P"):
            reading.gap("not-production", at, "the message is not marked as production data")

    def write(self, rest: Tree, native: Tree) -> None:
        native["11"] = "P"


class _Facility:
    """MSH-4: an official code of the unit, or (in its second component) one made of it; any other name is a named gap."""

    fills = ("sender.unit_code",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        said = [(number, text.strip()) for number in ("1", "2") if (text := component(value, number)) is not None]
        code = next((text for _, text in said if _UNIT_CODE.fullmatch(text)), None)
        if code is not None and fill(target, ("sender", "unit_code"), code):
            reading.note(target, ("sender", "unit_code"), at)
        for number, text in said:
            if text != code:
                place = (*at, number) if isinstance(value, dict) else at
                reading.gap("unit-code", place, "no official code of a unit", "sender.unit_code")

    def write(self, rest: Tree, native: Tree) -> None:
        sender = rest.get("sender")
        if isinstance(sender, dict) and _UNIT_CODE.fullmatch(str(sender.get("unit_code", ""))):
            native["4"] = sender.pop("unit_code")
            if not sender:
                del rest["sender"]


class _ReporterRole:
    """ZMR-4: a role code, perhaps with a job title, which is not carried."""

    fills = ("report.reporter_role",)

    def __init__(self, mapping: AgencyMapping) -> None:
        self.table = mapping.tables["reporter_role"]

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for number in ("1", "2"):
            text = component(value, number)
            found = self.table.find(text) if text else None
            if found is not None:
                if fill(target, ("report", "reporter_role"), found):
                    reading.note(target, ("report", "reporter_role"), at)
                return
        reading.gap("unmapped-code", at, f"not in code table `{self.table.name}`", "report.reporter_role")

    def write(self, rest: Tree, native: Tree) -> None:
        report = rest.get("report")
        if isinstance(report, dict) and report.get("reporter_role") in self.table.writer():
            native["4"] = self.table.writer()[report.pop("reporter_role")]


class _Photos:
    """ZMR-7: photographs are kept at the hospital; they never travel."""

    fills = ("evidence",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if text_of(value) == "1":
            target.setdefault("evidence", []).append(dict(_PHOTO))
            reading.note(target, ("evidence",), at)

    def write(self, rest: Tree, native: Tree) -> None:
        evidence = rest.get("evidence")
        if isinstance(evidence, list) and evidence == [_PHOTO]:
            native["7"] = "1"
            del rest["evidence"]


class _Told:
    """ZMR-8: has the guardian been informed? Kept aside until the guardians are read."""

    fills = ("told.state",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        if text in ("0", "1"):
            target["~told"] = "yes" if text == "1" else "no"
        elif text:
            reading.gap("boolean-form", at, "neither yes nor no", "persons.told.state")

    def write(self, rest: Tree, native: Tree) -> None:
        told = rest.pop("~told", None)
        if told is not None:
            native["8"] = "1" if told == "yes" else "0"


def _is_one_line(tree: Tree) -> bool:
    r"""Whether what should begin a segment stands in the header: line ends were lost, or came as a written `\r`."""
    header = tree.get("MSH")
    fields = header.values() if isinstance(header, dict) else ()
    return any(_NEXT_SEGMENT.search(value) for value in fields if isinstance(value, str))


class HealthV2(MappedAdapter):
    """Kin become guardians by relation. An adult patient is `other`: these notices are about minors."""

    def read_item(self, item: NativeItem, source: Source, number: int, sender: Office) -> SubmittedNotice | RefusedItem:
        trigger = component(get_at(item.tree, ("MSH", "9")), "1")
        if trigger in ("ACK", "MCF") or ("PID" not in item.tree and "ZTB" not in item.tree):
            where = "MSH-9" if trigger in ("ACK", "MCF") else "PID"
            message, remedy = "the message is about no patient", "send a message with a PID segment"
            if trigger not in ("ACK", "MCF") and _is_one_line(item.tree):
                message = "the segments stand in one line, so that none is found after MSH"
                remedy = "end each segment with a carriage return (0x0D)"
            problem = Problem("no-person", where, message, remedy)
            return RefusedItem(item.position or problem.position, (problem,))
        event = component(get_at(item.tree, ("MSH", "9")), "2")
        if event in _DELETING and not {"ZTB", "ZMR"} & item.tree.keys():
            problem = taken_back(item.locate(("MSH", "9")) if item.locate else "MSH-9")
            return RefusedItem(item.position or problem.position, (problem,))
        return super().read_item(item, source, number, sender)

    def before_reading(self, tree: Tree, reading: Reading) -> None:
        without_stand_ins(tree)
        plain = "ZTB" not in tree
        notice = tree.setdefault("ZTB", {})
        if isinstance(notice, dict) and text_of(notice.get("6")) and isinstance(tree.get("MSH"), dict):
            tree["MSH"]["10"] = notice.pop("6")  # the whole of a number that is too long for MSH-10
        if plain and text_of(get_at(tree, ("ZMR", "3"))) == "1":
            notice["4"] = "2"  # a hospital's own message has no urgency: immediate danger is life-threatening
        if isinstance(notice, dict) and "1" not in notice:
            trigger = component(get_at(tree, ("MSH", "9")), "1")
            notice["1"] = "QZBG" if "ZMR" in tree else "TZJC"
            if notice["1"] == "TZJC":
                reading.envelope[ORDINARY] = ""
                if trigger == "REF":
                    reading.gap("referral", ("MSH", "9"), CLINICAL_REFERRAL)

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        for person in reading.persons:
            for number, where in person.pop(LATE, ()):
                take_local(number, where, person, reading)
        sent = reading.envelope.get("@time", "")[:10]
        settle_people(reading, sent, lambda index: ("PID", index, "7") if index else ("PID", "7"))
        self._guardians_told(reading)

    def _guardians_told(self, reading: Reading) -> None:
        told = reading.data.pop("~told", None)
        guardians = [person for person in reading.persons if "guardian" in person["roles"]]
        if told is not None and not guardians:
            guardians = [{"roles": ["guardian"]}]
            reading.persons.extend(guardians)
        for guardian in guardians if told is not None else []:
            guardian["told"] = {"state": told}

    def refusal(self, reading: Reading) -> Problem | None:
        return nobody(reading, ("PID",))

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        people = [person for person in rest.get("persons", ()) if isinstance(person, dict)]
        listed = [
            person
            for person in people
            if "minor" not in person.get("roles", ()) and guardian_by_relation(person.get("relation"))
        ]
        told = [person.get("told") for person in listed]
        if told and all(entry == told[0] for entry in told) and told[0] in ({"state": "yes"}, {"state": "no"}):
            rest["~told"] = told[0]["state"]
            for person in listed:
                del person["told"]
        fold_roles(rest)

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        number = short_number(outgoing.number)
        tree["MSH"] = {
            "3": "HUTONG", "6": "HIS", "9": {"1": "ORU", "2": "R01"}, "12": DEFAULT, "15": "AL", "16": "NE", "17": "CHN",
            "18": "UNICODE UTF-8", **tree.get("MSH", {}), "10": number,
        }  # fmt: skip
        if number != outgoing.number:
            tree.setdefault("ZTB", {})["6"] = outgoing.number
        complete(tree, number)

    def to_bytes(self, tree: Tree, media_type: str) -> Encoded:
        write_for(tree, version_asked(media_type))
        return super().to_bytes(tree, media_type)


def _customs(mapping: AgencyMapping) -> dict[str, CustomField]:
    return {
        "ids": Identifiers("3"),
        "other_ids": Identifiers("2", primary=False),
        "ssn": Identifiers("19", primary=False),
        "name": PersonName("5"),
        "address": Address("11"),
        "phone": Telephone("13"),
        "kin_ids": Identifiers("33"),
        "kin_name": PersonName("2"),
        "kin_address": Address("4"),
        "kin_phone": Telephone("5"),
        "ethnicity": Ethnicity(),
        "ended": Ended(),
        "relation": Relation(mapping.tables["relation_hl7"]),
        "observations": Observations(),
        "facility": _Facility(),
        "processing": _Processing(),
        "reporter_role": _ReporterRole(mapping),
        "photos": _Photos(),
        "told": _Told(),
    }


_MAPPING = load_mapping("adapters.health", "v2.yaml")
V2 = HealthV2(_MAPPING, NoticeCodec(), _customs(_MAPPING))
