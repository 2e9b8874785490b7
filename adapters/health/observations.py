"""What do OBX segments tell, and which compartment does it belong to?

Diagnosis codes are sorted by their ICD-10 chapter before anything reads them:
HIV, sexually transmitted disease and pregnancy have a compartment of their own
(AIDS regulations art 39), mental disorder another (Mental Health Law art 4),
injuries are injuries. Free text is S5 throughout: a description of injuries
becomes `harm.injury.text`, or `harm.sexual_detail` where M1 to M3 or an H1
code is given; any other text becomes `harm.narrative`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from adapters.health.v2_structure import is_stand_in
from adapters.kit.codetables import CodeTable, parse_tables
from adapters.kit.er7 import component
from adapters.kit.lens import Reading, fill, text_of
from adapters.kit.native import Position, Tree, as_list

ICD10 = re.compile(r"[A-TV-Z][0-9][0-9AB](?:\.[0-9A-TV-Z]{1,4})?[*+†]?")
_STI_PREGNANCY = re.compile(r"A5[0-9]|A6[0-4]|B2[0-4]|Z21|O[0-9]{2}|Z3[2-9]|N7[0-7]")
_WITHDRAWN = frozenset({"D", "W"})  # table 0085: deletes the result; posted as wrong, e.g. for the wrong patient
_TEXT_TYPES = frozenset({"TX", "FT", "ST"})
INJURY, SEXUAL = "INJ", "SEX"
NO_DIAGNOSIS = "neither an ICD-10 code nor a title of one that the gateway knows"
_DIAGNOSIS = {"1": "DE05.01.024.00", "2": "疾病诊断编码", "3": "WS"}


def compartment_of(code: str) -> tuple[str, ...] | None:
    """The canonical list a diagnosis code belongs to; None for what a case notice has no place for."""
    if _STI_PREGNANCY.match(code):
        return ("harm", "hiv_sti_preg", "codes")
    if code[0] == "F" or code[:2] == "X6" or code[:2] == "X7":
        return ("mental_health",)
    if code[0] in "STVWXY":
        return ("harm", "injury", "codes")
    return None


@cache
def _terms() -> CodeTable:
    return parse_tables(resources.files("adapters.health").joinpath("codes.yaml").read_text("utf-8"))["diagnosis"]


def diagnosis_of(said: Iterable[str]) -> str | None:
    """The first ICD-10 code of what is said, else the code of the first words that are such a code's Chinese title."""
    texts = [text.strip() for text in said]
    code = next((text.upper() for text in texts if ICD10.fullmatch(text.upper())), None)
    return code or next((found for text in texts if text and (found := _terms().find(text)) is not None), None)


class Observations:
    fills = ("harm.injury.text", "harm.sexual_detail", "harm.narrative", "harm.injury.codes", "harm.hiv_sti_preg.codes")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        texts: dict[tuple[str, ...], list[str]] = {}
        items = as_list(value)
        for index, item in enumerate(items):
            where: Position = (*at, index) if len(items) > 1 else at
            if not isinstance(item, dict):
                continue
            kind = (text_of(item.get("2")) or "").upper()
            name = (component(item.get("3"), "1") or "").upper()
            result = item.get("5")
            if result in (None, "", {}) or is_stand_in(item):
                continue
            if component(item.get("11"), "1") in _WITHDRAWN:
                reading.gap(
                    "refuted", (*where, "11"), "a result that its sender takes back, or that was another patient's"
                )
                continue
            if kind in ("CE", "CWE", "CNE", "CD"):
                self._coded(result, target, (*where, "5"), reading)
            elif kind in _TEXT_TYPES:
                text = "\n".join(t for part in as_list(result) if (t := self._all_text(part)))
                home: tuple[str, ...] = ("harm", "narrative")
                if name == INJURY:
                    home = ("harm", "injury", "text")
                elif name == SEXUAL:
                    home = ("harm", "sexual_detail")
                if text:
                    texts.setdefault(home, []).append(text)
                    reading.note(target, home, (*where, "5"))
            else:
                reading.gap("observation", (*where, "5"), "neither a diagnosis code nor text")
        for home, found in texts.items():
            fill(target, home, "\n".join(found))

    def _all_text(self, part: Any) -> str:
        if isinstance(part, dict):
            return " ".join(t for below in part.values() if (t := self._all_text(below)))
        return text_of(part) or ""

    def _coded(self, result: Any, target: Tree, at: Position, reading: Reading) -> None:
        for index, item in enumerate(as_list(result)):
            where: Position = (*at, index) if isinstance(result, list) else at
            code = diagnosis_of([said for number in "1245" if (said := component(item, number))])
            if code is None:
                reading.gap("unmapped-code", where, NO_DIAGNOSIS)
                continue
            home = compartment_of(code)
            if home is None:
                reading.gap("diagnosis", where, "a diagnosis that a case notice has no place for")
                continue
            if home == ("mental_health",):
                minors = [person for person in reading.persons if "minor" in person["roles"]]
                there = minors[0] if len(minors) == 1 else None
            else:
                there = target
                for part in home[:-1]:
                    there = there.setdefault(part, {})
            if there is None:
                reading.gap("no-person", where, "a diagnosis that is not certainly one patient's")
                continue
            codes = there.setdefault(home[-1], [])
            if code not in codes:
                codes.append(code)
            reading.note(target if home[0] == "harm" else there, home, where)

    def write(self, rest: Tree, native: Tree) -> None:
        harm = rest.get("harm")
        if not isinstance(harm, dict):
            return
        out: list[Tree] = []
        for name in ("injury", "hiv_sti_preg"):
            group = harm.get(name)
            if not isinstance(group, dict):
                continue
            codes = group.get("codes")
            if (
                isinstance(codes, list)
                and codes
                and len(set(map(str, codes))) == len(codes)
                and all(
                    isinstance(c, str) and ICD10.fullmatch(c) and compartment_of(c) == ("harm", name, "codes")
                    for c in codes
                )
            ):
                out.extend({"2": "CE", "3": dict(_DIAGNOSIS), "5": {"1": c, "3": "ICD10"}, "11": "F"} for c in codes)
                del group["codes"]
                if not group:
                    del harm[name]
        injury = harm.get("injury")
        if isinstance(injury, dict) and not is_sexual(harm) and _plain(injury.get("text")):
            out.append({"2": "TX", "3": {"1": INJURY, "2": "体表损伤描述"}, "5": injury.pop("text"), "11": "F"})
            if not injury:
                del harm["injury"]
        if _plain(harm.get("sexual_detail")):
            out.append({"2": "TX", "3": {"1": SEXUAL, "2": "性侵细节"}, "5": harm.pop("sexual_detail"), "11": "F"})
        if _plain(harm.get("narrative")):
            out.append({"2": "TX", "3": {"1": "QKMS", "2": "情况描述"}, "5": harm.pop("narrative"), "11": "F"})
        if out:
            native["OBX"] = out if len(out) > 1 else out[0]


def is_sexual(harm: Tree) -> bool:
    """Whether flags or types say that a description of injuries tells of sexual harm."""
    flags = {str(flag) for flag in as_list(harm.get("m_flags"))}
    return bool(flags & {"M1", "M2", "M3"}) or any(str(code).startswith("H1") for code in as_list(harm.get("types")))


def _plain(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
