"""How does a register of rows become an adapter that answers in the file type it was asked for?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.kit.adapter import RowsAdapter
from adapters.kit.lens import CustomField
from adapters.kit.mapping import AgencyMapping, FieldRule
from adapters.kit.native import Tree
from adapters.kit.tables import TableCodec, heading
from gateway.ports.translation import Encoded


def _naming(mapping: AgencyMapping, customs: Mapping[str, CustomField]) -> Iterator[FieldRule]:
    """The rules that fill the name of a minor."""
    for group in mapping.groups:
        for rule in group.fields if group.constants.get("roles") == ["minor"] else ():
            custom = customs.get(rule.argument) if rule.action == "custom" else None
            if any(choice.to == ("name",) for choice in rule.choices) or "name" in getattr(custom, "fills", ()):
                yield rule


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
        known = {path[0] for group in mapping.groups for rule in group.fields for path in rule.aliases}
        wrong = [name for name in known if heading(name) != name]
        if wrong:
            raise ValueError(f"headings that would never match: {wrong}")
        naming = {path[0] for rule in _naming(mapping, customs or {}) for path in rule.aliases}
        codec = TableCodec(frozenset({*known, mapping.kind_at[0]}), title, sheet, naming=frozenset(naming))
        super().__init__(mapping, codec, customs)

    def to_bytes(self, tree: Tree, media_type: str) -> Encoded:
        chosen = self.written_media_type(media_type)
        return Encoded(self.codec.write_as(tree, chosen), chosen, {})
