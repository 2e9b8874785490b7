"""Which row of a sheet holds its headings, and what does each of its columns say?

The heading row is the first with enough headings that the mapping knows; title rows above it are passed over. Many forms
have two lines of headings: 监护人信息 over 姓名, 关系 and 联系电话. Then a column says both, 监护人姓名, and never the lower
word alone, which would make the guardian the child. A second 姓名 without a word above it is somebody else, so what stands
right of it is nobody's: it is named, and not read as the child's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

EXTENSION = "扩展"
PREFIX = EXTENSION + ":"
_SURELY = 5  # as many known headings, a child's name among them, are no record, whatever else there are columns for
_MARKS = re.compile(r"[\s*★▲※]+")
# What a form says of how to fill a column in, and never of whom but the child: `身份证号(18位)` is one, `姓名(父亲)` is none.
_HINT = re.compile(
    r"\((?:学生|儿童|幼儿|未成年人|本人|[^()]*(?:必填|选填|必录|可选|填写(?!人)|格式|曾用名|全名|汉字|中文|户口|身份证|下拉|选择|单选|文本|岁|[0-9]+位|yyyy)[^()]*|[例如][^()]*)\)",
    re.IGNORECASE,
)
_MOST_COLUMNS = 512  # of a form that people fill in
_BARE_NAME = "姓名"
_GENERAL = re.compile(r"(?:的?(?:基本|基础|详细)?(?:信息|情况|资料|概况)|基本|基础)$")
_CHILD = frozenset(
    {"", "学生", "儿童", "幼儿", "未成年人", "本人", "个人", "被监护人", "留守儿童", "困境儿童", "农村留守儿童", "孤儿"}
)
_FAMILY = frozenset({"家庭", "家庭成员", "家庭主要成员", "亲属"})
# A column that names a person whom no rule knows.
_SOMEBODY = re.compile(
    r"(?!是否|有无|与|曾).*(?:姓名|名字|户主|家长|父亲|母亲|父母|配偶|家庭成员|主任|校长|园长|教师|老师|社工|民警|干部|对象|组长|书记|"
    r"[^本]人|人员|[辅网]导?[导格]员)(?:\(.*\))?"
)
# A title of a table of other people than children. Joined by a word, it is one of both.
_WHO = (
    "(?:监护人|家长|父母|家庭主?要?成员|教师|老师|教职工|教职员工?|职工|员工|干部|户主|志愿者|社工|工作人员|联系人|帮扶人)"
    "(?:基本|基础|详细)?(?:信息|情况|资料)?"
)
_OTHERS = re.compile(
    rf"(?:^|[^及其和与同、/\-—]){_WHO}(?:登记|花名|统计|汇总|一览|采集|调查)?(?:表|册|名单|名册|台账|档案)|^{_WHO}$"
)
_NUMBERING = re.compile(r"[(（]?[一二三四五六七八九十0-9]{1,3}[)）]?[、.．]?")
# What no heading says: a sex, a date, a number of a person or a telephone.
_DATUM = re.compile(r"男|女|[0-9]{4}[-/.年][0-9]{1,2}\b.*|[0-9]{8,}[xX]?")


def heading(text: str) -> str:
    """One spelling of a heading: half width, without blanks, line breaks, and marks for required columns."""
    plain = unicodedata.normalize("NFKC", text)
    return _MARKS.sub("", plain).removeprefix("\ufeff").rstrip(":")


class Doubtful(str):
    """The heading of a column that does not say whose it is."""


@dataclass(frozen=True)
class Vocabulary:
    """The headings that a mapping knows. `naming`: those of a child's name; `personal`: all that tell of the child; `others`:
    those that name somebody else; `shared`: those of `personal` that anybody may have; `coded`: those of a code, a 是 or a 否,
    which a list of codes has as well; `examples`: what a register begins with."""

    known: frozenset[str]
    naming: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    coded: frozenset[str] = frozenset()
    examples: Sequence[str] = field(default=())

    def __contains__(self, name: str) -> bool:
        return name in self.known or name.startswith(PREFIX)

    @cached_property
    def _starts(self) -> frozenset[str]:
        return frozenset(name[0] for name in (*self.known, EXTENSION))

    @cached_property
    def _are_plain(self) -> bool:
        """No heading begins with what an ASCII letter and a mark after it are folded to."""
        return all(start.isascii() or "\u4e00" <= start <= "\u9fff" for start in self._starts)

    def _may_be_one(self, cell: str) -> bool:
        """Most cells are told from a heading by their first character, as long as folding does not change it."""
        start = cell[:1]
        is_kept = "\u4e00" <= start <= "\u9fff" or (start.isascii() and start.isalnum() and self._are_plain)
        return start in self._starts or not is_kept

    def may_begin(self, cell: str) -> bool:
        return self._may_be_one(cell) and self.name(cell) in self.known

    def said_by(self, cells: Sequence[str]) -> set[str]:
        """The known headings among cells, of which most may be no headings."""
        return {name for cell in cells if cell and self._may_be_one(cell) and (name := self.name(cell)) in self}

    def name(self, cell: str) -> str:
        """The heading a cell says, without hints on how to fill the column in where it is known without them."""
        whole = heading(cell)
        if whole in self.known or "(" not in whole:
            return whole
        bare = _HINT.sub("", whole).rstrip(":")
        return bare if bare in self.known else whole

    def line(self, cells: Sequence[str]) -> list[str]:
        return [self.name(cell) if cell else "" for cell in cells]

    def knows(self, names: Sequence[str]) -> set[str]:
        return {name for name in names if name in self}

    def are_headings(self, names: Sequence[str], is_grouped: bool = False) -> bool:
        """Enough known headings for a record, and not codes alone: a sheet that lists what 性别 and 民族 may say has no people.

        Columns of nobody knows whom make no record, and what stands beside its value is a form for one person.
        """
        known = self.knows(names)
        if len(known) < 2 or known <= self.coded or self.holds_values(names):
            return False
        if not self.say_whose(names):
            return False
        enough = 2 if is_grouped else _SURELY  # a row that groups them is no record's
        return (len(known) >= enough and not self.naming.isdisjoint(names)) or len(known) * 2 >= sum(map(bool, names))

    def say_whose(self, names: Sequence[str]) -> bool:
        """Whether some of the columns are certainly those of a child, or of the notice."""
        certain = {name for name in self.settled(names) if name in self and not isinstance(name, Doubtful)}
        return len(certain) > 1 or not certain.isdisjoint(self.naming)

    def holds_values(self, names: Sequence[str]) -> bool:
        return any(_DATUM.fullmatch(name) for name in names)

    def are_values(self, cells: Sequence[str]) -> bool:
        """Whether cells say more of somebody than a title, a date or who fills the form in."""
        return sum(1 for cell in cells if cell and _DATUM.fullmatch(cell.strip())) > 1

    def begin_other_table(self, cells: Sequence[str], names: Sequence[str]) -> bool:
        """Whether a row below the headings of a register has headings of a table that is none."""
        known = self.knows(names)
        return len(known) > 1 and not known.isdisjoint(self.shared | self.naming) and not self.holds_values(names)

    def are_of_others(self, titles: Sequence[str], names: Sequence[str]) -> bool:
        """Whether a plain 姓名 is that of a teacher or a guardian by what stands above the headings."""
        named = [name for name in names if name in self.naming or self._names_other(name)]
        return named == [_BARE_NAME] and any(_OTHERS.search(_bare(title)) for title in titles)

    def _names_other(self, name: str) -> bool:
        return name in self.others or (name not in self.known and _SOMEBODY.fullmatch(name) is not None)

    def below(self, groups: Sequence[str], names: Sequence[str]) -> list[str] | None:
        """The headings of a row under a row that groups them; None where that row is no such one, as a title."""
        if len(names) > _MOST_COLUMNS or self.holds_values(groups):
            return None
        is_one = names.count(_BARE_NAME) > 1 and sum(1 for label in groups if label and ":" not in label) > 1
        is_one = is_one or any(sub and label and self._is_group(label, sub) for label, sub in _pairs(groups, names))
        return self._joined(groups, names) if is_one else None

    def second_line(self, names: Sequence[str], cells: Sequence[str]) -> list[str] | None:
        """The headings of both lines, where this row below the heading row goes on with it; None where it is a record."""
        if len(cells) > _MOST_COLUMNS:
            return None
        lower = self.line(cells)
        wide = max(len(names), len(lower))
        upper = [*names, *[""] * (wide - len(names))]
        lower += [""] * (wide - len(lower))
        is_more = is_known = False
        for index, (label, sub) in enumerate(_pairs(upper, lower)):
            own = upper[index]
            if not sub or sub == own:
                continue
            is_spread = not own or own in (upper[index - 1 : index] + upper[index + 1 : index + 2])
            begins = index + 1 < wide and not upper[index + 1] and bool(lower[index + 1])
            if not label or not (is_spread or begins):
                return None
            is_more = True
            is_known = is_known or sub in self.known or self._resolved(label, sub) in self.known
        return self._joined(upper, lower) if is_more and is_known else None

    def _joined(self, upper: Sequence[str], lower: Sequence[str]) -> list[str]:
        wide = max(len(upper), len(lower))
        upper, lower = [*upper, *[""] * (wide - len(upper))], [*lower, *[""] * (wide - len(lower))]
        out = []
        for own, (label, sub) in zip(upper, _pairs(upper, lower), strict=True):
            out.append(own if not sub or sub == own else self._resolved(label, sub) if label else sub)
        return out

    def _is_group(self, label: str, sub: str) -> bool:
        about, joined = _about(label), self._resolved(label, sub)
        return ":" not in label and (sub in self if about in _CHILD else joined != sub and joined in self)

    def _resolved(self, label: str, sub: str) -> str:
        """What a column says under the word that groups it. A pair that is not known stays one, whatever `sub` says alone."""
        about = _about(label)
        if ":" in label:
            return sub  # 单位:某某小学 groups nothing
        for joined in (label + sub, about + sub):
            if joined in self.known:
                return joined
        if sub in self.personal and sub not in self.shared and sub != _BARE_NAME:
            return sub  # 学生姓名, 年级: says by itself whose it is
        if about in _CHILD or (about in _FAMILY and sub not in self.known):
            return sub
        return label + sub

    def settled(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns as they are read; Doubtful where it is not said whose they are.

        A second name, or a plain 姓名 beside 学生姓名, is that of somebody else, as is a plain 身份证号 beside 学生身份证号: what
        tells of a person from such a name to the next tells of nobody known. So does what anybody has (身份证号, 联系电话) right
        of 监护人姓名 or 班主任, up to what only a child has (学籍号), and all of it where no column names a child.
        """
        own = {name.removeprefix(word) for word in _CHILD if word for name in names if name.startswith(word)}
        has_own = any(name in self.naming and name != _BARE_NAME for name in names)
        seen: set[str] = set()
        is_named = is_other = False
        doubted: frozenset[str] = frozenset()
        out = []
        for name in names:
            if name in self.naming:
                is_other = name in seen or (has_own and name == _BARE_NAME)
                is_named = is_named or not is_other
                doubted = self.personal if is_other else frozenset()
            elif self._names_other(name):
                doubted = self.shared if is_named and not is_other else self.personal
            elif is_named and not is_other and name in self.personal and name not in self.shared:
                doubted = frozenset()
            is_doubtful = name in doubted or (name in own and name in self.personal)
            said = f"{name}(2)" if is_doubtful and name in seen else name
            out.append(Doubtful(said) if is_doubtful else name)
            seen.add(name)
        return tuple(out)


def _bare(title: str) -> str:
    """A title without blanks and the number it has."""
    plain = heading(title)
    numbered = _NUMBERING.match(plain)
    return plain[numbered.end() :] if numbered else plain


def _about(label: str) -> str:
    about = label
    while (shorter := _GENERAL.sub("", about)) != about:
        about = shorter
    return about


def _pairs(upper: Sequence[str], lower: Sequence[str]) -> Iterator[tuple[str, str]]:
    """For each column the last word above it or left of that, and its own."""
    label = ""
    for index in range(max(len(upper), len(lower))):
        label = (upper[index] if index < len(upper) else "") or label
        yield label, lower[index] if index < len(lower) else ""
