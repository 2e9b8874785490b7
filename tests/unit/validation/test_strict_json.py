"""One JSON text with one meaning, or a problem with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.validation.strict_json import Malformed, element_spans, parse_json
from tests.support.samples import needs_samples, sample_files

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', ":", '":', "\\", '\\":', "{", "[", ",", "\u003a"]
)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def texts_with_pairs(draw: st.DrawFn) -> tuple[str, bool]:
    """A JSON text whose objects may repeat a name, written with odd blanks and escapes; and whether one does."""
    repeated = False

    def word(text: str) -> str:
        plain = json.dumps(text, ensure_ascii=draw(st.booleans()))
        return plain.replace(":", "\\u003a") if draw(st.booleans()) else plain

    def write(depth: int) -> str:
        nonlocal repeated
        blank = draw(st.sampled_from(["", " ", "\n\t"]))
        kind = draw(st.integers(0, 3 if depth < 3 else 1))
        if kind <= 1:
            return blank + word(draw(TEXT)) + blank
        if kind == 2:
            return "[" + ",".join(write(depth + 1) for _ in range(draw(st.integers(0, 3)))) + blank + "]"
        names = draw(st.lists(TEXT, max_size=4))
        repeated = repeated or len(set(names)) < len(names)
        return "{" + ",".join(f"{word(name)}{blank}:{write(depth + 1)}" for name in names) + "}"

    return write(0), repeated


@given(texts_with_pairs())
def test_a_name_given_twice_is_found_and_nothing_else_is(case: tuple[str, bool]):
    text, repeated = case
    if repeated:
        with pytest.raises(Malformed) as refused:
            parse_json(text.encode())
        assert refused.value.problem.code == "duplicate-member"
    else:
        assert parse_json(text.encode()) == json.loads(text)


@given(st.lists(VALUES, max_size=5), st.booleans())
def test_the_spans_of_a_batch_are_its_elements(values: list[Any], indented: bool):
    raw = json.dumps(values, indent=2 if indented else None, ensure_ascii=False).encode()
    assert [json.loads(raw[start:end]) for start, end in element_spans(raw)] == values
    assert all(raw[start:end].strip() == raw[start:end] for start, end in element_spans(raw))


def test_the_place_of_a_repeated_name_is_told_but_not_a_strange_name():
    with pytest.raises(Malformed) as refused:
        parse_json(b'{"data":{"persons":[{},{"name":"a","name":"b"}]}}', names={"data", "persons", "name"})
    assert refused.value.problem.position == "/data/persons/1/name"
    with pytest.raises(Malformed) as refused:
        parse_json(b'{"data":{"13812345678":"a","13812345678":"b"}}', names={"data"})
    assert refused.value.problem.position == "/data/*"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_limited(opening: str):
    closing = {"[": "]", '{"a":': "}"}[opening]
    parse_json((opening * 8 + "1" + closing * 8).encode(), max_depth=8)
    for depth in (9, 300, 1000, 100_000):
        with pytest.raises(Malformed):
            parse_json((opening * depth + "1" + closing * depth).encode(), max_depth=8)


@pytest.mark.samples
@needs_samples
def test_the_parsing_samples_get_a_clean_answer():
    """nst/JSONTestSuite: y_ must be read, n_ must be refused, i_ may be either; all without another exception."""
    files = sample_files("hostile/json-parsing", "*.json")
    assert len(files) > 100
    for path in files:
        raw = path.read_bytes()
        try:
            parse_json(raw)
            read = True
        except Malformed as refused:
            read = False
            assert refused.problem.code in {"not-json", "too-deep", "duplicate-member"}
        if path.name.startswith("y_"):
            assert read, path.name
        if path.name.startswith("n_"):
            assert not read, path.name
