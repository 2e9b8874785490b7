"""Which agreements between agencies are in force, for whom and for what?

    kind: agreements
    unlisted: counts        an agreement that only an office's entry in the directory names: counts, or none
    agreements:
      - {id: 会签〔2026〕1号, title: {zh: ..., en: ...}, citation: [...], parties: [civil_affairs], region: "440113",
         purposes: any, valid_from: 2026-01-01, valid_to: 2027-12-31}

An agreement listed here is judged by what stands here: its dates, parties, area and purposes. `parties` are agencies
or offices. Without such a document an entry in the directory is enough.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from gateway.model.identifiers import AgencyName, OfficeId, agency_of
from gateway.policy.reading import Node
from gateway.policy.vocabulary import Origin, Text, Vocabulary


@dataclass(frozen=True, slots=True)
class Agreement:
    """`purposes` empty: any. `region` is a division code prefix, empty: everywhere. `valid_to` is the last day."""

    id: str
    title: Text
    citation: tuple[str, ...]
    parties: frozenset[str]
    purposes: frozenset[str]
    region: str
    valid_from: date
    valid_to: date | None
    origin: Origin = field(compare=False)

    def covers(self, office: OfficeId, division: str, purpose: str | None, day: date) -> bool:
        """Whether it is in force for what this office gets for this purpose on a day; no purpose asks for any."""
        return (
            (office in self.parties or agency_of(office) in self.parties)
            and division.startswith(self.region)
            and (purpose is None or not self.purposes or purpose in self.purposes)
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class Agreements:
    listed: tuple[Agreement, ...] = ()
    unlisted_count: bool = True

    def in_force(self, office: OfficeId, division: str, named: Collection[str], purpose: str | None, day: date) -> bool:
        """Whether an agreement stands behind this. `named` are those of the office's entry in the directory."""
        if any(one.covers(office, division, purpose, day) for one in self.listed):
            return True
        return self.unlisted_count and not {one.id for one in self.listed}.issuperset(named)


FROM_THE_DIRECTORY = Agreements()  # where a pack lists none: an office's entry is enough


def read_agreements(root: Node, vocabulary: Vocabulary) -> Agreements:
    """Read the one document of agreements; problems go to the node's collector."""
    read = root.members(required=frozenset({"kind", "unlisted", "agreements"}))
    unlisted = read["unlisted"].one_of({"counts": True, "none": False}, "answer") if "unlisted" in read else None
    listed: list[Agreement] = []
    node = read.get("agreements")
    if node is not None and not (node.is_scalar and node.text() == "none"):
        seen: dict[str, Origin] = {}
        for item in node.items():
            one = _agreement(item, vocabulary)
            if one is not None and one.id in seen:
                item.problem("duplicate-id", f"the agreement `{one.id}` is listed already at {seen[one.id]}")
            elif one is not None:
                seen[one.id] = one.origin
                listed.append(one)
    return Agreements(tuple(listed), bool(unlisted))


def _agreement(node: Node, vocabulary: Vocabulary) -> Agreement | None:
    read = node.members(
        required=frozenset({"id", "title", "citation", "parties", "purposes", "valid_from"}),
        optional=frozenset({"region", "valid_to"}),
    )
    if len(read.keys() - {"region", "valid_to"}) < 6:
        return None
    parties = read["parties"].texts()
    for text, item in parties:
        if AgencyName(text.partition(".")[0]) not in vocabulary.agencies:
            item.problem("unknown-value", f"there is no agency `{text}`", f"one of: {', '.join(vocabulary.agencies)}")
    purposes = [] if read["purposes"].is_scalar and read["purposes"].text() == "any" else read["purposes"].texts()
    for text, item in purposes:
        if text not in vocabulary.purposes:
            item.problem(
                "unknown-value", f"there is no purpose `{text}`", f"any, or of: {', '.join(vocabulary.purposes)}"
            )
    region = read["region"].text() if "region" in read else ""
    if region and not (region.isdigit() and len(region) in {2, 4, 6, 9, 12}):
        read["region"].problem("bad-region", "a region is a division code of 2, 4, 6, 9 or 12 digits")
    valid_from, valid_to = read["valid_from"].date(), read["valid_to"].date() if "valid_to" in read else None
    if valid_to is not None and valid_to < valid_from:
        read["valid_to"].problem("bad-dates", "an agreement cannot end before it begins")
    return Agreement(
        id=read["id"].text(),
        title=read["title"].title(),
        citation=tuple(text for text, _ in read["citation"].texts()),
        parties=frozenset(text for text, _ in parties),
        purposes=frozenset(text for text, _ in purposes),
        region=region,
        valid_from=valid_from,
        valid_to=valid_to,
        origin=node.origin,
    )
