"""What do FHIR's clinical resources tell a case notice, and in which compartment?

Each class reads all resources of one type and writes them back. Diagnoses are
sorted by ICD-10 chapter (`observations.compartment_of`); text is S5 throughout.
What a case notice has no place for is a named gap, one for each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from adapters.health.fhir_fields import elements, word
from adapters.health.observations import ICD10, INJURY, SEXUAL, compartment_of, is_sexual
from adapters.kit.codetables import shared_tables
from adapters.kit.converters import Unmappable, read_moment, write_zoned_moment
from adapters.kit.fhir import To, codings
from adapters.kit.lens import Reading, fill
from adapters.kit.narrative import xhtml_text
from adapters.kit.native import Position, Tree, as_list

OURS = "urn:hutong:codesystem:"
ICD10_CN = "urn:oid:2.16.156.10011.2.3.3.11"
MAX_TEXT = 20_000
_SILENT = frozenset(
    [
        "resourceType",
        "id",
        "meta",
        "text",
        "language",
        "implicitRules",
        "contained",
        "subject",
        "patient",
        "encounter",
        "status",
        "~self",
        "~person",
    ]
)
_REFUTED = frozenset({"refuted", "entered-in-error"})
_TEXTS = {INJURY: ("harm", "injury", "text"), SEXUAL: ("harm", "sexual_detail"), "QKMS": ("harm", "narrative")}
_SUBJECT = To("Patient", 0)


def group_of(tree: Tree, name: str) -> Tree:
    """A canonical group that may be absent."""
    found = tree.get(name)
    return found if isinstance(found, dict) else {}


def leftovers(resource: Tree, known: Sequence[str], at: Position, reading: Reading) -> None:
    """Every element that was not read becomes a gap of its own."""
    for name, value in resource.items():
        if name not in known and name not in _SILENT and value not in ("", None, [], {}):
            reading.gap("unmapped", (*at, name), "no rule maps this")


def add_text(target: Tree, path: tuple[str, ...], text: str, at: Position, reading: Reading) -> None:
    """Append to a text field; what passes its limit is cut and said."""
    there = target
    for part in path[:-1]:
        there = there.setdefault(part, {})
    whole = f"{there[path[-1]]}\n{text}" if path[-1] in there else text
    if len(whole) > MAX_TEXT:
        reading.gap("too-long", at, f"a text of more than {MAX_TEXT} characters was cut", ".".join(path))
        whole = whole[:MAX_TEXT]
    there[path[-1]] = whole
    reading.note(target, path, at)


def add_diagnosis(
    found: Sequence[tuple[str, str, str]], person: Tree | None, target: Tree, at: Position, reading: Reading
) -> None:
    """The first ICD-10 code among codings goes to its compartment; a mental disorder to the person it is about."""
    code = next((c.strip().upper() for _, c, _ in found if ICD10.fullmatch(c.strip().upper())), None)
    if code is None:
        reading.gap("unmapped-code", at, "not an ICD-10 code")
        return
    home = compartment_of(code)
    if home is None:
        reading.gap("diagnosis", at, "a diagnosis that a case notice has no place for")
        return
    if home == ("mental_health",) and person is None:
        reading.gap("no-person", at, "a diagnosis of a person who is not in the message")
        return
    owner = person if home == ("mental_health",) and person is not None else target
    there = owner
    for part in home[:-1]:
        there = there.setdefault(part, {})
    codes = there.setdefault(home[-1], [])
    if code not in codes:
        codes.append(code)
    reading.note(owner, home, at)


def owner(resource: Tree, reading: Reading) -> Tree | None:
    """The person of the Patient this resource is about; the only patient where it names none."""
    number = resource.get("~person")
    patients = [person for person in reading.persons if "minor" in person["roles"]]
    if isinstance(number, int):
        return next((person for person in patients if person.get("~self") == number), None)
    return patients[0] if len(patients) == 1 else None


class Conditions:
    fills = ("harm.injury.codes", "harm.hiv_sti_preg.codes")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            state = {code for _, code, _ in codings(item.get("verificationStatus"))}
            if state & _REFUTED:
                reading.gap("refuted", where, "a diagnosis that was refuted or entered in error")
                continue
            add_diagnosis(codings(item.get("code")), owner(item, reading), target, (*where, "code"), reading)
            for note, place in elements(item.get("note"), (*where, "note")):
                if word(note, "text"):
                    add_text(target, ("harm", "narrative"), word(note, "text"), (*place, "text"), reading)
            leftovers(item, ("code", "note", "verificationStatus", "clinicalStatus", "category"), where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        harm = group_of(rest, "harm")
        out: list[Tree] = []
        for name in ("injury", "hiv_sti_preg"):
            group = group_of(harm, name)
            codes = group.get("codes")
            if not isinstance(codes, list) or not codes or len(set(map(str, codes))) < len(codes):
                continue
            if all(isinstance(c, str) and ICD10.fullmatch(c) and compartment_of(c) == ("harm", name, "codes") for c in codes):  # fmt: skip
                out.extend({"subject": _SUBJECT, "code": {"coding": [{"system": ICD10_CN, "code": c}]}} for c in codes)
                del group["codes"]
                if not group:
                    del harm[name]
        if out:
            native["Condition"] = out


class Observations:
    """Text by our code, an ICD-10 value as a diagnosis, an age where no birth date is given."""

    fills = ("harm.injury.text", "harm.sexual_detail", "harm.narrative")

    _AGE = "30525-0"  # LOINC: age

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            if item.get("status") in ("entered-in-error", "cancelled"):
                reading.gap("refuted", where, "an observation that was cancelled or entered in error")
                continue
            names = codings(item.get("code"))
            text = word(item, "valueString")
            known = ["code", "category"]
            if text:
                home = next((_TEXTS[code] for _, code, _ in names if code in _TEXTS), ("harm", "narrative"))
                add_text(target, home, text, (*where, "valueString"), reading)
                known.append("valueString")
            elif "valueCodeableConcept" in item:
                concept = codings(item["valueCodeableConcept"])
                add_diagnosis(concept, owner(item, reading), target, (*where, "valueCodeableConcept"), reading)
                known.append("valueCodeableConcept")
            elif any(code == self._AGE for _, code, _ in names) and self._age(item, where, reading):
                known.append("valueQuantity")
            for note, place in elements(item.get("note"), (*where, "note")):
                if word(note, "text"):
                    add_text(target, ("harm", "narrative"), word(note, "text"), (*place, "text"), reading)
            leftovers(item, (*known, "note"), where, reading)

    def _age(self, item: Tree, at: Position, reading: Reading) -> bool:
        person, quantity = owner(item, reading), item.get("valueQuantity")
        if person is None or not isinstance(quantity, dict):
            return False
        years = str(quantity.get("value", ""))
        if not years.isdigit() or word(quantity, "code") not in ("a", "") or "birth_date" in person:
            return False
        if fill(person, ("age",), {"years": int(years)}):
            reading.note(person, ("age",), (*at, "valueQuantity"))
        return True

    def write(self, rest: Tree, native: Tree) -> None:
        harm = group_of(rest, "harm")
        out: list[Tree] = []
        for code, label, path in (
            (INJURY, "体表损伤描述", ("injury", "text")), (SEXUAL, "性侵细节", ("sexual_detail",)),
            ("QKMS", "情况描述", ("narrative",)),
        ):  # fmt: skip
            group = group_of(harm, path[0]) if len(path) > 1 else harm
            text = group.get(path[-1])
            if not isinstance(text, str) or not text.strip() or text != text.strip() or len(text) > MAX_TEXT:
                continue
            if code == INJURY and is_sexual(harm):
                continue
            out.append(
                {"status": "final", "code": {"coding": [{"system": f"{OURS}observation", "code": code, "display": label}]},
                 "subject": _SUBJECT, "valueString": text}
            )  # fmt: skip
            del group[path[-1]]
            if group is not harm and not group:
                del harm[path[0]]
        if out:
            native["Observation"] = out


class Flags:
    """Our flags carry M-flags and harm types; others are gaps."""

    fills = ("harm.m_flags", "harm.types")

    _HOMES: ClassVar = {f"{OURS}m_flag": ("m_flag", "m_flags"), f"{OURS}harm_type": ("harm_type", "types")}

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            for system, code, _ in codings(item.get("code")):
                table, name = self._HOMES.get(system, ("", ""))
                found = shared_tables()[table].find(code) if table else None
                if found is not None:
                    codes = target.setdefault("harm", {}).setdefault(name, [])
                    if found not in codes:
                        codes.append(found)
                    reading.note(target, ("harm", name), (*where, "code"))
                    break
            else:
                reading.gap("unmapped-code", (*where, "code"), "a flag of no table of the gateway")
            leftovers(item, ("code", "category"), where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        harm = group_of(rest, "harm")
        out: list[Tree] = []
        for system, (table, name) in self._HOMES.items():
            codes = harm.get(name)
            if not isinstance(codes, list) or not codes or len(set(map(str, codes))) < len(codes):
                continue
            spellings = shared_tables()[table].spellings
            if all(code in spellings for code in codes):
                out.extend(
                    {"status": "active", "subject": _SUBJECT,
                     "code": {"coding": [{"system": system, "code": code, "display": spellings[code][1]}]}}
                    for code in codes
                )  # fmt: skip
                del harm[name]
        if out:
            native["Flag"] = out


class Risks:
    """RiskAssessment <-> the level and time of an assessment."""

    fills = ("assessment.risk_level", "assessment.assessed_at")

    _LEVEL = f"{OURS}risk_level"

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            level = None
            for prediction, place in elements(item.get("prediction"), (*where, "prediction")):
                for system, code, _ in codings(prediction.get("qualitativeRisk")):
                    found = shared_tables()["risk_level"].find(code) if system == self._LEVEL else None
                    if found is not None and fill(target, ("assessment", "risk_level"), found):
                        level = found
                        reading.note(target, ("assessment", "risk_level"), (*place, "qualitativeRisk"))
            known = ["prediction"]
            if level is None:
                reading.gap("unmapped-code", (*where, "prediction"), "a risk by no scheme of the gateway")
            elif word(item, "occurrenceDateTime"):
                known.append("occurrenceDateTime")
                try:
                    fill(target, ("assessment", "assessed_at"), read_moment(word(item, "occurrenceDateTime")))
                    reading.note(target, ("assessment", "assessed_at"), (*where, "occurrenceDateTime"))
                except Unmappable as error:
                    reading.gap(error.code, (*where, "occurrenceDateTime"), error.message, "assessment.assessed_at")
            leftovers(item, known, where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        assessment = group_of(rest, "assessment")
        level = assessment.get("risk_level")
        spellings = shared_tables()["risk_level"].spellings
        if not isinstance(level, str) or level not in spellings:
            return
        coding = {"system": self._LEVEL, "code": assessment.pop("risk_level"), "display": spellings[level][1]}
        out: Tree = {"status": "final", "subject": _SUBJECT, "prediction": [{"qualitativeRisk": {"coding": [coding]}}]}
        try:
            out["occurrenceDateTime"] = write_zoned_moment(assessment.get("assessed_at"))
            del assessment["assessed_at"]
        except ValueError:
            pass  # absent or coarse: what is coarse travels in the extension block
        if not assessment:
            del rest["assessment"]
        native["RiskAssessment"] = [out]


class Services:
    """ServiceRequest <-> needs and measures."""

    fills = ("needs", "measures")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            for system, code, _ in codings(item.get("code")):
                if system == f"{OURS}need" and (need := shared_tables()["need"].find(code)) is not None:
                    needs = target.setdefault("needs", [])
                    if need not in needs:
                        needs.append(need)
                    reading.note(target, ("needs",), (*where, "code"))
                    break
                if system == f"{OURS}measure" and (measure := shared_tables()["measure"].find(code)) is not None:
                    target.setdefault("measures", []).append({"code": measure})
                    reading.note(target, ("measures",), (*where, "code"))
                    break
            else:
                reading.gap("unmapped-code", (*where, "code"), "a service of no table of the gateway")
            leftovers(item, ("code", "intent"), where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        out: list[Tree] = []
        for name, table in (("needs", "need"), ("measures", "measure")):
            items = rest.get(name)
            codes = [item.get("code") if isinstance(item, dict) else item for item in as_list(items)]
            plain = all(not isinstance(item, dict) or set(item) == {"code"} for item in as_list(items))
            spellings = shared_tables()[table].spellings
            if codes and plain and all(isinstance(c, str) and c in spellings for c in codes) and (
                table == "measure" or len(set(codes)) == len(codes)
            ):  # fmt: skip
                out.extend(
                    {"status": "active", "intent": "order", "subject": _SUBJECT,
                     "code": {"coding": [{"system": OURS + table, "code": code, "display": spellings[str(code)][1]}]}}
                    for code in codes
                )  # fmt: skip
                del rest[name]
        if out:
            native["ServiceRequest"] = out


class Consents:
    """Consent <-> the event itself; purposes, recipients and giver travel in the extension block."""

    fills = ("consent.status", "consent.consent_id")

    _STATES: ClassVar = {"active": "given", "rejected": "refused", "inactive": "withdrawn"}
    _SCOPE: ClassVar = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
    }
    _CATEGORY: ClassVar = {"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}
    _RULE: ClassVar = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]}

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for number, (item, where) in enumerate(elements(value, at)):
            if number:
                reading.gap("repeated", where, "a notice carries one consent", "consent")
                continue
            state = self._STATES.get(str(item.get("status")))
            if state is None:
                reading.gap(
                    "unmapped-code", (*where, "status"), "neither given, refused nor withdrawn", "consent.status"
                )
            elif fill(target, ("consent", "status"), state):
                reading.note(target, ("consent", "status"), (*where, "status"))
            for identifier, place in elements(item.get("identifier"), (*where, "identifier"))[:1]:
                if word(identifier, "value") and fill(target, ("consent", "consent_id"), word(identifier, "value")):
                    reading.note(target, ("consent", "consent_id"), (*place, "value"))
            leftovers(item, ("identifier", "scope", "category", "policyRule"), where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        consent = group_of(rest, "consent")
        back = {state: status for status, state in self._STATES.items()}
        status = back.get(str(consent.get("status")))
        if status is None:
            return
        del consent["status"]
        out: Tree = {
            "status": status, "scope": self._SCOPE, "category": [self._CATEGORY], "policyRule": self._RULE,
            "patient": _SUBJECT,
        }  # fmt: skip
        number = consent.get("consent_id")
        if isinstance(number, str) and number.strip() == number and number:
            out["identifier"] = [{"value": consent.pop("consent_id")}]
        if not consent:
            del rest["consent"]
        native["Consent"] = [out]


class Communications:
    """The words of a communication; attachments and references are gaps."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            for payload, place in elements(item.get("payload"), (*where, "payload")):
                if word(payload, "contentString"):
                    text = word(payload, "contentString")
                    add_text(target, ("harm", "narrative"), text, (*place, "contentString"), reading)
                else:
                    reading.gap("attachment", place, "a body or reference inside the message is not taken")
            leftovers(item, ("payload",), where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Sections:
    """Composition.section: title and narrative."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            self._sections(item, target, where, reading, 0)
            leftovers(item, ("section", "type", "title", "date", "category"), where, reading)

    def _sections(self, item: Tree, target: Tree, at: Position, reading: Reading, depth: int) -> None:
        for section, where in elements(item.get("section"), (*at, "section")):
            text = section.get("text")
            div = word(text, "div") if isinstance(text, dict) else ""
            if div:
                plain = xhtml_text(div)
                if plain is None:
                    reading.gap("narrative-form", (*where, "text"), "the narrative is not well-formed XHTML")
                elif plain:
                    title = word(section, "title")
                    said = f"{title}\n{plain}" if title else plain
                    add_text(target, ("harm", "narrative"), said, (*where, "text"), reading)
            leftovers(section, ("title", "code", "text", "entry", "section", "mode"), where, reading)
            if depth < 8:
                self._sections(section, target, where, reading, depth + 1)

    def write(self, rest: Tree, native: Tree) -> None:
        return None


class Encounters:
    """The visit number names the case in the hospital's own words."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for item, where in elements(value, at):
            for identifier, _ in elements(item.get("identifier"), (*where, "identifier"))[:1]:
                if word(identifier, "value"):
                    reading.envelope.setdefault("@subject", word(identifier, "value"))
            leftovers(item, ("identifier", "class", "period", "type", "statusHistory", "classHistory"), where, reading)

    def write(self, rest: Tree, native: Tree) -> None:
        return None
