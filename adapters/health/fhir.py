"""How does health speak FHIR R4? Bundles and single resources; see fhir.yaml.

Before anything else is looked at, whoever authored, performed, recorded or sent
is moved to the vault with all practitioners. Then references are resolved, the
mapping is read, and relatives are joined to their patients.
"""

from __future__ import annotations

from typing import Any

from adapters.health.fhir_clinical import OURS, Communications, Conditions, Encounters, Observations, Sections
from adapters.health.fhir_exchange import Consents, Flags, Risks, Services
from adapters.health.fhir_fields import (
    UNKNOWN,
    Active,
    Addresses,
    BirthDetail,
    ContactName,
    Identifiers,
    Names,
    Own,
    PatientLink,
    Period,
    PersonExtensions,
    Relation,
    Telecoms,
    elements,
    word,
)
from adapters.health.fhir_patients import join_patients, latest_day, name_logical_patients, resources
from adapters.health.fhir_reporters import take_reporters
from adapters.health.people import (
    CLINICAL_REFERRAL,
    DAY,
    FORMER,
    ORDINARY,
    OWN,
    PATIENT,
    join_relatives,
    nobody,
    settle_people,
)
from adapters.kit.adapter import MappedAdapter, Outgoing, Source
from adapters.kit.fhir import GRAPH, FhirCodec, References, To, codings
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
        name_logical_patients(item.tree, graph)
        if not any(kind in item.tree for kind in ("Patient", "RelatedPerson")) and not _is_ours(item.tree):
            where = next((places[0] for places in graph.places.values() if places), "resourceType")
            message = "no patient is in the input, at most a reference to one"
            problem = Problem("no-person", where, message, "send a bundle with the Patient in it")
            return RefusedItem(item.position or problem.position, (problem,))
        return super().read_item(item, source, number, sender)

    # --- reading ---

    def before_reading(self, tree: Tree, reading: Reading) -> None:
        graph: References = tree.pop(GRAPH)
        _name_test_data(tree, reading)
        take_reporters(tree, graph, reading)
        day = latest_day(tree, f"{self.mapping.version[:4]}-01-01")
        join_patients(tree, graph, reading, "" if _is_ours(tree) else day)
        reading.envelope[DAY] = day
        notice, block = _headers(tree, reading)
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
        empty = [person for person in reading.persons if set(person) <= {"roles", OWN, PATIENT, FORMER, "~guardian"}]
        for person in empty:
            kind = "Patient" if person["roles"] == ["minor"] else "RelatedPerson"
            reading.gap("empty", (kind, person.get(OWN, 0)), "nothing that would tell this person from another")
            reading.persons.remove(person)
        numbers = [int(person.get(OWN, 0)) for person in reading.persons if person["roles"] == ["minor"]]
        settle_people(
            reading, reading.envelope.pop(DAY), lambda index: ("Patient", numbers[index], "birthDate"), is_parted=True
        )
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


def _name_test_data(tree: Tree, reading: Reading) -> None:
    """HTEST, HL7's label of what is no real case: test data must not become a case unseen."""
    labelled = [(("Bundle",), tree.get("Bundle") or {}), *(((kind, n), item) for kind, n, item in resources(tree))]
    for at, resource in labelled:
        meta = resource.get("meta")
        if isinstance(meta, dict) and any(code == "HTEST" for _, code, _ in codings(meta.get("security"))):
            reading.gap("not-production", (*at, "meta"), "the message is not marked as production data")
            return


def _headers(tree: Tree, reading: Reading) -> tuple[Tree, Tree]:
    """What our extensions of the header say of the notice, and the extension block; a foreign extension is a named gap."""
    notice: Tree = {}
    block: Tree = {}
    for header, at in elements(tree.get("MessageHeader"), ("MessageHeader",)):
        for extension, where in elements(header.pop("extension", None), (*at, "extension")):
            url = word(extension, "url")
            if url in (NOTICE_URL, BLOCK_URL):
                for inner, _ in elements(extension.get("extension"), where):
                    (notice if url == NOTICE_URL else block).setdefault(word(inner, "url"), _value(inner))
            else:
                reading.gap("unmapped", where, "no rule maps this extension")
        kinds = [code for _, code, _ in codings(header.get("eventCoding")) if code]
        if kinds:
            notice.setdefault("kind", kinds[0])
    return notice, block


def _value(extension: Tree) -> Any:
    return next((below for name, below in extension.items() if name.startswith("value")), "")


def _extension(name: str, said: Any) -> Tree:
    kind = _VALUE_TYPES.get(name, "valueString")
    value: Any = int(said) if kind == "valueInteger" else said == "1" if kind == "valueBoolean" else said
    return {"url": name, kind: value}


def _is_ours(tree: Tree) -> bool:
    """A message of the exchange, which may be about no patient: by its event, or by what its header says of the notice."""
    return any(
        any(system == KIND_SYSTEM for system, _, _ in codings(header.get("eventCoding")))
        or any(word(extension, "url") == NOTICE_URL for extension, _ in elements(header.get("extension"), ()))
        for header, _ in elements(tree.get("MessageHeader"), ())
    )


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
    for value in tree.values():
        for resource in value if isinstance(value, list) else ():
            for member in ("subject", "patient"):
                if member in resource:
                    resource[member] = UNKNOWN


def _customs(mapping: AgencyMapping) -> dict[str, CustomField]:
    return {
        "own": Own(),
        "active": Active(),
        "period": Period(),
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
