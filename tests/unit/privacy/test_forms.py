"""Each kind's coarse and partial forms, on ordinary and on hostile values."""

from __future__ import annotations

import json
from datetime import date

import pytest

from gateway.model.access import PRESETS, Facet
from gateway.model.fields import FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId
from gateway.privacy.forms import KINDS, allowed, coarse_table, form_name, kind_of
from gateway.privacy.gaps import NoForm
from gateway.privacy.numbers import mask_account, mask_id_no, mask_phone, mask_student_no
from gateway.privacy.places import county_of, township_of, unit_of_county
from gateway.privacy.surnames import COMPOUND_SURNAMES, SINGLE_SURNAMES, mask_name
from gateway.privacy.times import age_band, band_of_years, month_of_date, month_of_instant
from tests.support.samples import needs_samples, sample_files

AS_OF = date(2026, 3, 1)
HOSTILE = [
    None,
    True,
    False,
    0,
    -1,
    2**70,
    1.5,
    "",
    [],
    {},
    [None],
    {"years": "x"},
    {"years": True},
    ["x", 1],
    "\ud800",
    "0" * 9999,
]


def spec(path: str, kind: str) -> FieldSpec:
    return FieldSpec(FieldId("x.y"), path, kind, SensitivityClass.S3, "字段")


@pytest.mark.parametrize(
    ("name", "mask"),
    [("李小测", "李某"), ("李测", "李某"), ("欧阳测试", "欧阳某"), ("欧阳测", "欧阳某"), ("司马测", "司马某")],
)
def test_a_name_shows_its_surname_and_a_fixed_sign(name: str, mask: str):
    assert mask_name(name) == mask


@pytest.mark.parametrize(
    "name",
    ["", "李", "欧阳", "阿依古丽", "古丽娜尔", "买买提·吐尔逊", "Smith", "李 测", "扎西", "李小测试", "李1", "😀😀"],
)
def test_a_name_whose_surname_cannot_be_told_shows_nothing(name: str):
    assert mask_name(name) is None


def test_no_compound_surname_begins_a_mask_of_its_first_character_alone():
    for surname in COMPOUND_SURNAMES:
        assert mask_name(surname + "测") == surname + "某"
        assert mask_name(surname + "测试") == surname + "某"


@pytest.mark.samples
@needs_samples
def test_a_thousand_surnames_never_show_a_given_name_character():
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(sample_files("names", "*.xlsx")[0], read_only=True).worksheets[0]
    surnames = {
        cell.strip()
        for row in sheet.iter_rows(values_only=True)
        for cell in row
        if isinstance(cell, str)
        and 1 <= len(cell.strip()) <= 2
        and all("\u4e00" <= c <= "\u9fff" for c in cell.strip())
    }
    assert len(surnames) > 900
    shown = 0
    for surname in surnames:
        mask = mask_name(surname + "龘")
        if len(surname) == 1:
            assert mask in (None, surname + "某")
        elif mask is not None:  # a compound the table lacks may pass for a single surname and a given name
            assert mask in (surname + "某", surname[0] + "某")
        shown += mask is not None
    assert shown > 400


def test_masks_have_one_length_and_cannot_pass_for_a_number():
    assert mask_id_no("999999201503010016") == "99" + "*" * 16
    assert mask_student_no("G999999201503010016") == "*99" + "*" * 16
    assert mask_phone("13800138000") == mask_phone("+86 138-0013-8000") == "138******00"
    assert mask_phone("020-84621234") == "020******34"
    assert mask_account("6222 0000 0000 1234") == "*" * 12 + "1234"


@pytest.mark.parametrize(
    "value", ["", "1234", "110", "x" * 18, "１２３４５６７８９０１２３４５６７８", "99999920150301001", "😀" * 18]
)
def test_too_short_or_foreign_numbers_have_no_mask(value: str):
    assert mask_id_no(value) is None
    assert mask_student_no(value) is None
    assert mask_phone(value) is None
    assert mask_account(value) is None or len(value) >= 12


def test_a_student_number_shows_no_more_than_its_identity_number():
    shown_of_id = (mask_id_no("999999201503010016") or "").strip("*")
    assert (mask_student_no("G999999201503010016") or "").strip("*") == shown_of_id


def test_bands_follow_the_legal_thresholds():
    bands = [band_of_years(years) for years in (0, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 130)]
    assert bands == ["0-2", "0-2", "3-5", "3-5", "6-7", "6-7", "8-11", "8-11", "12-13", "12-13", "14-15", "14-15", "16-17", "16-17", "18+", "18+"]  # fmt: skip
    assert band_of_years(-1) is None
    assert band_of_years(131) is None


