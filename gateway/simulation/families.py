"""Who are the people of synthetic case number K? Families that exist nowhere, seeded, with the edges of DOMAIN S11.

Every identity number has the area prefix 999999, which no division has, and a
check digit by GB 11643 unless the edge is that it is wrong. Telephone numbers begin with 100, which no
subscriber has. Names carry the character 测 (test). The same seed and number give the same family.

A person holds what somebody wrote down, not what is true: a ruined number, an age instead of a birth
date, half a date. That is what the writers put into the native formats.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from gateway.validation.identity import check_digit

PREFIX = "999999"
TODAY = date(2026, 3, 1)  # the day on which the synthetic cases begin


class Edge(StrEnum):
    """What is out of the ordinary about a case (DOMAIN 2 and S11)."""

    NONE = "none"
    TWINS = "twins-with-one-wrong-digit"
    SMALL_X = "check-digit-x-in-lower-case"
    RARE_CHARACTERS = "gb18030-rare-characters"
    FULL_WIDTH = "full-width-digits-and-brackets"
    HALF_AGE = "age-in-half-years"
    ABOUT_AGE = "approximate-age"
    RUINED = "number-ruined-by-a-spreadsheet"
    SEVERAL = "several-children"
    PARTIAL_DATE = "partial-birth-date"
    NO_DOCUMENT = "child-without-document"
    ALIAS = "alias-instead-of-name"


S11_EDGES = tuple(edge for edge in Edge if edge is not Edge.NONE)


@dataclass(frozen=True, slots=True)
class Individual:
    """One person as written down. `born` is `YYYY-MM-DD`, `YYYY-MM` or empty, `relation` GB/T 4761 *of the child*, `sex` GB/T 2261.1.

    `id_no` as its writer gave it; `age` in words where there is no birth date; `state` civil affairs' 成员状况.
    """

    name: str
    sex: str
    id_no: str = ""
    born: str = ""
    age: str = ""
    alias: str = ""
    relation: str = ""
    state: str = "健康"
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A household. `guardian` is the index in `kin` of who looks after the children now; `region` has 12 digits."""

    number: int
    edge: Edge
    children: tuple[Individual, ...]
    kin: tuple[Individual, ...]
    guardian: int
    region: str
    address: str
    school_code: str
    school_name: str

    @property
    def child(self) -> Individual:
        return self.children[0]


_SURNAMES = "李王张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = ("小", "安", "宁", "晨", "晓", "乐", "思", "明", "佳", "雨")
_RARE_NAMES = ("𠮷测䶮", "㑇测𬀩", "䢺测丨", "王测𫖯")
_RELATIONS = {"51": ("1", 28), "52": ("2", 26), "61": ("1", 54), "62": ("2", 52)}
_TOWNS = ("440113102005", "440113103001", "440113104012", "440113105007")


def citizen_id(born: date, order: int, sex: str) -> str:
    """A number with the area prefix 999999 and a valid check digit. `order` 0 to 499; the sex gives its parity."""
    first17 = f"{PREFIX}{born:%Y%m%d}{order * 2 + (sex == '1'):03d}"
    return first17 + check_digit(first17)


def small_x(born: date, order: int, sex: str) -> str:
    """The next number of that birth date and sex whose check digit is X, written as x."""
    numbers = (citizen_id(born, (order + step) % 500, sex) for step in range(500))
    return next(number for number in numbers if number.endswith("X")).lower()


def wrong_digit(number: str) -> str:
    """The number with its 17th digit two further, so that the sex stays and the check digit no longer holds."""
    return f"{number[:16]}{(int(number[16]) + 2) % 10}{number[17:]}"


