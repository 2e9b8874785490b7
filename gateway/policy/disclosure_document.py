"""What do the rules of disclosure say, and do they speak only of things that exist?

The files of kind `fieldgroups` (named sets of field ids) and `disclosure` (permits, limits, floors, implies, directions,
waivers), read against the vocabulary and the field catalogue. What is wrong is told with file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from gateway.model.access import DELIVER, PRESETS, Facet, Obligation
from gateway.model.fields import REPORTER, SEALED, FieldSpec
from gateway.model.identifiers import FieldId, RuleId
from gateway.policy.reading import Node, Problems
from gateway.policy.rules import Condition, Direction, Implication, Rule, RuleKind, Waiver
from gateway.policy.vocabulary import Origin, Text, Vocabulary

PROOFS = ("implies", "direction", "hidden", "dead")
FACETS: Mapping[str, Facet] = {
    facet.name.lower(): facet for facet in Facet if facet is not Facet.NOTHING and facet.name is not None
}

_RULE_KEYS = frozenset({"id", "title", "citation", "where", "fields"})
_RULE_OPTIONAL = frozenset({"unless", "valid_from", "valid_to", "obligations", "widening"})


class DisclosureReader:
    """Reads field groups first, then disclosure files; what it found stands in its members, what is wrong in `problems`."""

    def __init__(self, catalogue: Mapping[FieldId, FieldSpec], vocabulary: Vocabulary, problems: Problems) -> None:
        self.catalogue = catalogue
        self.vocabulary = vocabulary
        self.problems = problems
        self.groups: dict[str, frozenset[FieldId]] = {}
        self.ids: dict[str, Origin] = {}
        self.rules: list[Rule] = []
        self.implications: list[Implication] = []
        self.directions: list[Direction] = []
        self.waivers: list[Waiver] = []

    # -- small parts -------------------------------------------------------------------------------------------

    def field_groups(self, root: Node) -> None:
        groups = root.members(required=frozenset({"kind", "groups"})).get("groups")
        named = groups.entries() if groups else {}
        if groups is not None and groups.is_mapping and not named:
            groups.problem("empty-mapping", "an empty mapping says nothing")
        for name, (key, value) in named.items():
            if "." in name or name in self.groups:
                key.problem(
                    "duplicate-id" if name in self.groups else "bad-name", f"`{name}` cannot name a field group here"
                )
                continue
            self.groups[name] = frozenset(self.field(text, node) for text, node in value.texts())

    def field(self, text: str, node: Node) -> FieldId:
        if FieldId(text) not in self.catalogue:
            node.problem(
                "unknown-field", f"there is no field `{text}`", "see schemas/crosswalk.yaml, or declare a field group"
            )
        return FieldId(text)

    def fields(self, node: Node, *, open_ended: bool = False) -> frozenset[FieldId]:
        """Field ids and group names.

        Where something is withheld or waived (`open_ended`), `all` means every
        field but delivery itself, and `guardian.*` every field of that name.
        A permit must name what it shows: a field added to the schemas later is
        withheld until somebody writes it down.
        """
        found: set[FieldId] = set()
        for text, item in node.texts():
            if text in self.groups:
                found |= self.groups[text]
            elif text == "all" or text.endswith(".*"):
                matching = {
                    one
                    for one in self.catalogue
                    if one != DELIVER and (text == "all" or one.startswith(text.removesuffix("*")))
                }
                if not open_ended:
                    item.problem(
                        "open-ended",
                        f"`{text}` would also show fields that are added later",
                        "name the fields or a group",
                    )
                elif not matching:
                    item.problem("unknown-field", f"there is no field of the form `{text}`")
                found |= matching
            else:
                found.add(self.field(text, item))
        return frozenset(found)

    def facets(self, node: Node) -> Facet:
        if node.is_scalar and node.text() in PRESETS:
            return PRESETS[node.text()]
        shown = Facet.NOTHING
        for text, item in node.texts():
            facet = FACETS.get(text)
            if facet is None:
                known = ", ".join(dict.fromkeys([*PRESETS, *FACETS])) if node.is_scalar else ", ".join(FACETS)
                item.problem("unknown-value", f"`{text}` is not a known preset or facet", f"one of: {known}")
            else:
                shown |= facet | Facet.EXISTS
        return shown

    def condition(self, node: Node) -> Condition:
        box: dict[str, frozenset[str]] = {}
        entries = node.entries()
        if node.is_mapping and not entries:
            node.problem("empty-mapping", "an empty condition says nothing", "write `any` where every context is meant")
        for name, (key, value) in entries.items():
            spec = self.vocabulary.facts.get(name)
            if spec is None:
                key.problem("unknown-fact", f"there is no fact `{name}`", f"one of: {', '.join(self.vocabulary.facts)}")
                continue
            values: set[str] = set()
            for text, item in value.texts():
                if text not in spec.values:
                    item.problem(
                        "unknown-value",
                        f"`{text}` is not a value of the fact `{name}`",
                        f"one of: {', '.join(spec.values)}",
                    )
                values.add(text)
            if values >= spec.values.keys():
                value.problem("idle-condition", f"the fact `{name}` is given all its values", "leave it out")
            box[name] = frozenset(values & spec.values.keys())
        return box

    def where(self, node: Node) -> Condition:
        if node.is_scalar:
            if node.text() != "any":
                node.problem("unknown-value", "a condition is a mapping of facts to values, or `any`")
            return {}
        return self.condition(node)

    def unless(self, node: Node) -> tuple[Condition, ...]:
        return tuple(self.condition(item) for item in (node.items() if node.is_list else [node]))

    def citation(self, node: Node) -> tuple[str, ...]:
        return tuple(text for text, _ in node.texts())

    def obligations(self, node: Node) -> tuple[Obligation, ...]:
        found: list[Obligation] = []
        for item in node.items():
            if item.is_scalar:
                name, value, value_node = item.text(), None, item
            else:
                entries = item.entries()
                if len(entries) != 1:
                    item.problem("bad-obligation", "an obligation is a name, or one name with a number")
                    continue
                (name, (_, value_node)), value = next(iter(entries.items())), None
                value = value_node.number()
            spec = self.vocabulary.obligations.get(name)
            if spec is None:
                item.problem(
                    "unknown-value",
                    f"there is no obligation `{name}`",
                    f"one of: {', '.join(self.vocabulary.obligations)}",
                )
            elif (spec.unit is None) != (value is None):
                value_node.problem(
                    "bad-obligation",
                    f"the obligation `{name}` "
                    + ("takes no number" if spec.unit is None else f"needs a number of {spec.unit}"),
                )
            found.append(Obligation(name, value))
        return tuple(found)

    def identifier(self, node: Node | None, fallback: Node) -> str:
        if node is None:
            return f"{fallback.origin}"
        name = node.text()
        if name in self.ids:
            node.problem("duplicate-id", f"the id `{name}` is already taken at {self.ids[name]}")
        self.ids[name] = node.origin
        return name

    # -- documents ---------------------------------------------------------------------------------------------

    def disclosure(self, root: Node) -> None:
        sections = {"permits": RuleKind.PERMIT, "limits": RuleKind.LIMIT, "floors": RuleKind.FLOOR}
        read = root.members(
            required=frozenset({"kind", "title"}),
            optional=frozenset({"valid_from", "region", "implies", "directions", "waivers", *sections}),
        )
        if "title" in read:
            read["title"].title()
        valid_from = read["valid_from"].date() if "valid_from" in read else None
        region = read["region"].text() if "region" in read else ""
        if region and not (region.isdigit() and len(region) in {2, 4, 6, 9, 12}):
            read["region"].problem("bad-region", "a region is a division code of 2, 4, 6, 9 or 12 digits")
        for section, kind in sections.items():
            for item in read[section].items() if section in read else []:
                rule = self.rule(item, kind, valid_from, region)
                if rule is not None:
                    self.rules.append(rule)
        for item in read["implies"].items() if "implies" in read else []:
            self.implication(item)
        for item in read["directions"].items() if "directions" in read else []:
            self.direction(item)
        for item in read["waivers"].items() if "waivers" in read else []:
            self.waiver(item)

    def rule(self, node: Node, kind: RuleKind, valid_from: date | None, region: str) -> Rule | None:
        verb = "limit" if kind is RuleKind.LIMIT else "show"
        read = node.members(required=_RULE_KEYS | {verb}, optional=_RULE_OPTIONAL)
        if not node.is_mapping:
            return None
        rule_id = RuleId(self.identifier(read.get("id"), node))
        origin = read["id"].origin if "id" in read else node.origin
        if "valid_from" in read:
            valid_from = read["valid_from"].date()
        elif valid_from is None:
            node.problem("missing-key", "the key `valid_from` is missing", "give it to the rule or to the file")
            valid_from = date.min
        valid_to = read["valid_to"].date() if "valid_to" in read else None
        if valid_to is not None and valid_to < valid_from:
            read["valid_to"].problem("bad-dates", "a rule cannot end before it begins")
        if "widening" in read:
            widening = read["widening"].members(required=frozenset({"citation", "approved_by", "approval"}))
            for part in widening.values():
                part.texts()
            if not region:
                read["widening"].problem("bad-overlay", "only a regional file widens")
        elif region and kind is not RuleKind.LIMIT:
            node.problem(
                "overlay-widens",
                "a regional file may narrow; a permit or floor in it widens",
                "cite the basis and the upper level's approval under `widening`",
            )
        rule = Rule(
            id=rule_id,
            kind=kind,
            title=read["title"].title() if "title" in read else Text("", ""),
            citation=self.citation(read["citation"]) if "citation" in read else (),
            where=self.where(read["where"]) if "where" in read else {},
            unless=self.unless(read["unless"]) if "unless" in read else (),
            fields=self.fields(read["fields"], open_ended=kind is RuleKind.LIMIT) if "fields" in read else frozenset(),
            facets=self.facets(read[verb]) if verb in read else Facet.NOTHING,
            valid_from=valid_from,
            valid_to=valid_to,
            obligations=self.obligations(read["obligations"]) if "obligations" in read else (),
            origin=origin,
            region=region,
        )
        if kind is not RuleKind.LIMIT and verb in read and rule.facets is Facet.NOTHING:
            read[verb].problem(
                "idle-rule", f"a {kind} that shows nothing says nothing", "withholding is what happens by itself"
            )
        if kind is RuleKind.FLOOR:
            self.check_floor(rule, node)
        return rule

    def check_floor(self, rule: Rule, node: Node) -> None:
        for name in sorted({name for box in (rule.where, *rule.unless) for name in box}):
            if not self.vocabulary.facts[name].certain:
                node.problem(
                    "uncertain-floor",
                    f"a floor holds under any facts, so it cannot depend on `{name}`",
                    "only facts marked `certain`",
                )
        for field_id in sorted(rule.fields & self.catalogue.keys()):
            if self.catalogue[field_id].compartment in {SEALED, REPORTER}:
                node.problem(
                    "floor-compartment",
                    f"the field `{field_id}` is sealed or tells the reporter and cannot be in a floor",
                )
        if DELIVER not in rule.fields:
            node.problem("floor-without-delivery", f"a floor must include `{DELIVER}`, or it would not arrive")

    def implication(self, node: Node) -> None:
        read = node.members(required=frozenset({"field", "tells"}), optional=frozenset({"facet", "as"}))
        if "field" not in read or "tells" not in read:
            return
        facet = FACETS.get(read["facet"].text(), Facet.NOTHING) if "facet" in read else Facet.FULL
        told_facet = FACETS.get(read["as"].text(), Facet.NOTHING) if "as" in read else Facet.FULL
        for key, value in (("facet", facet), ("as", told_facet)):
            if value is Facet.NOTHING:
                read[key].problem("unknown-value", "not a facet", f"one of: {', '.join(FACETS)}")
        source = self.field(read["field"].text(), read["field"])
        for told in sorted(self.fields(read["tells"], open_ended=True)):
            if told != source:
                self.implications.append(Implication(source, facet, told, told_facet, node.origin))

    def direction(self, node: Node) -> None:
        read = node.members(required=frozenset({"id", "title", "fact", "from", "to", "citation"}))
        if len(read) < 6:
            return
        name = read["fact"].text()
        spec = self.vocabulary.facts.get(name)
        if spec is None:
            read["fact"].problem("unknown-fact", f"there is no fact `{name}`")
            return
        ends: list[tuple[str, ...]] = []
        for key in ("from", "to"):
            values = read[key].texts()
            for value, item in values:
                if value not in spec.values:
                    item.problem(
                        "unknown-value",
                        f"`{value}` is not a value of the fact `{name}`",
                        f"one of: {', '.join(spec.values)}",
                    )
            ends.append(tuple(value for value, _ in values if value in spec.values))
        self.directions.append(
            Direction(
                self.identifier(read["id"], node),
                read["title"].title(),
                name,
                ends[0],
                ends[1],
                self.citation(read["citation"]),
                node.origin,
            )
        )

    def waiver(self, node: Node) -> None:
        read = node.members(
            required=frozenset({"id", "proof", "reason", "citation"}),
            optional=frozenset({"of", "fields", "tells", "where"}),
        )
        proof = read["proof"].one_of({name: name for name in PROOFS}, "proof") if "proof" in read else None
        if proof is None or "reason" not in read or "citation" not in read:
            return
        if "of" not in read and "fields" not in read:
            node.problem("missing-key", "a waiver names what it waives: `fields` or `of`")
        self.waivers.append(
            Waiver(
                id=self.identifier(read.get("id"), node),
                proof=proof,
                of=read["of"].text() if "of" in read else "",
                fields=self.fields(read["fields"], open_ended=True) if "fields" in read else frozenset(),
                tells=self.fields(read["tells"], open_ended=True) if "tells" in read else frozenset(),
                where=self.where(read["where"]) if "where" in read else {},
                reason=read["reason"].title(),
                citation=self.citation(read["citation"]),
                origin=node.origin,
            )
        )


def claimant_limits(vocabulary: Vocabulary) -> list[Rule]:
    """Only who may claim a purpose gets a delivery for it (DOMAIN 5.9; PIPL 34: duty and necessity)."""
    if not {"purpose", "recipient_agency"} <= vocabulary.facts.keys():
        return []
    return [
        Rule(
            id=RuleId(f"purpose-{spec.code}-claimants"),
            kind=RuleKind.LIMIT,
            title=Text(f"{spec.code} {spec.title.zh}：限有权机构", f"{spec.code} {spec.title.en}: claimants only"),
            citation=spec.citation,
            where={"purpose": frozenset({spec.code})},
            unless=({"recipient_agency": frozenset(spec.claimed_by)},),
            fields=frozenset({DELIVER}),
            facets=Facet.NOTHING,
            valid_from=date.min,
            valid_to=None,
            obligations=(),
            origin=spec.origin,
        )
        for spec in vocabulary.purposes.values()
        if spec.claimed_by
    ]
