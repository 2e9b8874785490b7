"""What changed beside the rules of disclosure: consent, agreements, clocks, purposes, routing, safeguards?

Which facts such a change gives to whom depends on records, places and dates, so it has no row of circumstances: it is told as
before and after, part by part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from gateway.model.consent import ConsentRules
from gateway.policy.agreements import Agreement
from gateway.policy.clocks import Clock, Limit
from gateway.policy.routing_description import conditions, routed_to, routed_when
from gateway.policy.routing_rules import RefusalRule, RoutingRule, RoutingTables, Setting
from gateway.policy.rules import PolicyDocument
from gateway.policy.safeguards import EmergencyRules, Safeguards, SealedQuestions
from gateway.policy.vocabulary import Text


@dataclass(frozen=True, slots=True)
class Beside:
    """One change in a document beside the rules."""

    document: str
    text: Text


def changes_beside(old: PolicyDocument, new: PolicyDocument) -> tuple[Beside, ...]:
    """Every change, part by part: what stood there, and what stands there."""
    found: list[Beside] = []

    def told(document: str, what: str, before: object, after: object) -> None:
        if before != after:
            had, has = _plain(before), _plain(after)
            found.append(Beside(document, Text(f"{what}：{had.zh} → {has.zh}", f"{what}: {had.en} -> {has.en}")))

    for one in fields(ConsentRules):
        told("consent", one.name, getattr(old.consent, one.name), getattr(new.consent, one.name))
    told("agreements", "unlisted", old.agreements.unlisted_count, new.agreements.unlisted_count)
    before, after = ({one.id: one for one in side.agreements.listed} for side in (old, new))
    for name in dict.fromkeys((*before, *after)):
        told("agreements", name, before.get(name), after.get(name))
    for name in dict.fromkeys((*old.clocks, *new.clocks)):
        told("clocks", name, old.clocks.get(name), new.clocks.get(name))
    for name in dict.fromkeys((*old.vocabulary.legal_bases, *new.vocabulary.legal_bases)):
        kinds = [side.vocabulary.legal_bases.get(name) for side in (old, new)]
        told("purposes", name, *(None if one is None else one.kind for one in kinds))
    for document, what, had, has in (*_routing(old.routing, new.routing), *_safeguards(old.safeguards, new.safeguards)):
        told(document, what, had, has)
    return tuple(found)


_Changed = Iterator[tuple[str, str, object, object]]  # document, what it is about, before, after


def _routing(old: RoutingTables | None, new: RoutingTables | None) -> _Changed:
    """Rule by rule: a changed place in the table is no change, since every rule that holds names its offices."""
    before, after = ({} if one is None else _entries(one) for one in (old, new))
    for name in dict.fromkeys((*before, *after)):
        yield "routing", name, before.get(name), after.get(name)


def _entries(tables: RoutingTables) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, table in tables.by_type.items():
        senders = "any" if table.senders is None else " ".join(sorted(table.senders))
        found[f"{name} senders"] = f"{senders} ({table.party.value})"
        found |= {rule.id: rule for rule in table.rules}
        found |= {refusal.id: refusal for refusal in table.refusals}
    found |= {f"setting {name}": setting for name, setting in tables.settings.items()}
    found |= {f"duty {agency}": purpose for agency, purpose in tables.duties.items()}
    return found


def _safeguards(old: Safeguards | None, new: Safeguards | None) -> _Changed:
    for part, kind in (("emergency", EmergencyRules), ("sealed", SealedQuestions)):
        before, after = (None if one is None else getattr(one, part) for one in (old, new))
        for one in fields(kind):
            yield (
                "safeguards",
                f"{part}.{one.name}",
                None if before is None else getattr(before, one.name),
                None if after is None else getattr(after, one.name),
            )


def _plain(value: object) -> Text:
    """A value as somebody would write it down."""
    match value:
        case None:
            return Text("无", "none")
        case Clock():
            limits = [_limit(one) for one in value.limits]
            zh, en = "、".join(one.zh for one in limits), ", ".join(one.en for one in limits)
            return Text(f"{zh}（{value.standing}）", f"{en} ({value.standing})")
        case Agreement():
            until = "" if value.valid_to is None else value.valid_to
            purposes = " ".join(sorted(value.purposes)) or "any"
            plain = f"{' '.join(sorted(value.parties))} {value.region} {purposes} {value.valid_from}..{until}"
        case RoutingRule():
            return Text(
                *(
                    f"{routed_to(value)} {value.role} {value.purpose}；{' '.join(value.legal_basis)}；{routed_when(value)}",
                )
                * 2
            )
        case RefusalRule():
            return Text(*(f"{title}（{conditions(value.where)}）" for title in (value.title_zh, value.title_en)))
        case Setting():
            others = " ".join(sorted(value.exceptions))
            plain = f"{'yes' if value.default else 'no'}{' except ' + others if others else ''}"
        case frozenset():
            plain = " ".join(sorted(map(str, value)))
        case tuple():
            plain = " > ".join("=".join(rank) if isinstance(rank, tuple) else str(rank) for rank in value)
        case _:
            plain = str(value)
    return Text(plain, plain)


def _limit(one: Limit) -> Text:
    number = one.unit.replace("_", " ") if one.unit == "at_once" else f"{one.number} {one.unit.replace('_', ' ')}"
    return Text(number, number) if one.when is None else Text(f"{one.when.zh} {number}", f"{one.when.en} {number}")