@pytest.mark.parametrize(
    ("birth", "band"),
    [
        ("2012-03-01", "14-15"),
        ("2012-03-02", "12-13"),
        ("2008-03-02", "16-17"),
        ("2008-02-29", "18+"),
        ("2012-03", NoForm.COARSER_UNKNOWN),
        ("2012-02", "14-15"),
        ("2016", "8-11"),
        ("2012", NoForm.COARSER_UNKNOWN),
        ("2026-02", "0-2"),
        ("2026-03-02", NoForm.WRONG),
        ("2027", NoForm.WRONG),
        ("1890-01-01", NoForm.WRONG),
        ("2015-02-30", NoForm.WRONG),
        ("20150301", NoForm.WRONG),
        ("２０１５-03-01", NoForm.WRONG),
        ("", NoForm.WRONG),
    ],
)
def test_a_birth_date_becomes_a_band_only_where_the_band_is_certain(birth: str, band: object):
    assert age_band(birth, AS_OF) == band


def test_months_are_those_of_beijing():
    assert month_of_instant("2026-03-31T20:00:00Z") == "2026-04"
    assert month_of_instant("2026-03-31T20:00:00.123456789+08:00") == "2026-03"
    assert month_of_instant("2026-03-31") == "2026-03"
    assert month_of_date("2026") is NoForm.COARSER_UNKNOWN
    for wrong in (
        "2026-13",
        "2026-03-31T25:00:00+08:00",
        "yesterday",
        "2026-03-31 20:00:00",
        "0001-01-01T00:00:00+23:59",
    ):
        assert month_of_instant(wrong) is NoForm.WRONG


def test_regions_generalise_by_their_own_digits():
    assert (county_of("440113001001"), township_of("440113001001"), township_of("440113")) == (
        "440113",
        "440113001",
        "440113",
    )
    assert county_of("4401") is None
    assert unit_of_county("police.440113001.station") == "police.440113"
    assert unit_of_county("番禺区某派出所") is None


def test_presence_is_all_a_boolean_has_below_full():
    boolean = KINDS["boolean"]
    for preset in ("presence", "generalise", "mask", "pseudonym", "relay", "summary"):
        assert allowed(PRESETS[preset], boolean) == Facet.EXISTS


def test_no_kind_shows_a_facet_that_was_not_granted():
    for kind in KINDS.values():
        for bits in range(128):
            shown = Facet(bits)
            got = allowed(shown, kind)
            assert got & ~kind.facets == Facet.NOTHING
            if not shown & Facet.FULL:
                assert got & ~shown == Facet.NOTHING


def test_low_cardinality_kinds_have_no_pseudonym():
    linkable = {kind.name for kind in KINDS.values() if kind.facets & Facet.LINKABLE}
    assert linkable == {"name", "alias", "id_no", "student_no", "phone", "key", "file_no"}


def test_an_unknown_kind_shows_nothing():
    assert allowed(PRESETS["clear"], kind_of(spec("x.y", "hologram"), has_table=True)) == Facet.NOTHING


def test_a_diagnosis_has_one_fixed_coarse_form():
    kind = kind_of(spec("harm.injury.codes", "codes"), has_table=False)
    assert kind.generalise is not None
    assert (
        kind.generalise(["S06.0"], {}, AS_OF)
        == kind.generalise(["T74.1", "S52"], {}, AS_OF)
        == ["needs-medical-follow-up"]
    )


def test_form_names_say_what_is_there():
    assert form_name(Facet.EXISTS) == "exists"
    assert form_name(Facet.EXISTS | Facet.COARSE | Facet.LINKABLE) == "coarse+linkable"
    assert form_name(PRESETS["clear"]) == "full"


def _forms_of(value: object) -> None:
    for kind in KINDS.values():
        fitted = kind_of(spec("x.birth_date" if kind.name == "date" else "x.y", kind.name), has_table=True)
        if fitted.fits(value):
            for form in (
                fitted.generalise(value, {"a": "b"}, AS_OF) if fitted.generalise else NoForm.WRONG,
                fitted.mask(value) if fitted.mask else NoForm.WRONG,
            ):
                assert isinstance(form, str | list | NoForm)
                if isinstance(form, str) and kind.name not in ("age_band", "region"):
                    assert form != value


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_every_form_is_total_on_hostile_values(value: object):
    _forms_of(value)


@pytest.mark.samples
@needs_samples
def test_every_form_is_total_on_naughty_strings():
    naughty: list[str] = json.loads(sample_files("hostile/strings", "blns.json")[0].read_text(encoding="utf-8"))
    for file in sample_files("hostile/strings", "*.txt"):
        naughty.extend(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    assert len(naughty) > 500
    for value in naughty:
        _forms_of(value)


def test_both_tables_of_surnames_hold_only_chinese_characters():
    assert all(len(one) == 1 and not one.isascii() for one in SINGLE_SURNAMES)
    assert all(len(one) == 2 and not one.isascii() for one in COMPOUND_SURNAMES)


def test_a_code_generalises_to_its_topmost_parent_and_a_flat_table_to_nothing():
    assert coarse_table({"H2": None, "H21": "H2", "H211": "H21"}) == {"H2": "H2", "H21": "H2", "H211": "H2"}
    assert coarse_table({"1": None, "2": None}) == {}
    assert set(coarse_table({"a": "b", "b": "a"})) == {"a", "b"}
