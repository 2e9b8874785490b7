"""Whatever loading refuses for a reason that a schema can state, an editor underlines too.

Each shipped document is cut down to one example of every shape in it, then spoilt in one place at a time: a key lost or
unknown, another type, an empty text or list, a value twice, a number out of bounds, a word of no list. Where loading refuses,
the published schema must refuse; where the schema refuses, loading must.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.engines.files.documents import default_codes
from gateway.model.errors import InvalidDocument
from gateway.policy.agreements import read_agreements
from gateway.policy.cases import read_cases
from gateway.policy.clocks import read_clocks
from gateway.policy.consent_document import read_consent
from gateway.policy.disclosure_document import DisclosureReader
from gateway.policy.page import read_law
from gateway.policy.reading import Problems, read_files
from gateway.policy.routing_document import read_tables
from gateway.policy.safeguards import NO_RECORD, QUESTIONS, read_safeguards
from gateway.policy.vocabulary_document import read_vocabulary
from tests.unit.policy.default_pack import pack
from tests.unit.policy.test_policy_schemas import pack_documents, schema

KINDS = (
    "vocabulary", "purposes", "fieldgroups", "consent", "agreements", "clocks", "safeguards", "law", "disclosure", "routing",
    "routing_settings", "cases",
)  # fmt: skip

# Reasons that lie between two places or two documents: no schema can state them.
BETWEEN = frozenset(
    {"unknown-field", "unknown-fact", "unknown-fact-value", "unknown-rule", "report-kept-from-police", "floor-without-delivery",
     "wrong-order"}
)  # fmt: skip
# Where a word may be any of the pack's own vocabulary; everywhere else the list is closed and the schema knows it.
WORDS_OF_THE_PACK = (
    "/where/", "/unless/", "/obligations", "/from/", "/to/", "/claimed_by", "/legal_bases/*/kind", "/met_by/", "/started_by/",
    "/duty/", "/may_ask/", "/parents_replaced_in/", "/parties/", "/purposes/", "/purposes a word", "/accepts", "/setting",
)  # fmt: skip


# Mappings of free names, each to the same kind of thing.
OPEN = frozenset(
    {"agencies", "obligations", "facts", "values", "groups", "purposes", "legal_bases", "clocks", "rules", "notices", "settings",
     "duties", "where", "unless", "shows", "because"}
)  # fmt: skip


def children(value: Any, at: str) -> Iterator[tuple[Any, str, Any]]:
    """(key or index, the shape it stands at, value) of each part."""
    if isinstance(value, list):
        yield from ((number, f"{at}/*", one) for number, one in enumerate(value))
    elif isinstance(value, dict):
        is_open = at.rpartition("/")[2] in OPEN
        yield from ((name, f"{at}/{'*' if is_open else name}", one) for name, one in value.items())


def shapes(value: Any, at: str) -> set[str]:
    return {f"{at}:{type(value).__name__}"}.union(*(shapes(one, shape) for _, shape, one in children(value, at)))


def cut(value: Any, at: str = "") -> Any:
    """One example of each shape."""
    if not isinstance(value, (list, dict)):
        return value
    parts = sorted(((shapes(one, shape), name, shape, one) for name, shape, one in children(value, at)), key=_richest)
    kept: list[tuple[Any, Any]] = []
    seen: set[str] = set()
    for new, name, shape, one in parts:
        if not shape.endswith("/*") or not new <= seen or (isinstance(one, str) and len(value) < 4):
            kept.append((name, cut(one, shape)))
            seen |= new
    return [one for _, one in kept] if isinstance(value, list) else dict(kept)


def _richest(part: tuple[set[str], Any, str, Any]) -> int:
    return -len(part[0])


def spoilt(document: Any) -> Iterator[tuple[str, Any]]:
    """(where and how, the document with it), each way once for each shape."""
    seen: set[str] = set()

    def places(value: Any, path: tuple[Any, ...], shape: str) -> Iterator[tuple[tuple[Any, ...], str, Any]]:
        yield path, shape, value
        for name, at, one in children(value, shape):
            yield from places(one, (*path, name), at)

    for path, shape, value in places(document, (), ""):
        for how, instead in ways(value, shape):
            mark = f"{shape} {how}"
            if mark in seen or shape == "/kind":
                continue
            seen.add(mark)
            made = copy.deepcopy(document)
            target = made
            for step in path[:-1]:
                target = target[step]
            if path:
                target[path[-1]] = instead
            else:
                made = instead
            yield mark, made


def ways(value: Any, shape: str) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            if shape.rpartition("/")[2] not in OPEN:
                yield from ((f"lost {name}", {k: v for k, v in value.items() if k != name}) for name in value)
            yield "unknown key", {**value, "no-such-key": "x"}
            yield "a list", ["x"]
            yield "empty", {}
        case list():
            yield "empty", []
            yield "twice", [*value, value[0]]
            yield "a mapping", {"x": "y"}
            yield "an empty item", [*value, ""]
        case int():
            yield from ((f"number {one}", one) for one in (0, 1, 13, 17, 9, 25, 26, 101, 99_999))
            yield "a text", "x"
            yield "a list", [value]
        case _:
            yield "blank", " "
            yield "a word of no list", "no-such-word"
            yield "a mapping", {"x": "y"}


def reasons(kind: str, document: Any) -> set[str]:
    """Why loading refuses the document; empty when it does not."""
    policy, problems = pack(), Problems()
    vocabulary = policy.vocabulary
    text = json.dumps(document, ensure_ascii=False)
    try:
        if kind == "cases":
            read_cases({"x.yaml": text}, policy)
        elif kind == "law":
            read_law({"x.yaml": text}, policy)
        else:
            for _, root in read_files({"x.yaml": text}, problems):
                match kind:
                    case "consent":
                        read_consent(root, vocabulary)
                    case "agreements":
                        read_agreements(root, vocabulary)
                    case "clocks":
                        read_clocks(root, vocabulary)
                    case "safeguards":
                        read_safeguards(root, vocabulary)
                    case "routing" | "routing_settings":
                        read_tables([root], vocabulary, problems)
                    case "vocabulary":
                        read_vocabulary(root, policy.document.catalogue, None)
                    case "purposes":
                        read_vocabulary(_vocabulary(problems), policy.document.catalogue, root)
                    case _:
                        reader = DisclosureReader(policy.document.catalogue, vocabulary, problems)
                        reader.groups = {**policy.document.groups} if kind == "disclosure" else {}
                        (reader.disclosure if kind == "disclosure" else reader.field_groups)(root)
    except InvalidDocument as wrong:
        return {one.code for one in wrong.problems}
    return {one.code for one in problems.found}


def _vocabulary(problems: Problems) -> Any:
    text = json.dumps(next(one for path, one in pack_documents().items() if path.endswith("/vocabulary.yaml")))
    return next(iter(read_files({"vocabulary.yaml": text}, problems)))[1]


AGREEMENT = {
    "kind": "agreements", "unlisted": "none",
    "agreements": [
        {"id": "会签〔2026〕1号", "title": {"zh": "抄送", "en": "copies"}, "citation": ["t"], "parties": ["civil_affairs", "police"],
         "region": "440113", "purposes": ["P03"], "valid_from": "2026-01-01", "valid_to": "2027-12-31"},
    ],
}  # fmt: skip


@functools.cache
def example(kind: str) -> Any:
    """All shipped documents of a kind as one, cut down."""
    if kind == "agreements":
        return AGREEMENT
    whole: dict[str, Any] = {}
    for one in pack_documents().values():
        for name, value in one.items() if one["kind"] == kind else ():
            had = whole.get(name)
            if isinstance(had, list):
                whole[name] = had + value
            elif isinstance(had, dict) and name in OPEN:
                whole[name] = {**had, **value}
            else:
                whole.setdefault(name, value)
    return cut(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_loading_and_the_published_schema_refuse_the_same(kind: str) -> None:
    document, validator = example(kind), Draft202012Validator(schema(kind.replace("routing_settings", "routing")))
    assert validator.is_valid(document), [one.message for one in validator.iter_errors(document)][:3]
    known = reasons(kind, document)  # of what the other documents of the pack would say
    unseen, overseen, made = [], [], 0
    for mark, wrong in spoilt(document):
        made += 1
        refused, fits = reasons(kind, wrong) - known, validator.is_valid(wrong)
        is_word = "unknown-value" in refused and any(place in mark for place in WORDS_OF_THE_PACK)
        if fits and refused - BETWEEN - ({"unknown-value"} if is_word else set()):
            unseen.append((mark, refused))
        if not fits and not refused and not known:
            overseen.append(mark)
    assert made > 10
    assert not unseen, "an editor would not warn"
    assert not overseen, "an editor would warn of what loads"


def test_the_words_of_a_sealed_question_are_those_of_the_codes() -> None:
    assert set(default_codes().codes("question")) == set(QUESTIONS)
    assert NO_RECORD in default_codes().codes("answer")
    (asked,) = schema("safeguards")["properties"]["sealed_questions"]["properties"]["questions"]["items"].values()
    assert asked == list(QUESTIONS)
