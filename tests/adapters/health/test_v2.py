"""HL7 v2 as hospitals of several countries write it: shapes of public messages, with people that nobody is."""

from __future__ import annotations

import time
from datetime import date

import pytest

from adapters.health import ADAPTER
from gateway.engines.files.documents import default_rules
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from gateway.validation.validate import validate
from tests.adapters.builders import office

V2 = "application/hl7-v2"
HEAD = "MSH|^~\\&|HIS||ESB||20261101103020||ADT^A01|4|P|2.4|||AL|AL|CHN"
PID = "PID|1||7^^^^PI||李小测||20190425|M"


def decode(*segments: str, charset: str = "utf-8") -> SubmittedNotice | RefusedItem:
    (item,) = ADAPTER.decode("\r".join(segments).encode(charset), V2, office("health"), {}).items
    return item


def one(*segments: str, charset: str = "utf-8") -> SubmittedNotice:
    item = decode(*segments, charset=charset)
    assert isinstance(item, SubmittedNotice), item
    return item


def person(item: SubmittedNotice, number: int = 0) -> dict:
    return item.data["persons"][number]


def gaps(item: SubmittedNotice) -> set[tuple[str, str]]:
    return {(gap.code, gap.position) for gap in item.gaps}


# --- a code never travels without its table ---


@pytest.mark.parametrize(
    ("said", "relation", "is_conflict"),
    [
        ("21^其他", "80", True),  # a hospital's own 21, which is an only son to GB/T 4761
        ("21^其他^GB/T4761", "21", True),
        ("52^母亲", "52", False),
        ("50^母亲", "50", False),  # a parent, and which one
        ("FTH^Father^HL70063", "51", False),
        ("^母亲", "52", False),
        ("X^^^MTH^Mother^HL70063", "52", False),
    ],
)
def test_a_relation_is_what_its_label_says_where_the_code_is_of_no_known_table(said, relation, is_conflict):
    item = one(HEAD, PID, f"NK1|1|王测|{said}")
    assert person(item, 1)["relation"] == relation
    assert (("code-conflict", "NK1-3") in gaps(item)) is is_conflict


@pytest.mark.parametrize(
    ("said", "ethnicity", "is_conflict"),
    [("17^汉族", "01", True), ("HA^汉族", "01", False), ("^汉族^1", "01", False), ("1^汉族", "01", False)],
)
def test_an_ethnic_group_is_what_its_label_says_where_the_code_says_another(said, ethnicity, is_conflict):
    item = one(HEAD, f"{PID}||||||||||||||{said}")
    assert person(item)["ethnicity"] == ethnicity
    assert (("code-conflict", "PID-22") in gaps(item)) is is_conflict


@pytest.mark.parametrize("said", ["GRD^Guardian^HL70063", "GRD", "^监护人", "^Guardian"])
def test_a_guardian_by_word_is_a_guardian(said):
    item = one(HEAD, PID, f"NK1|1|王测|{said}")
    assert person(item, 1)["roles"] == ["guardian"]
    assert "unmapped-code" not in {gap.code for gap in item.gaps}


@pytest.mark.parametrize(("sex", "relation"), [("M", "20"), ("F", "30"), ("", None)])
def test_a_child_of_the_patient_is_son_or_daughter_by_its_sex(sex, relation):
    item = one(HEAD, PID, f"NK1|1|王小测|CHD^Child^HL70063||||||||||||{sex}")
    assert person(item, 1).get("relation") == relation
    assert (("unmapped-code", "NK1-3") in gaps(item)) is (relation is None)


def test_a_child_of_an_adult_patient_is_whom_the_notice_is_about_whatever_its_sex():
    item = one(HEAD, PID.replace("2019", "1990"), "NK1|1|王小测|CHD^Child|||||||||||||20190425")
    assert [(p["name"], p["roles"]) for p in item.data["persons"]] == [("王小测", ["minor"]), ("李小测", ["guardian"])]
    assert "unmapped-code" not in {gap.code for gap in item.gaps}


# --- nothing is lost without a word ---


@pytest.mark.parametrize(
    ("said", "phone", "gap"),
    [
        ("^^^^^^^^13900000000", "13900000000", None),
        ("13900000000^^PH~13900000000^^CP", "13900000000", None),
        ("^^^^^^^^同上", None, ("phone-form", "PID-13")),
        ("^NET^Internet^a@example.org", None, ("unmapped", "PID-13.4")),
    ],
)
def test_a_telephone_number_is_found_where_senders_put_it_and_what_is_none_is_named(said, phone, gap):
    item = one(HEAD, f"{PID}|||||{said}")
    assert person(item).get("phone") == phone
    assert gaps(item) == ({gap} if gap else set())


