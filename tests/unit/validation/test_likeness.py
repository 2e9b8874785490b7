"""Two descriptions are alike by the whole name with birth date or telephone, however systems write them; by nothing less."""

from __future__ import annotations

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.validation import likeness
from gateway.validation.likeness import texts

BORN = "2015-03-01"
NUMBER = "999999201503010016"


def alike(one: dict, other: dict) -> bool:
    return bool(set(texts(one)) & set(texts(other)))


def called(name: object, **said: object) -> dict:
    return {"name": name, "birth_date": BORN, **said}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("李小测", " 李 小测　"),
        ("阿依古丽·买买提", "阿依古丽．买买提".replace("．", "・")),
        ("阿依古丽·买买提", "阿依古丽•买买提"),
        ("ＬＩ ＭＩＮＧ", "li ming"),
        ("葛小测", "葛\U000e0100小测"),
        ("神小测", "\ufa19小测"),  # a compatibility form of the same character
        ("𠮷测䶮", "𠮷测?"),
        ("𠮷测䶮", "□测\ue863"),  # one system has a box, another a private code
        ("𠮷测䶮", "〓测䶮"),
    ],
)
def test_one_name_in_two_spellings_is_one_name(one, other):
    assert alike(called(one), called(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("李小测", "李小侧"),
        ("李小测", "李测小"),
        ("𠮷测䶮", "𠮷侧䶮"),
        ("李小测", "李?测"),  # a common character is never taken for a rare one
    ],
)
def test_two_names_are_two(one, other):
    assert not alike(called(one), called(other))


@pytest.mark.parametrize(
    "person",
    [
        called("李某"), called("李**"), called("李"), called("??"), called(""), called(None), called(7), {},
        {"name": "李小测"}, {"name": "李小测", "birth_date": "2015-03"}, {"name": "李小测", "birth_date": "2015"},
        {"name": "李小测", "birth_date": "2015-02-30"}, {"name": "李小测", "age": {"years": 11}},
        {"alias": "小测", "birth_date": BORN}, called("李小测", unidentified=True), called("李小测", unborn=True),
        {"name": "李小测", "id_no": NUMBER[:-1] + "7"}, {"phone": "13800000000"},
        {"name": "李小测", "phone": "138****0000"}, {"name": "李小测", "phone": "110"}, {"name": "李小测", "phone": 138},
    ],
)  # fmt: skip
def test_too_little_is_nothing(person):
    assert texts(person) == ()


@pytest.mark.parametrize("phone", ["13800000000", "+86 138 0000 0000", "138-0000-0000", "１３８００００００００"])
def test_a_telephone_is_one_number_in_every_spelling(phone):
    assert texts({"name": "王测乙", "phone": phone}) == ("王测乙|tel 13800000000",)
    assert alike({"name": "王测乙", "phone": phone}, called("王测乙", phone="13800000000"))
    assert not alike({"name": "王测丙", "phone": phone}, called("王测乙", phone="13800000000"))


def test_a_birth_date_is_taken_from_a_number_that_holds_and_both_count_where_they_differ():
    assert texts({"name": "李小测", "id_no": NUMBER}) == texts(called("李小测"))
    both = {"name": "李小测", "id_no": NUMBER, "birth_date": "2015-03-02"}
    assert alike(both, called("李小测"))
    assert alike(both, {"name": "李小测", "birth_date": "2015-03-02"})


_TEXT = st.text("李测某𠮷?·* 2015-03XG9", max_size=20)


@given(
    st.dictionaries(
        st.sampled_from(["name", "birth_date", "id_no", "phone", "unborn"]), _TEXT | st.none() | st.integers()
    )
)
def test_it_is_total_and_never_tells_a_number(person):
    found = texts(person)
    assert len(found) <= 6
    assert all(re.fullmatch(r"[^|]{2,}\|([0-9]{4}-[0-9]{2}-[0-9]{2}|tel [0-9]{7,})", text) for text in found)


def test_its_examples_hold():
    assert doctest.testmod(likeness).failed == 0


def test_the_short_way_for_common_names_is_the_long_way(monkeypatch):
    names = ["李小测", "李某", "某甲", "一", "阿依古丽", "".join(map(chr, range(0x4E00, 0x9FA6)))]
    short = [texts(called(name)) for name in names]
    monkeypatch.setattr(likeness, "_COMMON", re.compile("(?!)"))
    assert [texts(called(name)) for name in names] == short
