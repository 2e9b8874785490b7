"""What does the body of a CDA document tell a case notice?

The words of every section are S5 text: ours by their code, all others the
narrative. Diagnoses coded in ICD-10 go to their compartment. Any other entry is
a named gap at its XPath.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.health.fhir_clinical import MAX_TEXT, add_diagnosis, add_text, group_of
from adapters.health.observations import ICD10, INJURY, SEXUAL, compartment_of, is_sexual
from adapters.kit.cda import V3, XSI
from adapters.kit.lens import Reading
from adapters.kit.narrative import markup_text
from adapters.kit.native import Position, Tree

SECTIONS = "2.25.306250467514206291532912346839250174962"
ICD10_CN = "2.16.156.10011.2.3.3.11"
_ICD_SYSTEMS = re.compile(r"2\.16\.840\.1\.113883\.6\.(?:3|90|260)|2\.16\.156\.10011\.2\.3\.3\.11(?:\.[0-9]+)*")
_TEXTS = {INJURY: ("harm", "injury", "text"), SEXUAL: ("harm", "sexual_detail"), "QKMS": ("harm", "narrative")}
_LABELS = {INJURY: "体表损伤描述", SEXUAL: "性侵细节", "QKMS": "情况描述"}
_ANOTHER = "about a relative or another subject, and not about the patient"
_NOT_FOUND = "planned, asked for or withdrawn, and not found"
_Aside = tuple[str, str]
_BLANKS = re.compile(r"[ \t\r\n\u00a0]+")


def _named(node: Any, name: str) -> Iterator[Any]:
    found: Iterator[Any] = node.iterchildren("{*}" + name)  # of any namespace, or of none
    return found


def _placed(node: Any, name: str, at: Position) -> list[tuple[Any, Position]]:
    found = list(_named(node, name))
    return [(child, (*at, name, n) if len(found) > 1 else (*at, name)) for n, child in enumerate(found)]


def _is_about_another(node: Any) -> bool:
    """Whether an act, or a section, is about a relative or a fetus and not about the patient of the document."""
    return next(_named(node, "subject"), None) is not None


def _set_aside(node: Any) -> _Aside | None:
    """Why nothing in an act is to be taken: code and message of the gap."""
    if _is_about_another(node):
        return "other-person", _ANOTHER
    if node.get("negationInd") in ("true", "1"):
        return "refuted", "a diagnosis that is stated not to be there"
    return ("refuted", _NOT_FOUND) if _status(node) == "nullified" else None


def _status(node: Any) -> str:
    return next((str(status.get("code")) for status in _named(node, "statusCode")), "")


def _values(entry: Any) -> Iterator[tuple[Any, _Aside | None]]:
    """Each `value` below an entry in the order of the document, and why it is not to be taken.

    Mood and status are an act's own: what a planned treatment is to be given for was found.
    """
    stack: list[tuple[Any, _Aside | None, _Aside | None]] = [(entry, None, None)]
    while stack:
        node, inherited, own = stack.pop()
        if node.tag in (f"{{{V3}}}value", "value"):
            yield node, own
            continue
        inherited = inherited or _set_aside(node)
        own = inherited
        if own is None and (node.get("moodCode") not in (None, "EVN") or _status(node) == "cancelled"):
            own = "refuted", _NOT_FOUND
        stack.extend((child, inherited, own) for child in reversed(node) if child.tag.__class__ is str)


class Body:
    fills = ("harm.injury.text", "harm.sexual_detail", "harm.narrative", "harm.injury.codes", "harm.hiv_sti_preg.codes")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        if isinstance(value, (dict, list, str)):
            return
        for _body, where in _placed(value, "nonXMLBody", at):
            reading.gap("attachment", where, "a body that is a file of its own is not taken")
        for body, where in _placed(value, "structuredBody", at):
            for component, place in _placed(body, "component", where):
                for section, there in _placed(component, "section", place):
                    self._section(section, target, there, reading, 0)

    def _section(self, section: Any, target: Tree, at: Position, reading: Reading, depth: int) -> None:
        if _is_about_another(section):
            reading.gap("other-person", at, _ANOTHER)
            return
        code = next(_named(section, "code"), None)
        ours = code.get("code") if code is not None and code.get("codeSystem") == SECTIONS else None
        for text, where in _placed(section, "text", at)[:1]:
            words = markup_text(text)
            title = next((markup_text(t) for t in _named(section, "title")), "")
            if words and ours in _TEXTS:
                add_text(target, _TEXTS[str(ours)], words, where, reading)
            elif words and ours is None:
                add_text(target, ("harm", "narrative"), f"{title}\n{words}" if title else words, where, reading)
        for entry, where in _placed(section, "entry", at):
            self._entry(entry, target, where, reading)
        for inner, where in _placed(section, "component", at):
            for below, place in _placed(inner, "section", where):
                if depth < 12:
                    self._section(below, target, place, reading, depth + 1)
                else:
                    reading.gap("too-deep", place, "a section below too many others was not read")

    def _entry(self, entry: Any, target: Tree, at: Position, reading: Reading) -> None:
        is_known = False
        minors = [person for person in reading.persons if "minor" in person["roles"]]
        for value, aside in _values(entry):
            kind = value.get(f"{{{XSI}}}type") or value.get("type") or ""
            if kind.rpartition(":")[2] not in ("CD", "CE", "CO", ""):
                continue
            for coded in (value, *_named(value, "translation")):
                system = coded.get("codeSystem") or ""
                is_icd = _ICD_SYSTEMS.fullmatch(system) or "ICD" in (coded.get("codeSystemName") or "").upper()
                if not is_icd or not coded.get("code"):
                    continue
                if aside is not None:
                    reading.gap(aside[0], at, aside[1])
                else:
                    code = (system, coded.get("code") or "", "")
                    add_diagnosis([code], minors[0] if len(minors) == 1 else None, target, at, reading)
                is_known = True
                break
        if not is_known:
            reading.gap("unmapped", at, "an entry that a case notice has no place for")

    def write(self, rest: Tree, native: Tree) -> None:
        harm = group_of(rest, "harm")
        sections: list[Tree] = []
        codes: list[str] = []
        for name in ("injury", "hiv_sti_preg"):
            group = group_of(harm, name)
            found = group.get("codes")
            if not isinstance(found, list) or not found or len(set(map(str, found))) < len(found):
                continue
            if all(isinstance(c, str) and ICD10.fullmatch(c) and compartment_of(c) == ("harm", name, "codes") for c in found):  # fmt: skip
                codes.extend(found)
                del group["codes"]
                if not group:
                    del harm[name]
        if codes:
            entries = [{"observation": _observation(code)} for code in codes]
            sections.append({**_headed("ZD", "诊断"), "text": {"paragraph": codes}, "entry": entries})
        for name, path in ((INJURY, ("injury", "text")), (SEXUAL, ("sexual_detail",)), ("QKMS", ("narrative",))):
            group = group_of(harm, path[0]) if len(path) > 1 else harm
            text = group.get(path[-1])
            if name == INJURY and is_sexual(harm):
                continue
            if not isinstance(text, str) or len(text) > MAX_TEXT or _flowed(text) != text or not text:
                continue
            sections.append({**_headed(name, _LABELS[name]), "text": {"paragraph": text.split("\n")}})
            del group[path[-1]]
            if group is not harm and not group:
                del harm[path[0]]
        if sections:
            native["component"] = {"structuredBody": {"component": [{"section": section} for section in sections]}}


def _headed(code: str, label: str) -> Tree:
    return {"code": {"@code": code, "@codeSystem": SECTIONS, "@displayName": label}, "title": label}


def _observation(code: str) -> Tree:
    return {
        "@classCode": "OBS", "@moodCode": "EVN",
        "code": {"@code": "DE05.01.024.00", "@codeSystem": "2.16.156.10011.2.2.1", "@displayName": "疾病诊断编码"},
        "statusCode": {"@code": "completed"},
        "value": {"@xsi:type": "CD", "@code": code, "@codeSystem": ICD10_CN, "@codeSystemName": "ICD-10"},
    }  # fmt: skip


def _flowed(text: str) -> str:
    """What reading would make of a text written as paragraphs."""
    lines = (_BLANKS.sub(" ", line).strip(" |") for line in text.split("\n"))
    flowed = "\n".join(line for line in lines if line)
    return "" if any(char < " " and char != "\n" for char in flowed) else flowed
