"""What do FHIR's resources tell that the exchange has codes of its own for: flags, risks, services, consents?

Each class reads all resources of one type and writes them back. What no table
of the gateway knows is a named gap.
"""

from __future__ import annotations

from typing import Any, ClassVar

from adapters.health.fhir_clinical import OURS, SUBJECT, group_of, leftovers
from adapters.health.fhir_fields import elements, word
from adapters.kit.codetables import shared_tables
from adapters.kit.converters import Unmappable, read_moment, write_zoned_moment
from adapters.kit.fhir import codings
from adapters.kit.lens import Reading, fill
from adapters.kit.native import Position, Tree, as_list


def _in_our_codes(table: str, codes: list[Any], **members: str) -> list[Tree]:
    """A resource for each code; none where one of them is of no table of ours."""
    spellings = shared_tables()[table].spellings
    if not all(isinstance(code, str) and code in spellings for code in codes):
        return []
    return [
        {**members, "subject": SUBJECT,
         "code": {"coding": [{"system": OURS + table, "code": code, "display": spellings[code][1]}]}}
        for code in codes
    ]  # fmt: skip


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
        for table, name in self._HOMES.values():
            codes = harm.get(name)
            if not isinstance(codes, list) or len(set(map(str, codes))) < len(codes):
                continue
            flags = _in_our_codes(table, codes, status="active")
            if flags:
                out += flags
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
        out: Tree = {"status": "final", "subject": SUBJECT, "prediction": [{"qualitativeRisk": {"coding": [coding]}}]}
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
            if not plain or (table == "need" and len(set(map(str, codes))) < len(codes)):
                continue
            asked = _in_our_codes(table, codes, status="active", intent="order")
            if asked:
                out += asked
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
        found = elements(value, at)
        states = {self._state(item) for item, _ in found}
        for number, (item, where) in enumerate(found):
            if number:
                reading.gap("repeated", where, "a notice carries one consent", "consent")
                continue
            state = self._state(item) if len(states) == 1 else "doubtful"
            if state is None:
                reading.gap(
                    "unmapped-code", (*where, "status"), "neither given, refused nor withdrawn", "consent.status"
                )
            elif state == "doubtful":
                message = "given under conditions that are not read, or beside another: not taken as given"
                reading.gap("consent-conditions", where, message, "consent.status")
            elif fill(target, ("consent", "status"), state):
                reading.note(target, ("consent", "status"), (*where, "status"))
            for identifier, place in elements(item.get("identifier"), (*where, "identifier"))[:1]:
                if word(identifier, "value") and fill(target, ("consent", "consent_id"), word(identifier, "value")):
                    reading.note(target, ("consent", "consent_id"), (*place, "value"))
            leftovers(item, ("identifier", "scope", "category", "policyRule"), where, reading)

    def _state(self, item: Tree) -> str | None:
        """An active consent may say no by the rule it rests on, or (R5) by its decision; what narrows a yes is not read."""
        state = self._STATES.get(str(item.get("status")))
        if state != "given":
            return state
        rules = {code.upper() for _, code, _ in codings(item.get("policyRule")) if code}
        if any(rule.startswith("OPTOUT") for rule in rules) or item.get("decision") == "deny":
            return "refused"
        is_plain = not item.get("policyRule") or (rules and all(rule.startswith("OPTIN") for rule in rules))
        narrowed = any(item.get(name) not in (None, [], {}) for name in ("provision", "except"))
        return "doubtful" if narrowed or not is_plain or item.get("decision") not in (None, "permit") else "given"

    def write(self, rest: Tree, native: Tree) -> None:
        consent = group_of(rest, "consent")
        back = {state: status for status, state in self._STATES.items()}
        status = back.get(str(consent.get("status")))
        if status is None:
            return
        del consent["status"]
        out: Tree = {
            "status": status, "scope": self._SCOPE, "category": [self._CATEGORY], "policyRule": self._RULE,
            "patient": SUBJECT,
        }  # fmt: skip
        number = consent.get("consent_id")
        if isinstance(number, str) and number.strip() == number and number:
            out["identifier"] = [{"value": consent.pop("consent_id")}]
        if not consent:
            del rest["consent"]
        native["Consent"] = [out]
