"""How is the document of consent rules read?

    kind: consent
    ages:      {view_heard_from: {years: 8, citation: [...]}, own_consent_from: {...}, majority: {...}}
    authority: {citation: [...], order: [[parent, other_guardian], temporary_guardian, ...], parents_replaced_in: [REVOKED]}
    snapshot_seconds: 60
    receipt:   {rights: {zh: ..., en: ...}, withdrawal: {...}, retention: {...}}

What is given, by whom and for what stands in consent records; this says who has a say, and what the person is told.
Where something is left out, the law's value holds (`BY_LAW`), and nothing may be laxer than the law: a child's no is not
heard later, nobody consents alone or is of age sooner, and parents whom a judgment replaced get no say back.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.model.consent import AUTHORITY_KINDS, BY_LAW, ConsentRules
from gateway.policy.reading import Node
from gateway.policy.vocabulary import Vocabulary

_AGES = ("view_heard_from", "own_consent_from", "majority")
_TEXTS = ("rights", "withdrawal", "retention")
_OLDEST, _LONGEST_SNAPSHOT = 25, 3600


def read_consent(root: Node, vocabulary: Vocabulary) -> ConsentRules:
    """Read the one consent document; problems go to the node's collector, and the law's values stand where one is."""
    read = root.members(required=frozenset({"kind", "ages", "authority", "snapshot_seconds", "receipt"}))
    ages = _ages(read["ages"]) if "ages" in read else {}
    ranks, replaced = _authority(read["authority"], vocabulary) if "authority" in read else ((), BY_LAW.replaced_in)
    texts = _texts(read["receipt"]) if "receipt" in read else {}
    seconds = read["snapshot_seconds"].number() if "snapshot_seconds" in read else 0
    if "snapshot_seconds" in read and not 1 <= seconds <= _LONGEST_SNAPSHOT:
        read["snapshot_seconds"].problem("wrong-number", f"a whole number from 1 to {_LONGEST_SNAPSHOT}")
    return ConsentRules(
        **{name: ages.get(name, getattr(BY_LAW, name)) for name in _AGES},
        ranks=ranks or BY_LAW.ranks,
        replaced_in=replaced,
        snapshot=timedelta(seconds=seconds),
        **{name: texts.get(name, getattr(BY_LAW, name)) for name in _TEXTS},
    )


def _ages(node: Node) -> dict[str, int]:
    found: dict[str, int] = {}
    youngest = 0
    read = node.members(required=frozenset(_AGES))
    for name in (name for name in _AGES if name in read):
        parts = read[name].members(required=frozenset({"years", "citation"}))
        if "citation" in parts:
            parts["citation"].texts()
        if "years" in parts:
            found[name] = parts["years"].number()
            if not 1 <= found[name] <= _OLDEST:
                parts["years"].problem("wrong-number", f"a whole number from 1 to {_OLDEST}")
            elif _is_laxer(name, found[name]):
                parts["years"].problem(
                    "laxer-than-law", f"`{name}` is laxer than the law", f"the law's age is {getattr(BY_LAW, name)}"
                )
            if 1 <= found[name] < youngest:
                parts["years"].problem(
                    "wrong-order",
                    "a child is heard before it consents by itself, and consents by itself before it is of age",
                )
            youngest = max(youngest, found[name])
    return found


def _is_laxer(name: str, years: int) -> bool:
    law: int = getattr(BY_LAW, name)
    return years > law if name == "view_heard_from" else years < law


def _authority(node: Node, vocabulary: Vocabulary) -> tuple[tuple[tuple[str, ...], ...], frozenset[str]]:
    read = node.members(required=frozenset({"citation", "order"}), optional=frozenset({"parents_replaced_in"}))
    if "citation" in read:
        read["citation"].texts()
    ranks: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for item in read["order"].items() if "order" in read else []:
        rank = [text for text, part in item.texts() if _is_kind(text, part, seen)]
        ranks.append(tuple(rank))
    tracks = vocabulary.facts["track"].values if "track" in vocabulary.facts else {}
    replaced = read["parents_replaced_in"].texts() if "parents_replaced_in" in read else []
    for text, part in replaced:
        if tracks and text not in tracks:
            part.problem(
                "unknown-value", f"`{text}` is not a value of the fact `track`", f"one of: {', '.join(tracks)}"
            )
    if "parents_replaced_in" not in read:
        return tuple(ranks), BY_LAW.replaced_in
    found = frozenset(text for text, _ in replaced)
    if missing := sorted(BY_LAW.replaced_in - found):
        read["parents_replaced_in"].problem(
            "laxer-than-law", "a judgment has replaced the parents in other tracks too", f"add {', '.join(missing)}"
        )
    return tuple(ranks), found


def _is_kind(text: str, node: Node, seen: set[str]) -> bool:
    if text in seen:
        node.problem("duplicate-value", f"`{text}` has two ranks")
    elif text not in AUTHORITY_KINDS:
        node.problem("unknown-value", f"`{text}` is no kind of authority", f"one of: {', '.join(AUTHORITY_KINDS)}")
    else:
        seen.add(text)
        return True
    return False


def _texts(node: Node) -> dict[str, str]:
    """Both languages in one text: a receipt is one paper."""
    return {
        name: " ".join((title := value.title()).zh.splitlines() + title.en.splitlines())
        for name, value in node.members(required=frozenset(_TEXTS)).items()
    }
