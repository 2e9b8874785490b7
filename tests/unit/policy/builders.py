"""Small policies and contexts for tests: a catalogue of a few fields, a vocabulary of a few facts, random rules."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date

from gateway.model.fields import FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId
from gateway.policy.compile import compile_policy
from gateway.policy.compiled import Policy
from gateway.policy.document import load_document
from gateway.policy.rules import PolicyDocument

TODAY = date(2026, 6, 1)

DOMAINS: Mapping[str, tuple[str, ...]] = {
    "recipient_agency": ("police", "education", "health"),
    "consent": ("given", "refused", "withdrawn"),
    "conflict": ("none", "guardian"),
    "emergency": ("yes", "no"),
    "sealed": ("no", "yes"),
    "person.conflict": ("yes", "no"),
}
CERTAIN = {"recipient_agency", "emergency"}

VOCABULARY = """
kind: vocabulary
agencies:
  police: {zh: 公安, en: police}
  education: {zh: 教育, en: education}
  health: {zh: 卫健, en: health}
obligations:
  no_onward: {zh: 不得转交, en: no onward transfer}
  retention_days: {zh: 保存期限, en: retention, unit: days}
facts:
  recipient_agency: {zh: 接收机构, en: recipient agency, certain: yes, values: agencies}
  consent:
    {zh: 同意, en: consent, values: {given: {zh: 已同意, en: given}, refused: {zh: 拒绝, en: refused}, withdrawn: {zh: 撤回, en: withdrawn}}}
  conflict: {zh: 利益冲突, en: conflict, values: {none: {zh: 无, en: none}, guardian: {zh: 监护人, en: guardian}}}
  emergency: {zh: 紧急, en: emergency, certain: yes, values: {yes: {zh: 是, en: yes}, no: {zh: 否, en: no}}}
  sealed: {zh: 封存, en: sealed, values: {no: {zh: 否, en: no}, yes: {zh: 是, en: yes}}}
  person.conflict: {zh: 本人冲突, en: person in conflict, values: {yes: {zh: 是, en: yes}, no: {zh: 否, en: no}}}
  legal_basis_kind: {zh: 依据, en: basis, values: {none: {zh: 无, en: none}, duty: {zh: 职责, en: duty}}}
purposes:
  P01: {zh: 紧急保护, en: emergency protection, claimed_by: any, citation: [MPL 11]}
legal_bases:
  L20: {zh: 报告, en: report, kind: duty, citation: [MPL 11]}
"""


def field(name: str, kind: str = "text", implies: Sequence[str] = (), compartment: str = "GENERAL") -> FieldSpec:
    return FieldSpec(
        FieldId(name),
        name,
        kind,
        SensitivityClass.S4,
        name,
        compartment=compartment,
        implies=frozenset(map(FieldId, implies)),
    )


FIELDS = (
    field("minor.name", "name"),
    field("minor.id_no", "id_no"),
    field("minor.birth_date", "date"),
    field("harm.narrative"),
    field("guardian.phone", "phone"),
    field("police.status", "status"),
)
CATALOGUE: Mapping[FieldId, FieldSpec] = {spec.id: spec for spec in FIELDS}

HEAD = "kind: disclosure\ntitle: {zh: 试, en: trial}\nvalid_from: 2026-01-01\n"
DELIVERY = "permits:\n  - {id: deliver, title: {zh: 送达, en: deliver}, citation: [t], where: any, fields: notice.deliver, show: presence}\n"


def document(
    disclosure: str, catalogue: Mapping[FieldId, FieldSpec] = CATALOGUE, vocabulary: str = ""
) -> PolicyDocument:
    return load_document({"vocabulary.yaml": vocabulary or VOCABULARY, "disclosure/trial.yaml": disclosure}, catalogue)


def policy(disclosure: str, catalogue: Mapping[FieldId, FieldSpec] = CATALOGUE) -> Policy:
    return compile_policy(document(disclosure, catalogue), TODAY)


def random_rules(rng: random.Random, count: int) -> str:
    """A disclosure file with `count` random rules; every shape the language has."""
    lines = {"permits": [], "limits": [], "floors": []}  # type: dict[str, list[str]]
    presets = ["presence", "pseudonym", "generalise", "mask", "relay", "summary", "clear", "[exists, coarse, partial]"]

    def box(names: Sequence[str]) -> str:
        parts = []
        for name in rng.sample(list(names), rng.randint(1, min(3, len(names)))):
            values = rng.sample(DOMAINS[name], rng.randint(1, len(DOMAINS[name]) - 1))
            parts.append(f"{name}: [{', '.join(values)}]")
        return "{" + ", ".join(parts) + "}"

    for i in range(count):
        section = rng.choices(["permits", "limits", "floors"], [6, 4, 1])[0]
        names = sorted(CERTAIN) if section == "floors" else sorted(DOMAINS)
        fields = rng.sample(sorted(CATALOGUE), rng.randint(1, 3))
        if section == "floors":
            fields.append("notice.deliver")
        parts = [
            f"id: r{i}",
            "title: {zh: 则, en: rule}",
            "citation: [test]",
            "where: " + (box(names) if rng.random() < 0.8 else "any"),
            f"fields: [{', '.join(fields)}]",
            ("limit: " if section == "limits" else "show: ")
            + rng.choice([*presets, "withhold"] if section == "limits" else presets),
        ]
        if rng.random() < 0.4:
            parts.append("unless: [" + ", ".join(box(names) for _ in range(rng.randint(1, 2))) + "]")
        if rng.random() < 0.3 and section != "floors":
            parts.append("obligations: [" + rng.choice(["no_onward", f"retention_days: {rng.randint(1, 9)}"]) + "]")
        lines[section].append("  - {" + ", ".join(parts) + "}\n")
    text = HEAD + DELIVERY + "".join(lines["permits"])
    for section in ("limits", "floors"):
        if lines[section]:
            text += f"{section}:\n" + "".join(lines[section])
    return text


def random_values(rng: random.Random, unknown: float = 0.2) -> dict[str, str]:
    return {name: rng.choice(values) for name, values in DOMAINS.items() if name in CERTAIN or rng.random() > unknown}