def test_a_number_in_the_place_of_its_check_digit_is_named():
    item = one(HEAD, PID.replace("7^^^^PI", "^1130609729"))
    assert "key" not in person(item)
    assert ("identifier", "PID-3.2") in gaps(item)


@pytest.mark.parametrize("nothing", ["-", "无", "不详", "NULL", "***"])
def test_what_only_fills_its_place_is_neither_name_nor_number(nothing):
    item = one(HEAD, PID.replace("7^^^^PI||李小测", f"{nothing}~7||{nothing}~李小测"))
    assert (person(item)["key"], person(item)["name"]) == ("7", "李小测")
    assert "alias" not in person(item)
    code = "masked-value" if nothing == "***" else "placeholder"
    assert gaps(item) == {(code, "PID-3[1].1"), (code, "PID-5[1]")}


# --- patients who have nothing to do with each other ---


def several(event: str, *more: str) -> list[SubmittedNotice]:
    head = HEAD.replace("ADT^A01", event)
    other = PID.replace("李小测", "赵小测").replace("7^", "8^")
    lines = [head, "QAK|1|OK", PID, "NK1|1|王测|MTH", other, "NK1|1|钱测|FTH", "DG1|1", *more]
    items = ADAPTER.decode("\r".join(lines).encode(), V2, office("health"), {}).items
    assert all(isinstance(item, SubmittedNotice) for item in items), items
    return list(items)


@pytest.mark.parametrize("event", ["RSP^K22^RSP_K21", "ADT^A17", "ADT^A40^ADT_A39", "ORU^R01"])
def test_every_patient_of_an_ordinary_message_is_a_notice_of_its_own(event):
    first, second = several(event)
    assert [p["name"] for p in first.data["persons"]] == ["李小测", "王测"]
    assert [p["name"] for p in second.data["persons"]] == ["赵小测", "钱测"]
    assert second.data["persons"][1]["of"] == second.data["persons"][0]["ref"]
    assert (first.native_id, second.native_id) == ("4", "4#2")
    assert ("unmapped", "patient 1, QAK") in {(g.code, g.position.split("-")[0]) for g in first.gaps}
    assert ("unmapped", "patient 2, DG1") in gaps(second)


@pytest.mark.parametrize(("event", "more"), [("ADT^A24^ADT_A24", ()), ("ORU^R01", ("ZMR|M4",))])
def test_patients_whom_a_message_links_or_reports_together_stay_together(event, more):
    (item,) = several(event, *more)
    assert [p["name"] for p in item.data["persons"]] == ["李小测", "赵小测", "王测", "钱测"]


def test_indented_segments_are_segments_and_what_stands_before_the_header_is_named():
    item = one("# a message of the first of November", f"  {HEAD}", f"  {PID}", "\tNK1|1|王测|MTH", "  ", "")
    assert [p["name"] for p in item.data["persons"]] == ["李小测", "王测"]
    assert gaps(item) == {("before-header", "line 1")}
    assert not gaps(one("FHS|^~\\&|HIS", "BHS|^~\\&|HIS", HEAD, PID, "BTS|1", "FTS|1"))


def test_a_document_of_many_lines_in_one_segment_takes_no_longer_than_its_bytes():
    lines = "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3Ro\r" * 40_000
    started = time.process_time()
    item = one(HEAD, PID, f"OBX|1|ED|PDF||^^PDF^Base64^{lines}|||||F", "NK1|1|王测|MTH")
    assert time.process_time() - started < 1
    assert [p["name"] for p in item.data["persons"]] == ["李小测", "王测"]
    assert [(g.code, g.position) for g in item.gaps if g.code == "line-break"] == [("line-break", "line 4")]


# --- charsets of others ---


def test_western_text_is_no_rare_han_characters():
    item = one(HEAD, PID.replace("李小测", "MÜLLER^JÖRG"), charset="latin-1")
    assert person(item)["name"] == "JÖRG MÜLLER"
    assert ("charset", "MSH-18") in gaps(item)


@pytest.mark.parametrize("name", ["李珺", "珺李", "\U00020089小测", "\U00020089"])
def test_undeclared_gb18030_stays_what_it_is(name):
    item = one(HEAD, PID.replace("李小测", name), charset="gb18030")
    assert person(item)["name"] == name
    assert not gaps(item)


@pytest.mark.parametrize(
    ("declared", "charset", "name"),
    [("8859/2", "iso8859-2", "ŁUKASZ"), ("8859/15", "iso8859-15", "ŒUVRÉ"), ("KS X 1001", "cp949", "홍길동")],
)
def test_a_charset_of_hl7s_table_is_read_as_declared(declared, charset, name):
    item = one(HEAD + f"|{declared}", PID.replace("李小测", name), charset=charset)
    assert person(item)["name"] == name
    assert not gaps(item)


