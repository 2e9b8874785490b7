"""How does a register of rows become an adapter that answers in the file type it was asked for?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.kit.adapter import RowsAdapter
from adapters.kit.documents import wrong
from adapters.kit.headings import Vocabulary, heading
from adapters.kit.identity_values import CITIZEN_ID, check_digit_holds
from adapters.kit.lens import CustomField, Reading, text_of
from adapters.kit.mapping import AgencyMapping, FieldRule
from adapters.kit.native import Tree
from adapters.kit.tables import TableCodec
from gateway.model.errors import Problem
from gateway.ports.translation import Encoded

_EXAMPLES = 8
_OF_AGE = "2007"  # whoever was born in that year or before was of age when the first of these registers came
_NAMING = frozenset({"name", "alias", "id_no", "birth_date", "student_no", "key"})
_UNSAID = "@unsaid"  # of an envelope that does not say what kind of notice it is
_AGES = ("/age", "/birth_date", "/id_no")
_CHILDS = re.compile(
    "学|校|园|年级|班|幼儿|儿童|未成年|子女|留守|孤|就读|家庭|一补"
)  # what only a child has, or a whole family


def _vocabulary(mapping: AgencyMapping, customs: Mapping[str, CustomField]) -> Vocabulary:
    """What the mapping's headings tell, by their rules."""

    def says(rule: FieldRule, member: str) -> Any:
        return getattr(customs.get(rule.argument) if rule.action == "custom" else None, member, ())

    def names(rule: FieldRule) -> bool:
        is_reporter = rule.action == "vault" and rule.argument == "name"
        return is_reporter or any(choice.to == ("name",) for choice in rule.choices) or "name" in says(rule, "fills")

    rules = [(rule, group.constants.get("roles") == ["minor"]) for group in mapping.groups for rule in group.fields]
    child = [rule for rule, is_of_child in rules if is_of_child]
    other = [rule for rule, is_of_child in rules if not is_of_child]

    def headings(chosen: list[FieldRule]) -> frozenset[str]:
        return frozenset(path[0] for rule in chosen for path in rule.aliases)

    personal, of_others = headings(child), headings(other)
    return Vocabulary(
        personal | of_others | {mapping.kind_at[0]},
        naming=headings([rule for rule in child if names(rule)]),
        personal=personal,
        others=headings([rule for rule in other if names(rule)]),
        shared=frozenset(name for name in personal if _CHILDS.search(name) is None),
        coded=headings([rule for rule, _ in rules if rule.is_coded or says(rule, "is_coded")]),
        examples=[rule.native[0] for rule in child if rule.action != "drop"][:_EXAMPLES],
    )


def _is_of_age(person: Tree) -> bool:
    """Whether all that a row says of somebody's age agrees on that; without a day that the row is of."""
    said = [person["age"].get("years", 0) >= 18] if "age" in person else []
    years = [str(person.get("birth_date", ""))[:4]]
    number = str(person.get("id_no", ""))
    if CITIZEN_ID.fullmatch(number) and check_digit_holds(number):
        years.append(number[6:10])
    said.extend(year <= _OF_AGE for year in years if year)
    return bool(said) and all(said)


class TableAdapter(RowsAdapter):
    """CSV and XLSX with one mapping; headings are those of the mapping, spelled as `heading` spells them.

    Registers of whole households and of callers have grown-ups under the child's headings. In a row that does not say what
    kind of notice it is, whoever is of age is no minor, and a ledger of minors takes no such row.
    """

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

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        super().after_reading(tree, reading)
        if text_of(tree.get(self.mapping.kind_at[0])) is not None:
            return
        reading.envelope[_UNSAID] = "kind"
        for person in reading.persons:
            if "minor" in person["roles"] and _is_of_age(person):
                person["roles"] = ["other"]
                where = next(
                    (at for target, pointer, at in reading.sources if target is person and pointer in _AGES), ()
                )
                reading.gap("adult", where, "by age this person is not a minor", "persons.roles")

    def refusal(self, reading: Reading) -> Problem | None:
        """A ledger's row is about a minor whom it names; a report is taken whatever it leaves unsaid."""
        if self.mapping.implicit_type != "LED" or _UNSAID not in reading.envelope:
            return None
        minors = [person for person in reading.persons if "minor" in person["roles"]]
        adult = next((gap for gap in reading.gaps if gap.code == "adult"), None)
        if adult is not None and not minors:
            return Problem("adult", adult.position, adult.message, "send the rows of minors; check the age of this one")
        if any(not _NAMING.isdisjoint(person) for person in minors):
            return None
        return Problem(
            "no-person", reading.locate(()), "this row does not say which child it is about",
            "give name, number or birth date in every row: merged cells say it in their first row alone",
        )  # fmt: skip

    def to_bytes(self, tree: Tree, media_type: str) -> Encoded:
        chosen = self.written_media_type(media_type)
        return Encoded(self.codec.write_as(tree, chosen), chosen, {})
