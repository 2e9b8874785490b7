"""How does each kind of field look at each facet?

A table of kinds (`x-kind`). For each it says which facets the kind has, which JSON values fit it, and how the coarse
and partial forms are computed. Both are functions of the full value alone (with the code table and the notice's
fixed `as_of` date), so nothing they show depends on another field. A facet that a kind lacks gives the next smaller
set, never a larger one: asking to mask a region without townships shows what coarse would, asking to generalise a
sex shows that there is one.

`docs/release-format.md` shows every form as a recipient sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.model.access import Facet
from gateway.model.fields import FieldSpec
from gateway.privacy.gaps import NoForm
from gateway.privacy.numbers import mask_account, mask_id_no, mask_phone, mask_student_no
from gateway.privacy.places import county_of, township_of, unit_of_county
from gateway.privacy.surnames import mask_name
from gateway.privacy.times import AGE_BANDS, age_band, band_of_years, month_of_date, month_of_instant

# code -> its coarse code (a top-level code stands for itself), for one code table
CodeTable = Mapping[str, str]
Form = str | list[str] | dict[str, str] | NoForm
Generalise = Callable[[Any, CodeTable, date], Form]
Mask = Callable[[Any], Form]

EXISTS_AND_FULL = Facet.EXISTS | Facet.FULL
LARGEST_INTEGER = 2**53

# Where the coarse form of a field is not a form of the same thing and so stands under another name beside it.
COARSE_MEMBER: Mapping[str, str] = {"birth_date": "age_band", "age": "age_band"}

# Diagnoses have one fixed coded form each, whatever the codes are (DOMAIN 4.2); none of these is a code of a table.
FIXED_CODED_FORMS: Mapping[str, str] = {
    "harm.injury.codes": "needs-medical-follow-up",
    "persons[].mental_health": "needs-support",
    "persons[].health_status": "needs-medical-follow-up",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """`facets` are those the kind has in itself; `with_table` adds what a code table makes possible."""

    name: str
    facets: Facet
    fits: Callable[[Any], bool]
    generalise: Generalise | None = None
    mask: Mask | None = None
    needs_table: bool = False
    whole: Callable[[Any], Any] | None = None  # full form of a composite value: its known members alone

    @property
    def only_type(self) -> type[Any] | None:
        """The one JSON type of all values that fit, where it alone decides."""
        return str if self.fits is _is_text else bool if self.fits is _is_boolean else None


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_boolean(value: Any) -> bool:
    return type(value) is bool


def _is_integer(value: Any) -> bool:
    return type(value) is int and -LARGEST_INTEGER < value < LARGEST_INTEGER


def _is_text_or_integer(value: Any) -> bool:
    return type(value) is str or (type(value) is int and -LARGEST_INTEGER < value < LARGEST_INTEGER)


def _is_texts(value: Any) -> bool:
    if type(value) is not list:
        return False
    for element in value:  # noqa: SIM110 - a loop costs half of what `all` does on short lists
        if type(element) is not str:
            return False
    return True


def is_text_or_texts(value: Any) -> bool:
    return type(value) is str or _is_texts(value)


def _is_scalar_or_texts(value: Any) -> bool:
    return _is_text_or_integer(value) or type(value) is bool or _is_texts(value)


_AGE_MEMBERS = ("years", "months", "approximate")


def _is_age(value: Any) -> bool:
    return type(value) is dict and _is_integer(value.get("years"))


def _whole_age(value: Any) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name in _AGE_MEMBERS and type(one) in (int, bool)}


def _or_no_form(form: str | None) -> Form:
    return NoForm.COARSER_UNKNOWN if form is None else form


def _or_wrong(form: str | None) -> Form:
    return NoForm.WRONG if form is None else form


def _coarse_code(value: Any, table: CodeTable, as_of: date) -> Form:
    return _or_wrong(table.get(str(value)))


def _coarse_codes(value: Any, table: CodeTable, as_of: date) -> Form:
    """The distinct coarse codes in code order: neither how many there were nor their order is told."""
    if type(value) is str:
        return _coarse_code(value, table, as_of)
    coarse = [table.get(code) for code in value]
    if not coarse:
        return NoForm.COARSER_UNKNOWN
    return NoForm.WRONG if None in coarse else sorted({code for code in coarse if code is not None})


def _coarse_level(value: Any, table: CodeTable, as_of: date) -> Form:
    return _or_no_form({"R1": "R1-R2", "R2": "R1-R2", "R3": "R3-R4", "R4": "R3-R4"}.get(str(value)))


def _coarse_age(value: Any, table: CodeTable, as_of: date) -> Form:
    return _or_wrong(band_of_years(value["years"]))


def _coarse_band(value: Any, table: CodeTable, as_of: date) -> Form:
    return value if value in AGE_BANDS else NoForm.WRONG


_L, _C, _P, _R, _S = Facet.LINKABLE, Facet.COARSE, Facet.PARTIAL, Facet.RELAY, Facet.SUMMARY
_BASE = EXISTS_AND_FULL

_KINDS: tuple[Kind, ...] = (
    Kind("meta", _BASE, _is_scalar_or_texts),
    Kind("text", _BASE | _S, _is_text),
    Kind("summary_text", _BASE, _is_text),
    Kind("name", _BASE | _L | _P | _R, _is_text, mask=lambda value: _or_no_form(mask_name(value))),
    Kind("alias", _BASE | _L, _is_text),
    Kind("id_type", _BASE, _is_text),
    Kind("id_no", _BASE | _L | _P, _is_text, mask=lambda value: _or_no_form(mask_id_no(value))),
    Kind("student_no", _BASE | _L | _P, _is_text, mask=lambda value: _or_no_form(mask_student_no(value))),
    Kind("sex", _BASE, _is_text),
    Kind("date", _BASE | _C, _is_text, lambda value, table, as_of: month_of_date(value)),
    Kind("month", _BASE, _is_text),
    Kind("datetime", _BASE | _C, _is_text, lambda value, table, as_of: month_of_instant(value)),
    Kind("age", _BASE | _C, _is_age, _coarse_age, whole=_whole_age),
    Kind("age_band", _BASE | _C, _is_text, _coarse_band),
    Kind("ethnicity", _BASE, _is_text),
    Kind(
        "region",
        _BASE | _C | _P,
        _is_text,
        lambda value, table, as_of: _or_wrong(county_of(value)),
        lambda value: _or_wrong(township_of(value)),
    ),
    Kind("address", _BASE | _R, _is_text),
    Kind("place", _BASE | _R, _is_text),
    Kind("phone", _BASE | _L | _P | _R, _is_text, mask=lambda value: _or_no_form(mask_phone(value))),
    Kind("school", _BASE | _C, _is_text, _coarse_code, needs_table=True),
    Kind("grade", _BASE | _C, _is_text_or_integer, _coarse_code, needs_table=True),
    Kind("code", _BASE | _C, _is_text, _coarse_code, needs_table=True),
    Kind("codes", _BASE | _C, is_text_or_texts, _coarse_codes, needs_table=True),
    Kind("level", _BASE | _C, _is_text_or_integer, _coarse_level),
    Kind("status", _BASE | _C, _is_text, _coarse_code, needs_table=True),
    Kind("boolean", _BASE, _is_boolean),
    # A key or a handle as the sender wrote it could be joined between recipients, so it has no full form.
    Kind("key", Facet.EXISTS | _L, _is_text),
    Kind("handle", Facet.EXISTS | _R, is_text_or_texts),
    Kind("unit", _BASE | _C | _R, _is_text, lambda value, table, as_of: _or_no_form(unit_of_county(value))),
    Kind("file_no", _BASE | _L, _is_text),
    Kind("account", _BASE | _P, _is_text, mask=lambda value: _or_no_form(mask_account(value))),
    Kind("digest", _BASE, _is_text),
    Kind("attachment", _BASE, _is_text),
    Kind("evidence", _BASE, _is_text),
    Kind("count", _BASE, _is_integer),
    Kind("number", _BASE, _is_integer),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
_UNKNOWN_KIND = Kind("unknown", Facet.NOTHING, lambda value: False)


def kind_of(spec: FieldSpec, has_table: bool) -> Kind:
    """The kind of one field: with its fixed coded form where it is a diagnosis, without coarse where no table helps.

    A kind that this table lacks has no facets at all: nothing of the field is ever shown.
    """
    kind = KINDS.get(spec.kind, _UNKNOWN_KIND)
    fixed = FIXED_CODED_FORMS.get(spec.path)
    if fixed is not None:
        in_list = kind.name == "codes"
        form: Callable[[Any], Form] = lambda value: [fixed] if in_list and type(value) is list else fixed  # noqa: E731
        return Kind(
            kind.name,
            kind.facets | Facet.COARSE,
            kind.fits,
            lambda value, table, as_of: form(value) if value else NoForm.COARSER_UNKNOWN,
        )
    if spec.kind == "date" and spec.path.rpartition(".")[2] == "birth_date":
        return Kind(kind.name, kind.facets, kind.fits, lambda value, table, as_of: age_band(value, as_of))
    if kind.needs_table and not has_table:
        return Kind(kind.name, kind.facets & ~Facet.COARSE, kind.fits)
    return kind


def allowed(shown: Facet, kind: Kind) -> Facet:
    """What of `shown` this kind has. Full takes all else in; partial is finer than coarse; existence always remains."""
    if not shown & Facet.EXISTS or not kind.facets:
        return Facet.NOTHING
    if shown & kind.facets & Facet.FULL:
        return Facet.EXISTS | Facet.FULL
    if shown & Facet.FULL and not kind.facets & Facet.FULL:
        shown |= kind.facets
    if shown & Facet.PARTIAL and kind.facets & Facet.PARTIAL:
        shown &= ~Facet.COARSE
    return shown & kind.facets


def coarse_table(parents: Mapping[str, str | None]) -> CodeTable:
    """A code table for generalising from each code's parent: every code with its topmost ancestor, itself at the top.

    Empty where no code has a parent: then there is nothing coarser to say. A circle ends at the code it began with.
    """
    if not any(parents.values()):
        return {}
    table = {}
    for code in parents:
        top, seen = code, {code}
        while (above := parents.get(top)) is not None and above not in seen:
            top = above
            seen.add(top)
        table[code] = top
    return table


_FORM_NAMES: tuple[tuple[Facet, str], ...] = (
    (Facet.COARSE, "coarse"),
    (Facet.PARTIAL, "partial"),
    (Facet.LINKABLE, "linkable"),
    (Facet.RELAY, "relay"),
    (Facet.SUMMARY, "summary"),
)


def form_name(shown: Facet) -> str:
    """`full`, `exists`, or the weaker facets joined by `+`, as `_disclosure` says it."""
    if shown & Facet.FULL:
        return "full"
    return "+".join(name for facet, name in _FORM_NAMES if shown & facet) or "exists"