def full_width(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


def as_float(number: str) -> str:
    """What a spreadsheet shows for eighteen digits: 9.99999E+17 and the like."""
    return f"{float(number[:17]) * 10:.5E}"


def make_family(seed: int, number: int, edge: Edge, foundling: bool = False) -> Family:
    """The family of case `number` under `seed`. A `foundling` has no kin, no name and no document."""
    rng = random.Random(f"hutong:{seed}:{number}")  # noqa: S311 - repeatable, and nothing here is secret
    region = rng.choice(_TOWNS)
    town = f"测试镇{rng.randint(1, 60)}村"
    if foundling:
        child = Individual(name="", sex=rng.choice("12"), age=rng.choice(("约2岁", "2岁半", "约3")))
        return Family(number, edge, (child,), (), 0, region, town, "", "")
    surname = rng.choice(_SURNAMES)
    children = _children(rng, surname, edge)
    kin = tuple(_relative(rng, surname, relation) for relation in ("51", "52", rng.choice(("61", "62"))))
    return Family(
        number=number,
        edge=edge,
        children=children,
        kin=kin,
        guardian=rng.choice((0, 1, 2)),
        region=region,
        address=f"{town}测试路{rng.randint(1, 400)}号",
        school_code=f"31440{rng.randint(10_000, 99_999)}",
        school_name=f"测试{rng.choice(('一', '二', '三'))}小学",
    )


def _children(rng: random.Random, surname: str, edge: Edge) -> tuple[Individual, ...]:
    born = TODAY - timedelta(days=rng.randint(7 * 365, 13 * 365))
    first = _child(rng, surname, born)
    match edge:
        case Edge.TWINS:
            order = int(first.id_no[14:17]) // 2
            twin = citizen_id(born, (order + 1) % 500, first.sex)
            return (first, replace(first, name=f"{surname}{rng.choice(_GIVEN)}测双", id_no=wrong_digit(twin)))
        case Edge.SEVERAL:
            others = [_child(rng, surname, born + timedelta(days=500 * n)) for n in range(1, rng.randint(2, 4))]
            return (first, *others)
        case Edge.SMALL_X:
            return (replace(first, id_no=small_x(born, int(first.id_no[14:17]) // 2, first.sex)),)
        case Edge.RARE_CHARACTERS:
            return (replace(first, name=rng.choice(_RARE_NAMES)),)
        case Edge.FULL_WIDTH:
            return (replace(first, id_no=full_width(first.id_no)),)
        case Edge.HALF_AGE:
            return (replace(first, id_no="", born="", age=f"{_years(born)}岁半"),)
        case Edge.ABOUT_AGE:
            return (replace(first, id_no="", born="", age=f"约{_years(born)}"),)
        case Edge.RUINED:
            return (replace(first, id_no=as_float(first.id_no)),)
        case Edge.PARTIAL_DATE:
            return (replace(first, id_no="", born=first.born[: rng.choice((4, 7))]),)
        case Edge.NO_DOCUMENT:
            return (replace(first, id_no=""),)
        case Edge.ALIAS:
            return (replace(first, name="", alias=f"小测{rng.randint(1, 99)}", id_no=""),)
        case _:
            return (first,)


def _child(rng: random.Random, surname: str, born: date) -> Individual:
    sex = rng.choice("12")
    return Individual(
        name=f"{surname}{rng.choice(_GIVEN)}测",
        sex=sex,
        id_no=citizen_id(born, rng.randrange(500), sex),
        born=str(born),
    )


def _relative(rng: random.Random, surname: str, relation: str) -> Individual:
    sex, gap = _RELATIONS[relation]
    born = TODAY - timedelta(days=(gap + rng.randint(6, 14)) * 365 + rng.randrange(365))
    name = surname if relation in ("51", "61") else rng.choice(_SURNAMES)
    return Individual(
        name=f"{name}测{rng.choice('甲乙丙丁戊己')}",
        sex=sex,
        id_no=citizen_id(born, rng.randrange(500), sex),
        born=str(born),
        relation=relation,
        phone=f"1000000{rng.randrange(10_000):04d}",
    )


def _years(born: date) -> int:
    return (TODAY - born).days // 365


def with_state(family: Family, relation: str, state: str) -> Family:
    """The same family with one relative in another state (服刑, 失踪 ...)."""
    kin: Sequence[Individual] = [replace(one, state=state) if one.relation == relation else one for one in family.kin]
    return replace(family, kin=tuple(kin))
