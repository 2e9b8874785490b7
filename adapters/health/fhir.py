"""How does health speak FHIR R4? Bundles and single resources; see fhir.yaml.

Before anything else is looked at, whoever authored, performed, recorded or sent
is moved to the vault with all practitioners. Then references are resolved, the
mapping is read, and relatives are joined to their patients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.health.fhir_clinical import OURS, Communications, Conditions, Encounters, Observations, Sections
from adapters.health.fhir_exchange import Consents, Flags, Risks, Services
from adapters.health.fhir_fields import (
    Active,
    Addresses,
    BirthDetail,
    ContactName,
    Identifiers,
    Names,
    Own,
    PatientLink,
    PersonExtensions,
    Relation,
    Telecoms,
    elements,
    word,
    words,
)
from adapters.health.people import (
    CLINICAL_REFERRAL,
    NOT_HERE,
    ORDINARY,
    OWN,
    PATIENT,
    join_relatives,
    joined_name,
    nobody,
    settle_people,
)
from adapters.kit.adapter import MappedAdapter, Outgoing, Source
from adapters.kit.fhir import GRAPH, FhirCodec, Place, References, To, codings
from adapters.kit.fhir_xml import is_fhir_xml
from adapters.kit.lens import CustomField, Reading
from adapters.kit.mapping import AgencyMapping, load_mapping
from adapters.kit.native import NativeItem, Tree, as_list
from adapters.kit.persons import fold_roles
from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Encoded, RefusedItem

NOTICE_URL, BLOCK_URL = "urn:hutong:fhir:notice", "urn:hutong:fhir:extension-block"
KIND_SYSTEM = f"{OURS}notice-type"
_REPORTS = ("author", "enterer", "responsible", "sender", "recorder", "asserter", "performer", "requester",
            "authenticator", "attester", "agent", "informationSource", "participant", "individual")  # fmt: skip
_STAFF = ("Practitioner", "PractitionerRole")
_SUBJECTS = ("subject", "patient", "for", "beneficiary")
_VALUE_TYPES = {"urgency": "valueInteger", "immediateDanger": "valueBoolean", "expires": "valueDateTime",
                "noticedAt": "valueDateTime", "discoveredAt": "valueDateTime"}  # fmt: skip
_FIRST = ("Bundle", "Notice", "MessageHeader", "Patient", "RelatedPerson", "Composition")


class HealthFhir(MappedAdapter):
    codec: FhirCodec

    def recognises(self, raw: bytes) -> bool:
        return is_fhir_xml(raw)

    def to_bytes(self, tree: Tree, media_type: str) -> Encoded:
        chosen = self.written_media_type(media_type)
        return Encoded(self.codec.write_as(tree, chosen), chosen, {})

    def read_item(self, item: NativeItem, source: Source, number: int, sender: Office) -> SubmittedNotice | RefusedItem:
        graph: References = item.tree[GRAPH]
        _logical_patients(item.tree, graph)
        if not any(kind in item.tree for kind in ("Patient", "RelatedPerson")) and not _is_ours(item.tree):
            where = next((places[0] for places in graph.places.values() if places), "resourceType")
            message = "no patient is in the input, at most a reference to one"
            problem = Problem("no-person", where, message, "send a bundle with the Patient in it")
            return RefusedItem(item.position or problem.position, (problem,))
        return super().read_item(item, source, number, sender)

    # --- reading ---

    def before_reading(self, tree: Tree, reading: Reading) -> None:
        graph: References = tree.pop(GRAPH)
        _take_reporter(tree, graph, reading)
        _join(tree, graph, reading)
        notice: Tree = {}
        block: Tree = {}
        for header, at in elements(tree.get("MessageHeader"), ("MessageHeader",)):
            for extension, where in elements(header.pop("extension", None), (*at, "extension")):
                url = word(extension, "url")
                if url in (NOTICE_URL, BLOCK_URL):
                    for inner, _ in elements(extension.get("extension"), where):
                        name = word(inner, "url")
                        (notice if url == NOTICE_URL else block).setdefault(name, _value(inner))
                else:
                    reading.gap("unmapped", where, "no rule maps this extension")
            kinds = [code for _, code, _ in codings(header.get("eventCoding")) if code]
            if kinds:
                notice.setdefault("kind", kinds[0])
        if "kind" not in notice:
            notice["kind"] = _kind(tree, reading)
            if notice["kind"] == "LED":
                reading.envelope[ORDINARY] = ""
        elif not {notice["kind"]} & (self.lens.lexicon.types.keys() | self.lens.lexicon.types_back.keys()):
            reading.envelope[ORDINARY] = ""  # an event of another exchange: taken as an observation, and noted
        if block:
            tree["Block"] = block
        tree["Notice"] = notice
        bundle = tree.get("Bundle")
        if isinstance(bundle, dict) and "identifier" not in bundle and isinstance(bundle.get("id"), str):
            bundle["identifier"] = {"value": bundle["id"]}
        ordered = {name: tree[name] for name in _FIRST if name in tree}
        rest = {name: value for name, value in tree.items() if name not in ordered}
        tree.clear()
        tree.update(ordered)
        for name, value in rest.items():
            if name in self.lens.plan:
                tree[name] = value
                continue
            for index in range(len(as_list(value))):
                reading.gap("unmapped", (name, index), "no rule maps resources of this type")

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        empty = [person for person in reading.persons if set(person) <= {"roles", OWN, PATIENT, "~guardian"}]
        for person in empty:
            kind = "Patient" if person["roles"] == ["minor"] else "RelatedPerson"
            reading.gap("empty", (kind, person.get(OWN, 0)), "nothing that would tell this person from another")
            reading.persons.remove(person)
        numbers = [int(person.get(OWN, 0)) for person in reading.persons if person["roles"] == ["minor"]]
        day = _latest(tree, reading, f"{self.mapping.version[:4]}-01-01")
        settle_people(reading, day, lambda index: ("Patient", numbers[index], "birthDate"))
        join_relatives(reading)

    def refusal(self, reading: Reading) -> Problem | None:
        return nobody(reading, ("Patient", 0))

    # --- writing ---

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        people = [person for person in rest.get("persons", ()) if isinstance(person, dict)]
        fold_roles(rest)
        minors = [person.get("ref") for person in people if "minor" in person.get("roles", ())]
        for person in people:
            if "minor" not in person.get("roles", ()):
                of = person.get("of")
                person[PATIENT] = minors.index(of) if of in minors else 0

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        notice = tree.pop("Notice", {})
        kind = notice.pop("kind", "")
        block = tree.pop("Block", {})
        patients = len(as_list(tree.get("Patient")))
        extensions: list[Tree] = []
        if notice:
            extensions.append(
                {"url": NOTICE_URL, "extension": [_extension(name, said) for name, said in notice.items()]}
            )
        if block:
            inner = [{"url": name, "valueString": said} for name, said in block.items()]
            extensions.append({"url": BLOCK_URL, "extension": inner})
        focus = [To("Patient", number) for number in range(patients)]
        tree["MessageHeader"] = [
            {
                **({"extension": extensions} if extensions else {}),
                "eventCoding": {"system": KIND_SYSTEM, "code": kind},
                "source": {"name": "HUTONG", "endpoint": "urn:hutong:gateway"},
                **({"focus": focus} if focus else {}),
            }
        ]
        if not patients:
            _without_subject(tree)
        tree["Bundle"] = {
            "identifier": {"system": "urn:hutong:release", "value": outgoing.number},
            "type": "message",
            "timestamp": tree["Bundle"]["timestamp"],
        }


def _value(extension: Tree) -> Any:
    return next((below for name, below in extension.items() if name.startswith("value")), "")


def _extension(name: str, said: Any) -> Tree:
    kind = _VALUE_TYPES.get(name, "valueString")
    value: Any = int(said) if kind == "valueInteger" else said == "1" if kind == "valueBoolean" else said
    return {"url": name, kind: value}


def _is_ours(tree: Tree) -> bool:
    """A message of the exchange, which may be about no patient: by its event, or by what its header says of the notice."""
    for header, _ in elements(tree.get("MessageHeader"), ()):
        if any(system == KIND_SYSTEM for system, _, _ in codings(header.get("eventCoding"))):
            return True
    return _notice_extension(tree) is not None


def _notice_extension(tree: Tree) -> Tree | None:
    for header, _ in elements(tree.get("MessageHeader"), ()):
        for extension, _ in elements(header.get("extension"), ()):
            if word(extension, "url") == NOTICE_URL:
                return extension
    return None


def _kind(tree: Tree, reading: Reading) -> str:
    """What a message without our event is: a referral in our codes, a privacy consent, or an observation of a child.

    A request for an X-ray is no referral of the exchange (REF names needs or measures and a day to answer by).
    """
    for item, _ in elements(tree.get("Consent"), ()):
        scopes = {code for _, code, _ in codings(item.get("scope")) if code}
        if scopes <= {"patient-privacy"} and not {"Condition", "Observation"} & set(tree):
            return "CON"
    asked = {
        system for item, _ in elements(tree.get("ServiceRequest"), ()) for system, _, _ in codings(item.get("code"))
    }
    if asked & {f"{OURS}need", f"{OURS}measure"}:
        return "REF"
    if "ServiceRequest" in tree:
        reading.gap("referral", ("ServiceRequest", 0), CLINICAL_REFERRAL)
    return "LED"


def _without_subject(tree: Tree) -> None:
    """R4 wants a subject where a release shows no patient."""
    unknown = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    }
    for value in tree.values():
        for resource in value if isinstance(value, list) else ():
            for member in ("subject", "patient"):
                if member in resource:
                    resource[member] = unknown


def _logical_patients(tree: Tree, graph: References) -> None:
    """A subject named by identifier alone is a patient too: the reference is all there is of it."""
    for number, patient in enumerate(tree.get("Patient", ())):
        for identifier, _ in elements(patient.get("identifier"), ()):
            if word(identifier, "value"):
                graph.identifiers.setdefault(word(identifier, "value"), ("Patient", number))
    for kind in [name for name in tree if name not in ("Bundle", "Patient", GRAPH)]:
        for number, resource in enumerate(tree[kind]):
            for member in _SUBJECTS:
                subject = resource.get(member)
                if not isinstance(subject, dict):
                    continue
                logical = subject.get("identifier")
                if not isinstance(logical, dict) or graph.find(subject, (kind, number)) is not None:
                    continue
                value = word(logical, "value")
                if not value:
                    continue
                made: Tree = {"resourceType": "Patient", "identifier": [logical]}
                if word(subject, "display"):
                    made["name"] = [{"text": word(subject, "display")}]
                there = tree.setdefault("Patient", [])
                graph.identifiers[value] = ("Patient", len(there))
                there.append(made)
                graph.places.setdefault("Patient", []).append(f"{graph.places[kind][number]}.{member}")


def _resources(tree: Tree) -> Iterator[tuple[str, int, Tree]]:
    for kind, value in tree.items():
        if kind != "Bundle":
            for number, resource in enumerate(value):
                yield kind, number, resource


def _take_reporter(tree: Tree, graph: References, reading: Reading) -> None:
    said: dict[str, dict[str, None]] = {"name": {}, "phone": {}, "unit": {}, "id_no": {}}
    used: set[Place] = set()
    for kind, number, resource in _resources(tree):
        if kind not in ("Patient", "RelatedPerson", *_STAFF):
            for member in _REPORTS:
                if member in resource:
                    for reference in _references(resource.pop(member)):
                        _reporter(reference, (kind, number), tree, graph, said, used, 0)
    for name, values in said.items():
        if values:
            reading.reporter[name] = "; ".join(values)
    for kind in _STAFF:
        for number in range(len(tree.pop(kind, ()))):
            if (kind, number) not in used:
                message = "a member of staff who reports nothing has no place in a case notice"
                reading.gap("staff", (kind, number), message)


def _references(value: Any, depth: int = 0) -> Iterator[Tree]:
    """References anywhere below an element: `author`, `attester.party`, `participant.individual`, `agent.who`."""
    if isinstance(value, list):
        for below in value:
            yield from _references(below, depth + 1)
    elif isinstance(value, dict) and depth < 12:
        if "reference" in value or "display" in value or "identifier" in value:
            yield value
        else:
            for below in value.values():
                yield from _references(below, depth + 1)


def _reporter(
    reference: Tree,
    at: Place,
    tree: Tree,
    graph: References,
    said: dict[str, dict[str, None]],
    used: set[Place],
    depth: int,
) -> None:
    place = graph.find(reference, at)
    text = word(reference, "reference")
    if place is None:
        if word(reference, "display") and not any(part in text for part in ("Patient/", "Device/", "Group/")):
            said["unit" if "Organization/" in text else "name"][word(reference, "display")] = None
        return
    kind, number = place
    if place in used or kind in ("Patient", "Device"):
        return
    resource = tree.get(kind, [])[number]
    used.add(place)
    if kind == "Organization":
        said["unit"].update(dict.fromkeys(words(resource, "name")))
        return
    for name, _ in elements(resource.get("name"), ()):
        whole = word(name, "text") or joined_name(words(name, "family"), words(name, "given"))
        if whole:
            said["name"][whole] = None
    if kind in _STAFF:
        for telecom, _ in elements(resource.get("telecom"), ()):
            if word(telecom, "value"):
                said["phone"][word(telecom, "value")] = None
        for identifier, _ in elements(resource.get("identifier"), ()):
            if word(identifier, "value"):
                said["id_no"][word(identifier, "value")] = None
    if depth < 4:
        for member in ("practitioner", "organization"):
            if isinstance(resource.get(member), dict):
                _reporter(resource[member], place, tree, graph, said, used, depth + 1)


def _join(tree: Tree, graph: References, reading: Reading) -> None:
    """Number the persons, and say of each resource whose it is."""
    for kind, number, resource in _resources(tree):
        resource[OWN] = number
        if kind == "Patient":
            for contact, _ in elements(resource.get("contact"), ()):
                contact[PATIENT] = number
            continue
        for member in _SUBJECTS:
            if member not in resource:
                continue
            place = graph.find(resource[member], (kind, number))
            if place is not None and place[0] == "Patient":
                resource[PATIENT if kind == "RelatedPerson" else "~person"] = place[1]
            elif kind == "RelatedPerson" and not (
                isinstance(resource[member], dict) and "extension" in resource[member]
            ):
                resource[PATIENT] = NOT_HERE
                reading.gap("unresolved", (kind, number, member), "the patient is not in the input", "persons.of")
            elif kind in ("Condition", "Observation"):
                resource["~person"] = NOT_HERE


_DAY = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")


def _latest(tree: Tree, reading: Reading, not_before: str) -> str:
    """When it was sent; else the latest day that its patients and relatives name, but not before this mapping was made."""
    sent = reading.envelope.get("@time", "")
    if sent:
        return sent[:10]
    days: list[str] = [not_before]
    stack: list[Any] = [tree.get("Patient"), tree.get("RelatedPerson")]
    while stack:
        value = stack.pop()
        if isinstance(value, (dict, list)):
            stack.extend(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, str) and _DAY.match(value):
            days.append(value[:10])
    return max(days)


def _customs(mapping: AgencyMapping) -> dict[str, CustomField]:
    return {
        "own": Own(),
        "active": Active(),
        "ids": Identifiers(),
        "name": Names(),
        "contact_name": ContactName(),
        "phone": Telecoms(),
        "address": Addresses(),
        "birth_detail": BirthDetail(),
        "extensions": PersonExtensions(),
        "relation": Relation(mapping.tables["relation_hl7"]),
        "patient": PatientLink(),
        "sections": Sections(),
        "encounters": Encounters(),
        "conditions": Conditions(),
        "observations": Observations(),
        "flags": Flags(),
        "risks": Risks(),
        "services": Services(),
        "consents": Consents(),
        "communications": Communications(),
    }


_MAPPING = load_mapping("adapters.health", "fhir.yaml")
FHIR = HealthFhir(_MAPPING, FhirCodec(), _customs(_MAPPING))
