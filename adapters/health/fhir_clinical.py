"""What do FHIR's clinical resources tell a case notice, and in which compartment?

Each class reads all resources of one type and writes them back. Diagnoses are
sorted by ICD-10 chapter (`observations.compartment_of`); text is S5 throughout.
What a case notice has no place for is a named gap, one for each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.health.fhir_fields import elements, word
from adapters.health.observations import (
    ICD10,
    INJURY,
    NO_DIAGNOSIS,
    SEXUAL,
    compartment_of,
    diagnosis_of,
    is_sexual,
)
from adapters.kit.fhir import To, codings
from adapters.kit.lens import Reading, fill
from adapters.kit.narrative import xhtml_text
from adapters.kit.native import Position, Tree

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
SUBJECT = To("Patient", 0)


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
    code = diagnosis_of([*(code for _, code, _ in found), *(words for _, _, words in found)])
    if code is None:
        reading.gap("unmapped-code", at, NO_DIAGNOSIS)
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
            status = item.get("verificationStatus")  # a code alone before R4
            state = {code for _, code, _ in codings(status)} | {status if isinstance(status, str) else ""}
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
                out.extend({"subject": SUBJECT, "code": {"coding": [{"system": ICD10_CN, "code": c}]}} for c in codes)
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
                 "subject": SUBJECT, "valueString": text}
            )  # fmt: skip
            del group[path[-1]]
            if group is not harm and not group:
                del harm[path[0]]
        if out:
            native["Observation"] = out


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
