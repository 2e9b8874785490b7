"""What does the policy look like to another engine: Rego?

An outside check, not a way to run: the exported module is a literal reading
of the rules, one set of facets per field, so that an engine by other authors
(OPA, regorus) can be asked the same questions. The input is

    {"possible": {fact: [values it may have]}, "accepts": [obligations]}

and `data.hutong.disclosure.shown` lists pairs of field id and facet name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from gateway.model.access import Facet
from gateway.policy.compiled import Policy
from gateway.policy.masks import standing_boxes
from gateway.policy.rules import Condition, Rule, RuleKind

_FACETS = tuple(facet for facet in Facet if facet is not Facet.NOTHING)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def facet_list(facets: Facet) -> list[str]:
    return [str(facet.name).lower() for facet in _FACETS if facet & facets]


def _table(name: str, rows: Mapping[str, object]) -> str:
    """One row per line: engines limit the length of a line."""
    return f"{name} := {{\n" + ",\n".join(f"\t{_text(key)}: {_text(value)}" for key, value in rows.items()) + "\n}\n"


def _every(box: Condition) -> list[str]:
    return [
        f"\tevery v in input.possible[{_text(name)}] {{ v in {_set(values)} }}" for name, values in sorted(box.items())
    ]


def _some(box: Condition) -> list[str]:
    return [
        f"\tcount({_set(values)} & {{v | some v in input.possible[{_text(name)}]}}) > 0"
        for name, values in sorted(box.items())
    ]


def _set(values: Iterable[str]) -> str:
    return "{" + ", ".join(_text(value) for value in sorted(values)) + "}"


def _body(lines: list[str]) -> str:
    return "{\n" + "\n".join(lines or ["\ttrue"]) + "\n}\n"


def _rule(rule: Rule, policy: Policy) -> Iterable[str]:
    name = _text(rule.id)
    if rule.kind is RuleKind.PERMIT:
        lines = _every(rule.where)
        for i, box in enumerate(rule.unless):
            exception = _text(f"{rule.id}#{i}")
            yield f"excepted contains {exception} if " + _body(_some(box))
            lines.append(f"\tnot {exception} in excepted")
        lines += [f"\t{_text(owed.name)} in input.accepts" for owed in rule.obligations]
        yield f"applies contains {name} if " + _body(lines)
        return
    for box in standing_boxes(rule, policy.vocabulary):
        yield f"applies contains {name} if " + _body(_some(box))
    for owed in rule.obligations:
        yield f"unaccepted contains {name} if " + _body([f"\tnot {_text(owed.name)} in input.accepts"])


# Sets that may have no member still have to be defined; the rest is the bracket of DESIGN 4.
_COMBINING = """
applies contains "" if false

unaccepted contains "" if false

excepted contains "" if false

limits(rules, facet) if {
	some rule in rules
	rule in applies
	rule in unaccepted
}

limits(rules, facet) if {
	some rule in rules
	rule in applies
	not facet in facets[rule]
}

gives contains [field, facet] if {
	some field, rules in fields
	some rule in rules.permit
	rule in applies
	some facet in facets[rule]
	not limits(rules.limit, facet)
}

gives contains [field, facet] if {
	some field, rules in fields
	some rule in rules.floor
	rule in applies
	some facet in facets[rule]
}

delivers if ["notice.deliver", "exists"] in gives

shown contains pair if {
	delivers
	some pair in gives
}
"""


def export_rego(policy: Policy) -> str:
    """The policy as one Rego v1 module. Deterministic: the same policy gives the same text."""
    by_field: dict[str, dict[str, list[str]]] = {}
    for rule in policy.rules:
        for field_id in rule.fields:
            by_field.setdefault(field_id, {"permit": [], "limit": [], "floor": []})[rule.kind.value].append(rule.id)
    parts = [
        f"# {policy.hash}\npackage hutong.disclosure\n\nimport rego.v1\n",
        _table("facets", {rule.id: facet_list(rule.facets) for rule in policy.rules}),
        _table("fields", {field_id: by_field[field_id] for field_id in sorted(by_field)}),
    ]
    for rule in policy.rules:
        parts.extend(_rule(rule, policy))
    return "\n".join([*parts, _COMBINING])
