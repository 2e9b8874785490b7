"""Hypothesis strategies for notice bodies: plausible, sparse, and with things no schema knows."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from gateway.model.fields import PERSON_ROLES

_TEXT = st.text("ab测李 \u0000😀\u202e", max_size=6)


@cache
def json_values() -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "0", "ref", "roles", "code", "z"]), inner, max_size=3)
        ),
        max_leaves=8,
    )


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "key": st.sampled_from(["k1", "k2", "k3"]),
    "name": st.sampled_from(["李小测", "李大测", "欧阳小测", "阿依古丽", "张测", ""]),
    "id_no": st.sampled_from(["999999201503010016", "999999201203010013", "bad"]),
    "student_no": st.sampled_from(["G999999201503010016", "G999999201203010013"]),
    "sex": st.sampled_from(["1", "2", "9"]),
    "birth_date": st.sampled_from(["2015-03-01", "2015-03-02", "2012", "2012-03", "bad", "2030-01-01"]),
    "age": st.sampled_from([{"years": 9}, {"years": 10, "months": 2}, {"years": "x"}]),
    "age_band": st.sampled_from(["8-11", "12-13"]),
    "phone": st.sampled_from(["13800138000", "13800138111", "110"]),
    "residence": st.fixed_dictionaries({}, optional={
        "region": st.sampled_from(["440113001001", "440113001002", "440113002001", "440113", "x"]),
        "address": st.sampled_from(["测试路1号", "测试路2号"]),
    }),
    "school": st.fixed_dictionaries({}, optional={"code": st.sampled_from(["2144000001", "x"]), "name": _TEXT}),
    "difficulty": st.lists(st.sampled_from(["D31", "D32", "D11"]), max_size=3),
    "mental_health": st.lists(st.sampled_from(["F43", "F32"]), max_size=2),
    "relation": st.sampled_from(["51", "52", "61"]),
    "unidentified": st.booleans(),
    "odd": json_values(),
}  # fmt: skip


@st.composite
def persons(draw: st.DrawFn, most: int = 4) -> list[dict[str, Any]]:
    count = draw(st.integers(0, most))
    refs = [f"p{index + 1}" for index in range(count)]
    found = []
    for ref in draw(st.permutations(refs)):
        person: dict[str, Any] = {"ref": ref}
        person["roles"] = draw(st.lists(st.sampled_from(PERSON_ROLES[:6]), min_size=1, max_size=2, unique=True))
        for name in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=6, unique=True)):
            person[name] = draw(VALUES[name])
        if draw(st.booleans()):
            person["of"] = draw(st.sampled_from(refs))
        if draw(st.booleans()):
            person["lives_with"] = draw(st.lists(st.sampled_from(refs), max_size=3, unique=True))
        found.append(person)
    return found


_MEASURE = st.fixed_dictionaries({}, optional={
    "code": st.sampled_from(["A06", "A10"]),
    "from": st.sampled_from(["2026-03-01", "2026-03-09"]),
    "executor": st.sampled_from(["police.440113", "某中心"]),
    "odd": json_values(),
})  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = draw(st.fixed_dictionaries({}, optional={
        "urgency": st.integers(0, 2),
        "immediate_danger": st.booleans(),
        "occurred_at": st.sampled_from(["2026-03-01T08:00:00+08:00", "2026-03-09T08:00:00+08:00", "2026-02", "bad"]),
        "in_reply_to": st.sampled_from(["n-1", "n-2"]),
        "harm": st.fixed_dictionaries({}, optional={
            "types": st.lists(st.sampled_from(["H21", "H22", "H41", "H99"]), max_size=3),
            "narrative": _TEXT,
            "summary": _TEXT,
            "injury": st.fixed_dictionaries({}, optional={"codes": st.lists(st.sampled_from(["S06", "T74"]), max_size=2)}),
            "odd": json_values(),
        }),
        "place": st.fixed_dictionaries({}, optional={"region": st.sampled_from(["440113001", "440113002", "bad"]), "detail": _TEXT}),
        "measures": st.lists(_MEASURE, max_size=4),
        "order": st.fixed_dictionaries({}, optional={
            "respondent": st.sampled_from(["p1", "p2", "p3"]),
            "case_no": st.sampled_from(["(2026)1", "(2026)2"]),
            "terms": st.lists(st.fixed_dictionaries({}, optional={"item": st.sampled_from(["29-1", "29-2"]), "detail": _TEXT}), max_size=3),
        }),
        "odd": json_values(),
    }))  # fmt: skip
    if draw(st.booleans()):
        made["persons"] = draw(persons())
    return made