@pytest.mark.parametrize("declared", ["8859/1", "8859/15"])
def test_utf_8_that_is_declared_as_western_is_utf_8(declared):
    item = one(HEAD + f"|{declared}", PID.replace("李小测", "MÜLLER^JÖRG"))
    assert person(item)["name"] == "JÖRG MÜLLER"
    assert ("charset", "MSH-18") in gaps(item)


# --- a refusal says what to do ---


@pytest.mark.parametrize("joined", ["|", "\\r", "\\n"])
def test_segments_in_one_line_are_refused_with_what_to_do(joined):
    item = decode(f"{HEAD}{joined}{PID}")
    assert isinstance(item, RefusedItem)
    (problem,) = item.problems
    assert (problem.code, problem.position) == ("no-person", "PID")
    assert "0x0D" in problem.remedy


# --- what is taken back, and whose it is ---


@pytest.mark.parametrize(
    ("status", "is_taken"), [("F", True), ("P", True), ("C", True), ("X", True), ("D", False), ("W", False)]
)
def test_a_result_that_is_taken_back_or_was_posted_for_the_wrong_patient_is_not_taken(status, is_taken):
    item = one(HEAD, PID, f"OBX|1|TX|INJ||臂部淤青||||||{status}", f"OBX|2|CE|D||T74.1^^ICD10||||||{status}")
    assert ("harm" in item.data) is is_taken
    assert ({("refuted", "OBX[1]-11"), ("refuted", "OBX[2]-11")} <= gaps(item)) is not is_taken


def test_a_mental_disorder_is_told_of_nobody_where_two_children_are_reported():
    item = one(HEAD, PID, "PID|2||8||李小二||20190425|F", "OBX|1|CE|D||F43.1^^ICD10||||||F", "ZMR|M2")
    assert [("mental_health" in child) for child in item.data["persons"]] == [False, False]
    assert ("no-person", "OBX-5") in gaps(item)
    assert person(one(HEAD, PID, "OBX|1|CE|D||F43.1^^ICD10||||||F"))["mental_health"] == ["F43.1"]


def test_a_mothers_diagnoses_are_no_harm_to_her_child():
    mother = "PID|1||9||王测||19900102|F"
    item = one(
        HEAD,
        mother,
        "NK1|1|王小测|30||||||||||||F|20250101",
        "OBX|1|CE|D||O80^^ICD10||||||F",
        "OBX|2|TX|QKMS||独自在家",
    )
    assert (person(item)["name"], item.data["harm"]) == ("王小测", {"narrative": "独自在家"})
    assert ("other-person", "OBX[1]-5") in gaps(item)


@pytest.mark.parametrize("event", ["A23", "A29"])
def test_a_message_that_deletes_a_record_is_no_observation(event):
    item = decode(HEAD.replace("A01", event), PID)
    assert isinstance(item, RefusedItem)
    assert [(p.code, p.position) for p in item.problems] == [("taken-back", "MSH-9")]


@pytest.mark.parametrize(
    ("end", "role", "gap"), [("20260101", "other", "former"), ("20270101", "guardian", "unmapped")]
)
def test_a_guardian_whose_time_is_over_is_none(end, role, gap):
    item = one(HEAD, PID, f"NK1|1|赵前|GRD^Guardian^HL70063||||||{end}")
    assert person(item, 1)["roles"] == [role]
    assert (gap, "NK1-9") in gaps(item)


def test_the_legal_name_and_the_home_come_first_wherever_they_stand():
    item = one(HEAD, "PID|1||7||小明^^^^^^A~李小测^^^^^^L||20190425|M|||坏址^^^^^^BA~家^^^^^^H")
    child = person(item)
    assert (child["name"], child["alias"], child["residence"]["address"]) == ("李小测", "小明", "家")
    assert ("repeated", "PID-11[1]") in gaps(item)


@pytest.mark.parametrize(
    ("facility", "code", "gap"),
    [
        ("12440113400000000X", "12440113400000000X", None),
        ("某某医院", None, "MSH-4"),
        ("EHR Facility^2.16.840.1.113883.3.72^ISO", "2.16.840.1.113883.3.72", "MSH-4.1"),
    ],
)
def test_a_report_is_not_refused_for_the_name_of_its_facility(facility, code, gap):
    item = one(HEAD.replace("|HIS||", f"|HIS|{facility}|"), PID, "ZMR|M2")
    assert item.data.get("sender", {}).get("unit_code") == code
    assert (("unit-code", gap) in gaps(item)) is (gap is not None)
    assert not isinstance(validate(item, default_rules(), date(2026, 11, 28)), tuple)
