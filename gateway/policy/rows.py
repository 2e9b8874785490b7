"""How is a circumstance told to a person?

Rows carry codes; `describe` turns them into one Chinese and one English
sentence with the vocabulary's own words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gateway.model.access import PRESETS, Facet
from gateway.model.identifiers import FieldId
from gateway.policy.rules import PolicyDocument
from gateway.policy.space import Conditions
from gateway.policy.vocabulary import UNKNOWN, Text, Vocabulary

_FACETS: Mapping[Facet, Text] = {
    Facet.EXISTS: Text("仅知有无", "presence"),
    Facet.LINKABLE: Text("假名", "pseudonym"),
    Facet.COARSE: Text("概化", "generalised"),
    Facet.PARTIAL: Text("掩码", "masked"),
    Facet.FULL: Text("明文", "in full"),
    Facet.RELAY: Text("中转", "by relay"),
    Facet.SUMMARY: Text("摘要", "as summary"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One box of circumstances in which these fields change or differ. `where` names only facts that matter."""

    fields: tuple[FieldId, ...]
    where: Conditions
    before: Facet
    after: Facet


def facet_text(shown: Facet) -> Text:
    """A set of facets in words; what a stronger facet includes is not repeated."""
    if shown is Facet.NOTHING:
        return Text("不披露", "withheld")
    if shown & Facet.FULL:
        return _FACETS[Facet.FULL]
    parts = [text for facet, text in _FACETS.items() if facet & shown and facet is not Facet.EXISTS]
    if not parts:
        return _FACETS[Facet.EXISTS]
    return Text("、".join(part.zh for part in parts), " and ".join(part.en for part in parts))


def facet_names(shown: Facet) -> str | list[str]:
    """A preset's name, or the facets' names."""
    for name, facets in PRESETS.items():
        if facets == shown:
            return name
    return [facet.name.lower() for facet in Facet if facet & shown and facet.name is not None]


def conditions_text(where: Conditions, vocabulary: Vocabulary) -> Text:
    if not where:
        return Text("任何情形", "in any case")
    zh: list[str] = []
    en: list[str] = []
    for name, values in where.items():
        spec = vocabulary.facts[name]
        others = [value for value in (*spec.values, *(() if spec.certain else (UNKNOWN,))) if value not in values]
        exclude = len(others) < len(values) and len(others) <= 3
        words = [vocabulary.title_of(name, value) for value in (others if exclude else values)]
        zh.append(f"{spec.title.zh}{'非' if exclude else '＝'}{'、'.join(word.zh for word in words)}")
        en.append(f"{spec.title.en} {'not ' if exclude else 'is '}{' or '.join(word.en for word in words)}")
    return Text("；".join(zh), "; ".join(en))


def fields_text(fields: Collection[FieldId], document: PolicyDocument) -> Text:
    """Fields by the names of their groups where a whole group is meant."""
    left = set(fields)
    zh: list[str] = []
    en: list[str] = []
    for name, members in sorted(document.groups.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(members) > 1 and members <= left:
            left -= members
            zh.append(f"〔{name}〕")
            en.append(f"[{name}]")
    for field_id in sorted(left):
        spec = document.catalogue.get(field_id)
        zh.append(f"{spec.title_zh if spec else ''}（{field_id}）")
        en.append(field_id)
    return Text("、".join(zh), ", ".join(en))


def describe(row: Row, document: PolicyDocument) -> Text:
    where = conditions_text(row.where, document.vocabulary)
    what = fields_text(row.fields, document)
    before, after = facet_text(row.before), facet_text(row.after)
    return Text(f"{where.zh}：{what.zh} {before.zh}→{after.zh}", f"{where.en}: {what.en} {before.en} -> {after.en}")


def merge_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Join rows that say the same of different fields; widest first."""
    joined: dict[tuple[tuple[tuple[str, tuple[str, ...]], ...], Facet, Facet], set[FieldId]] = {}
    for row in rows:
        key = (tuple((name, tuple(values)) for name, values in row.where.items()), row.before, row.after)
        joined.setdefault(key, set()).update(row.fields)
    merged = [
        Row(tuple(sorted(fields)), dict(where), before, after) for (where, before, after), fields in joined.items()
    ]
    return tuple(sorted(merged, key=lambda row: (len(row.where), sorted(row.where.items()), row.fields)))
