"""How does a register of rows become an adapter that answers in the file type it was asked for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.kit.adapter import RowsAdapter
from adapters.kit.documents import wrong
from adapters.kit.headings import Vocabulary, heading
from adapters.kit.lens import CustomField
from adapters.kit.mapping import AgencyMapping, FieldRule
from adapters.kit.native import Tree
from adapters.kit.tables import TableCodec
from gateway.model.errors import Problem
from gateway.ports.translation import Encoded

_EXAMPLES = 8


def _vocabulary(mapping: AgencyMapping, customs: Mapping[str, CustomField]) -> Vocabulary:
    """What the mapping's headings tell, by their rules."""

    def says(rule: FieldRule, member: str) -> Any:
        return getattr(customs.get(rule.argument) if rule.action == "custom" else None, member, ())

    def names_child(rule: FieldRule) -> bool:
        return any(choice.to == ("name",) for choice in rule.choices) or "name" in says(rule, "fills")

    rules = [(rule, group.constants.get("roles") == ["minor"]) for group in mapping.groups for rule in group.fields]
    child = [rule for rule, is_of_child in rules if is_of_child]

    def headings(chosen: list[FieldRule]) -> frozenset[str]:
        return frozenset(path[0] for rule in chosen for path in rule.aliases)

    return Vocabulary(
        headings([rule for rule, _ in rules]) | {mapping.kind_at[0]},
        naming=headings([rule for rule in child if names_child(rule)]),
        personal=headings(child),
        coded=headings([rule for rule, _ in rules if rule.is_coded or says(rule, "is_coded")]),
        examples=[rule.native[0] for rule in child if rule.action != "drop"][:_EXAMPLES],
    )


class TableAdapter(RowsAdapter):
    """CSV and XLSX with one mapping; headings are those of the mapping, spelled as `heading` spells them."""

    codec: TableCodec

    def __init__(
        self,
        mapping: AgencyMapping,
        customs: Mapping[str, CustomField] | None = None,
        *,
        title: str = "",
        sheet: str = "通报",
    ) -> None:
        vocabulary = _vocabulary(mapping, customs or {})
        unlike = sorted(name for name in vocabulary.known if heading(name) != name)
        if unlike:
            raise wrong(
                "headings that would never match, for they are compared in half width and without blanks",
                [
                    Problem("mapping", f"{mapping.name}, headings", f"write `{heading(name)}` for `{name}`")
                    for name in unlike
                ],
            )
        super().__init__(mapping, TableCodec(vocabulary, title, sheet), customs)

    def to_bytes(self, tree: Tree, media_type: str) -> Encoded:
        chosen = self.written_media_type(media_type)
        return Encoded(self.codec.write_as(tree, chosen), chosen, {})
