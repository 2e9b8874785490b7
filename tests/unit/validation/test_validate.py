"""Validation is total, says where and never what, and no report is lost."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.engines.files.documents import default_catalogue, default_codes, default_rules, schema_documents
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import NoticeType, OfficeId
from gateway.model.notice import SubmittedNotice, ValidNotice
from gateway.validation.bundle import bundle
from gateway.validation.catalogue import UnknownLeaf
from gateway.validation.quarantine import cut
from gateway.validation.validate import MAX_PROBLEMS, validate
from tests.support.samples import ROOT, needs_samples
from tests.support.schema_oracle import oracle

RULES = default_rules()
TODAY = date(2026, 11, 23)
SCHEMAS = schema_documents()
EXAMPLES = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).resolve().parents[3] / "schemas/examples").glob("*/*.json"))
]
MARK = "绝密标记13812345678"


def check(kind: str, data: Any) -> ValidNotice | tuple[Any, ...]:
    return validate(SubmittedNotice(OfficeId("police.440113"), "n-1", NoticeType(kind), data), RULES, TODAY)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))


def value_at(value: Any, place: tuple[Any, ...]) -> Any:
    for token in place:
        value = value[token]
    return value


ODD = st.sampled_from([
    None, 1.0, 2.5, True, False, 0, -1, 2**60, "", "\n", "2015-02-29", "2016-02-29", "2015-03-01\n", "D31", "H21",
    MARK, "\ud800", [], {}, ["D31", "D31"], [None], {MARK: MARK}, {"ref": "p1"}, "x" * 700, ["minor"], ["reporter"],
    ["wizard", "minor"], b"bytes", float("nan"), (1,), {1: 2},
])  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, values: st.SearchStrategy[Any] = ODD, kinds: tuple[str, ...] = ()) -> tuple[str, Any]:
    """An example with up to four places replaced, removed, added to, or said twice."""
    chosen = draw(st.sampled_from([item for item in EXAMPLES if not kinds or item["type"] in kinds]))
    data = copy.deepcopy(chosen["data"])
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.sampled_from(list(places(data))))
        value = copy.deepcopy(draw(values))
        if not place:
            name = draw(st.sampled_from(["urgency", "persons", "harm", "colour", MARK]))
            data[name] = value
            continue
        holder = data
        for token in place[:-1]:
            holder = holder[token]
        match draw(st.sampled_from(["replace", "remove", "add", "twice"])):
            case "replace":
                holder[place[-1]] = value
            case "remove":
                del holder[place[-1]]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["name", "x", "colour", MARK, "school"]))] = value
            case "twice" if isinstance(holder, list):
                holder.extend([holder[place[-1]]] * draw(st.sampled_from([1, 60])))
    return chosen["type"], data


JSON_ODD = ODD.filter(
    lambda value: not isinstance(value, (bytes, tuple)) and value == value and value not in ("\ud800", {1: 2})
)
SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(damaged(JSON_ODD))
def test_the_fast_validator_and_the_oracle_are_of_one_mind(case: tuple[str, Any]):
    kind, data = case
    fast = RULES.validators[NoticeType(kind)]
    slow = oracle(RULES.schemas[NoticeType(kind)])
    assert fast.is_valid(data) == slow.is_valid(data)
    strings = {tuple(error.instance_path) for error in fast.iter_errors(data)}
    assert strings == {tuple(error.absolute_path) for error in slow.iter_errors(data)}


@SLOW
@given(damaged(JSON_ODD))
def test_the_bundle_means_what_the_published_schema_means(case: tuple[str, Any]):
    kind, data = case
    published = SCHEMAS[f"notices/{kind}.v1.json"]
    registry = jsonschema_rs.Registry([(document["$id"], document) for document in SCHEMAS.values()])
    composed = jsonschema_rs.Draft202012Validator(published, registry=registry, validate_formats=False)
    flat = jsonschema_rs.Draft202012Validator(
        bundle(default_catalogue(), None, NoticeType(kind)), validate_formats=False
    )
    assert composed.is_valid(data) == flat.is_valid(data)


@pytest.mark.parametrize("chosen", EXAMPLES[::4], ids=lambda item: item["type"])
def test_a_third_partys_plain_validator_reads_the_published_schemas(chosen: dict[str, Any]):
    published = SCHEMAS[f"notices/{chosen['type']}.v1.json"]
    kind = NoticeType(chosen["type"])
    flat = jsonschema_rs.Draft202012Validator(bundle(default_catalogue(), None, kind), validate_formats=False)
    assert oracle(published, SCHEMAS).is_valid(chosen["data"]) == flat.is_valid(chosen["data"])


def test_every_document_is_a_schema_by_its_own_standard():
    for document in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(document)


def test_every_pattern_runs_in_linear_time_and_is_anchored():
    def patterns(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                yield node["pattern"]
            for member in node.values():
                yield from patterns(member)
        elif isinstance(node, list):
            for item in node:
                yield from patterns(item)

    found = {pattern for document in SCHEMAS.values() for pattern in patterns(document)}
    assert len(found) > 10
    for pattern in found:
        assert pattern.startswith("^") and pattern.endswith("$")
        assert not re.search(r"\(\?[=!<]|\\[1-9bBdDwWsS]", pattern), "lookaround, back references or ambiguous classes"
        # The linear engine takes it.
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


def test_every_text_and_list_is_bounded():
    def unbounded(node: Any, at: str) -> Iterator[str]:
        if not isinstance(node, dict):
            return
        if node.get("type") == "string" and not ({"maxLength", "enum"} & node.keys()):
            pattern = node.get("pattern", "")
            if not pattern or re.search(r"[*+]|,\}", re.sub(r"\[[^\]]*\]|\\.", "", pattern)):
                yield at
        if node.get("type") == "array" and "maxItems" not in node:
            yield at
        if node.get("type") == "integer" and not {"minimum", "maximum"} <= node.keys():
            yield at
        for name, member in node.get("properties", {}).items():
            yield from unbounded(member, f"{at}/{name}")
        if "items" in node:
            yield from unbounded(node["items"], f"{at}/*")

    for kind, schema in RULES.schemas.items():
        assert list(unbounded(schema, kind)) == []


@SLOW
@given(damaged())
def test_validation_is_total_and_never_tells_a_value(case: tuple[str, Any]):
    kind, data = case
    answer = check(kind, data)
    if isinstance(answer, ValidNotice):
        told = [*answer.flags, *answer.quarantined]
    else:
        assert answer
        assert all(problem.remedy for problem in answer)
        told = [
            text for problem in answer for text in (problem.code, problem.position, problem.message, problem.remedy)
        ]
    assert MARK not in "".join(told)


@SLOW
@given(damaged(kinds=("RPT", "RPT-M")))
@example(("RPT", {"persons": [{"ref": "p1", "roles": ["reporter"], "name": MARK}]}))
@example(("RPT-M", {str(index): index for index in range(3000)}))
def test_a_report_stands_without_what_does_not_hold(case: tuple[str, Any]):
    kind, data = case
    before = copy.deepcopy(data)
    answer = check(kind, data)
    assert isinstance(answer, ValidNotice)
    kept = answer.notice.data
    assert repr(data) == repr(before), "the submitted body is not changed"
    assert bool(answer.set_aside) == bool(answer.quarantined)
    canonical_json(kept)
    again = check(kind, kept)
    assert isinstance(again, ValidNotice)
    assert (again.quarantined, again.notice.data) == ((), kept)
    unknown = [item for item in RULES.catalogue.walk(kept, NoticeType(kind)) if isinstance(item, UnknownLeaf)]
    assert unknown == []


@SLOW
@given(damaged(JSON_ODD))
def test_what_validates_is_canonical_json_with_known_fields_only(case: tuple[str, Any]):
    kind, data = case
    answer = check(kind, data)
    if isinstance(answer, ValidNotice):
        canonical_json(answer.notice.data)
        assert "float" not in {
            type(value_at(answer.notice.data, place)).__name__ for place in places(answer.notice.data)
        }
        found = RULES.catalogue.walk(answer.notice.data, NoticeType(kind))
        assert not [item for item in found if isinstance(item, UnknownLeaf)]


REPORT = next(item["data"] for item in EXAMPLES if item["type"] == "RPT-M")


def report(**changes: Any) -> ValidNotice:
    answer = check("RPT-M", {**copy.deepcopy(REPORT), **changes})
    assert isinstance(answer, ValidNotice)
    return answer


def test_one_wrong_code_does_not_cost_the_others():
    answer = report(harm={"types": ["H21", MARK, "H7"], "m_flags": ["M4"]})
    assert answer.notice.data["harm"]["types"] == ["H21", "H7"]
    assert answer.set_aside == {"/harm/types/1": MARK}
    assert "unknown-code:/harm/types/1" in answer.flags


def test_more_persons_than_fit_are_set_aside_and_the_first_stand():
    person = {"ref": "p", "roles": ["minor"]}
    answer = report(persons=[person] * 53)
    assert len(answer.notice.data["persons"]) == 50
    assert "too-many:/persons" in answer.flags
    assert answer.set_aside == {"/persons/-": [person] * 3}


def test_something_that_is_no_person_leaves_the_others_in_their_places():
    answer = report(persons=[MARK, {"ref": "p2", "roles": ["minor"]}])
    assert answer.notice.data["persons"] == [{}, {"ref": "p2", "roles": ["minor"]}]


@pytest.mark.parametrize("body", [None, [], MARK, 7, [{"urgency": 1}]])
def test_a_report_whose_body_is_no_object_still_stands_empty(body: Any):
    answer = check("RPT-M", body)
    assert isinstance(answer, ValidNotice)
    assert (answer.notice.data, answer.quarantined, answer.set_aside) == ({}, ("",), {"": body})
    refused = check("LED", body)
    assert not isinstance(refused, ValidNotice)


def test_a_body_that_contains_itself_gets_an_answer():
    body: dict[str, Any] = {"urgency": 1}
    body["persons"] = [body]
    assert isinstance(check("RPT", body), ValidNotice)
    assert not isinstance(check("LED", body), ValidNotice)


def test_an_unknown_type_and_a_hostile_body_are_answered_briefly():
    answer = check("POEM", {})
    assert not isinstance(answer, ValidNotice)
    assert [problem.code for problem in answer] == ["unknown-notice-type"]
    answer = check("LED", {f"x{index}": 1 for index in range(10_000)})
    assert not isinstance(answer, ValidNotice)
    assert 0 < len(answer) <= MAX_PROBLEMS
    answer = report(**{f"x{index}": 1 for index in range(10_000)})
    assert answer.notice.data == REPORT
    assert len(answer.flags) <= MAX_PROBLEMS


def test_a_misspelt_name_is_answered_with_the_field_that_comes_closest():
    answer = check(
        "LED", {"ledger": {"change": "add"}, "persons": [{"ref": "p1", "roles": ["minor"], "birthdate": "2015"}]}
    )
    assert not isinstance(answer, ValidNotice)
    (problem,) = answer
    assert (problem.code, problem.position) == ("unknown-field", "/persons/0/*")
    assert "birth_date" in problem.remedy and "birthdate" not in problem.remedy


def test_a_reporter_who_is_also_a_guardian_keeps_the_guardians_fields():
    person = {"ref": "p2", "roles": ["guardian", "reporter"], "name": "某", "relation": "52"}
    assert report(persons=[*REPORT["persons"], {**person, "ref": "p8"}]).quarantined == ()


def test_cutting_keeps_its_input_and_the_places_of_objects():
    data = {"a": [{"b": 1}, 2, {"b": 3}], "c": [1, 2, 3], "d": {"e": {"f": 1}}}
    before = copy.deepcopy(data)
    kept, removed = cut(data, [("a", 1), ("c", 0), ("d", "e", "f"), ("x", "y"), ("d", "e")])
    assert data == before
    assert kept == {"a": [{"b": 1}, {}, {"b": 3}], "c": [2, 3], "d": {}}
    assert removed == {"/a/1": 2, "/c/0": 1, "/d/e": {"f": 1}}
    assert cut(data, [()]) == ({}, {"": data})


@pytest.mark.samples
@needs_samples
@pytest.mark.parametrize(("shape", "file"), [("instant", "format_date-time.json"), ("full_date", "format_date.json")])
def test_nothing_the_format_suite_calls_invalid_is_a_date_or_instant(shape: str, file: str):
    """JSON-Schema-Test-Suite. The patterns are narrower than RFC 3339: 1900 to 2099, T and Z, nanoseconds, no leap second."""
    types = SCHEMAS["parts/types.json"]["$defs"]
    fast = jsonschema_rs.Draft202012Validator({**types[shape]}, validate_formats=False)
    slow = oracle(types[shape])
    narrower, cases = [], 0
    for group in json.loads((ROOT / "json-schema" / file).read_text(encoding="utf-8")):
        for case in group["tests"]:
            if not isinstance(case["data"], str):
                continue
            cases += 1
            assert fast.is_valid(case["data"]) == slow.is_valid(case["data"]), case["description"]
            if fast.is_valid(case["data"]):
                assert case["valid"], case["description"]
            elif case["valid"]:
                narrower.append(case["data"])
    assert cases > 20
    allowed = re.compile(r".*(:60|[tz]|\.[0-9]{10,}).*|(?!19|20).*")
    assert [text for text in narrower if not allowed.fullmatch(text)] == []


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_every_day_there_is_is_a_date(day: date):
    types = SCHEMAS["parts/types.json"]["$defs"]
    for shape in ("full_date", "partial_date", "moment"):
        assert re.search(types[shape]["pattern"], day.isoformat())


@given(st.integers(1900, 2099), st.integers(1, 12), st.integers(29, 31))
def test_no_other_day_is_a_date(year: int, month: int, day: int):
    try:
        date(year, month, day)
        real = True
    except ValueError:
        real = False
    pattern = SCHEMAS["parts/types.json"]["$defs"]["full_date"]["pattern"]
    assert bool(re.search(pattern, f"{year}-{month:02}-{day:02}")) == real


def test_the_code_tables_are_what_closed_fields_accept():
    schema = RULES.schemas[NoticeType("RPT-M")]["properties"]["persons"]["items"]["properties"]
    assert schema["sex"]["enum"] == list(default_codes().codes("sex"))
    assert "enum" not in schema["nationality"]


@pytest.mark.parametrize("kind", ["RPT-M", "LED"])
@pytest.mark.parametrize(
    "body",
    [
        {f"x{index}": 1 for index in range(50_000)},
        {"persons": [{"a": 1, "b": None}] * 50_000},
        {"harm": {"types": [str(index) for index in range(100_000)]}},
        {"harm": {"types": [[None] * 100_000]}},
    ],
    ids=["members", "persons", "codes", "nested"],
)
def test_a_hostile_body_costs_no_more_than_going_through_it(kind: str, body: dict[str, Any]):
    """What is checked value by value is bounded by the schema: the work stays small however long the body is."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        answer = check(kind, body)
    finally:
        sys.setprofile(None)
    assert calls < 1_200_000
    told = answer.flags if isinstance(answer, ValidNotice) else answer
    assert 0 < len(told) <= MAX_PROBLEMS + 5


@pytest.mark.samples
@needs_samples
def test_naughty_strings_stand_in_texts_and_are_cut_from_codes():
    for text in json.loads((ROOT / "hostile/strings/blns.json").read_text(encoding="utf-8")):
        harm = {"types": ["H21", text], "m_flags": ["M4"], **({"narrative": text} if text else {})}
        answer = report(harm=harm)
        assert answer.notice.data["harm"] == {**harm, "types": ["H21"]}
        assert set(answer.flags) <= {"unknown-code:/harm/types/1"}
