"""How is the vocabulary file read?

    kind: vocabulary
    agencies:    {police: {zh: 公安, en: police}, ...}
    obligations: {no_onward: {zh: ..., en: ...}, retention_days: {zh: ..., en: ..., unit: days}}
    facts:       {consent: {zh: ..., en: ..., certain: no, tells: [field ids], values: {given: {zh: ..., en: ...}}}}
    purposes:    {P02: {zh: ..., en: ..., claimed_by: [police], citation: [...]}}        claimed_by: any
    legal_bases: {L20: {zh: ..., en: ..., kind: statutory_duty, citation: [...]}}

`purposes` and `legal_bases` may stand in a file of their own, of kind `purposes`.

The domains of `recipient_agency` and `purpose` are the agencies and purposes
themselves: those facts give `values: agencies` and `values: purposes`.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.fields import FieldSpec
from gateway.model.identifiers import AgencyName, FieldId
from gateway.policy.reading import Node, read_named
from gateway.policy.vocabulary import (
    UNKNOWN,
    FactSpec,
    LegalBasisSpec,
    ObligationSpec,
    PurposeSpec,
    Text,
    Vocabulary,
)

_TITLE = frozenset({"zh", "en"})
_PURPOSES = frozenset({"purposes", "legal_bases"})


def _title(read: Mapping[str, Node]) -> Text:
    return Text(*(read[key].text() if key in read else "" for key in ("zh", "en")))


def read_vocabulary(
    root: Node, catalogue: Mapping[FieldId, FieldSpec], purposes_file: Node | None = None
) -> Vocabulary:
    """Read the one vocabulary file and, where they stand apart, the purposes; problems go to the nodes' collectors."""
    sections = frozenset({"kind", "facts", "agencies", "obligations"})
    if purposes_file is None:
        read = root.members(required=sections | _PURPOSES)
    else:
        read = root.members(required=sections)
        apart = purposes_file.members(required=_PURPOSES | {"kind"})
        read |= {name: node for name, node in apart.items() if name in _PURPOSES}
    agencies: dict[str, Text] = {}
    if "agencies" in read:
        agencies = read_named(read["agencies"], lambda name, key, value: value.title())

    def purpose(name: str, key: Node, value: Node) -> PurposeSpec:
        parts = value.members(required=_TITLE | {"claimed_by", "citation"})
        claimed: set[AgencyName] = set()
        claims = parts.get("claimed_by")
        if claims is not None and not (claims.is_scalar and claims.text() == "any"):
            for text, node in claims.texts():
                if text not in agencies:
                    node.problem(
                        "unknown-value", f"there is no agency `{text}`", f"one of: {', '.join(agencies)}, or any"
                    )
                claimed.add(AgencyName(text))
        citation = tuple(text for text, _ in parts["citation"].texts()) if "citation" in parts else ()
        return PurposeSpec(name, _title(parts), frozenset(claimed), citation, key.origin)

    purposes = read_named(read["purposes"], purpose) if "purposes" in read else {}

    def fact(name: str, key: Node, value: Node) -> FactSpec:
        parts = value.members(required=_TITLE | {"values"}, optional=frozenset({"certain", "tells"}))
        values: dict[str, Text] = {}
        domain = parts.get("values")
        if domain is not None and domain.is_scalar:
            known: Mapping[str, Mapping[str, Text]] = {
                "agencies": agencies,
                "purposes": {code: spec.title for code, spec in purposes.items()},
            }
            values = dict(domain.one_of(known, "domain") or {})
        elif domain is not None:
            values = read_named(domain, lambda code, _, text: text.title())
            if UNKNOWN in values:
                domain.problem("bad-name", f"`{UNKNOWN}` stands for unknown and cannot be a value")
            if len(values) < 2:
                domain.problem("idle-fact", f"the fact `{name}` has one value and says nothing")
        tells: set[FieldId] = set()
        for text, node in parts["tells"].texts() if "tells" in parts else []:
            if FieldId(text) not in catalogue:
                node.problem("unknown-field", f"there is no field `{text}`")
            tells.add(FieldId(text))
        certain = "certain" in parts and parts["certain"].boolean()
        return FactSpec(name, _title(parts), values, certain, frozenset(tells), key.origin)

    facts = read_named(read["facts"], fact) if "facts" in read else {}
    kinds = facts["legal_basis_kind"].values if "legal_basis_kind" in facts else {}

    def basis(name: str, key: Node, value: Node) -> LegalBasisSpec:
        parts = value.members(required=_TITLE | {"kind", "citation"})
        kind = parts["kind"].one_of({code: code for code in kinds}, "kind of legal basis") if "kind" in parts else None
        citation = tuple(text for text, _ in parts["citation"].texts()) if "citation" in parts else ()
        return LegalBasisSpec(name, _title(parts), kind or "", citation)

    def obligation(name: str, key: Node, value: Node) -> ObligationSpec:
        parts = value.members(required=_TITLE, optional=frozenset({"unit"}))
        return ObligationSpec(name, _title(parts), parts["unit"].text() if "unit" in parts else None, key.origin)

    return Vocabulary(
        facts=facts,
        agencies={AgencyName(name): title for name, title in agencies.items()},
        purposes=purposes,
        legal_bases=read_named(read["legal_bases"], basis) if "legal_bases" in read else {},
        obligations=read_named(read["obligations"], obligation) if "obligations" in read else {},
    )
