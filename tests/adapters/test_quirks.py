"""Every quirk that DOMAIN 2.1 to 2.8 lists for an agency's format, tried on the message DOMAIN prints for it."""

from __future__ import annotations

import json

import pytest

from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from tests.adapters.builders import office
from tests.adapters.printed import printed, register

ADAPTERS = load_adapters()
CHILD = "999999201503010016"


def read(agency: str, raw: bytes) -> SubmittedNotice:
    item = ADAPTERS[agency].decode(raw, printed(agency)[1], office(agency), {}).items[0]
    assert isinstance(item, SubmittedNotice), item
    return item


def changed(agency: str, *pairs: tuple[str, str], charset: str = "utf-8") -> SubmittedNotice:
    text = printed(agency)[0].decode(charset)
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return read(agency, text.encode(charset))


def minor(item: SubmittedNotice) -> dict:
    return next(person for person in item.data["persons"] if "minor" in person["roles"])


def codes(item: SubmittedNotice) -> set[str]:
    return {gap.code for gap in item.gaps}


# --- 2.1 civil affairs ---


def civil(**data) -> SubmittedNotice:
    document = json.loads(printed("civil_affairs")[0])
    document["data"].update(data)
    return read("civil_affairs", json.dumps(document, ensure_ascii=False).encode())


def test_civil_affairs_sends_an_empty_number_for_a_child_without_one():
    child = minor(civil(etsfzh=""))
    assert "id_no" not in child
    assert "id_type" not in child


@pytest.mark.parametrize("age", ["13", 13, "13岁"])
def test_civil_affairs_sends_an_age_without_a_birth_date(age):
    child = minor(civil(csrq="", nl=age))
    assert child["age"]["years"] == 13
    assert "birth_date" not in child


def test_civil_affairs_keys_family_members_by_label():
    people = civil(jtcy=[{"gx": "祖父", "xm": "李测甲"}, {"gx": "父亲", "xm": "李测乙"}]).data["persons"]
    assert [person.get("relation") for person in people[1:]] == ["61", "51"]
    assert people[1]["roles"] == ["guardian"], "jhrgx says 61"


def test_civil_affairs_free_text_on_harm_is_the_narrative_whose_class_is_the_highest():
    item = civil(sjqhqk="受监护侵害和虐待情况：……")
    assert item.data["harm"]["narrative"] == "受监护侵害和虐待情况：……"


# --- 2.2 police ---


def test_the_police_declare_gb18030_and_the_caller_never_leaves_the_vault():
    item = changed("police", ("<BJR_XM>…", "<BJR_XM>王测"), ("<BJR_LXDH>…", "<BJR_LXDH>10000000001"), charset="gb18030")
    assert item.reporter["name"] == "王测"
    assert item.reporter["phone"] == "10000000001"
    assert "王测" not in str((item.data, item.gaps, item.provenance))


@pytest.mark.parametrize(
    ("code", "status"), [("01", "no_case"), ("04", "warning_letter"), ("06", "criminal_case"), ("07", "transferred")]
)
def test_the_police_disposal_codes_are_ours(code, status):
    item = changed("police", ("<CZJGDM>04", f"<CZJGDM>{code}"), charset="gb18030")
    assert item.data["police"]["status"] == status


# --- 2.3 education ---


@pytest.mark.parametrize("ruined", ["9.99999E+17", "999999201503010000"])
def test_education_numbers_ruined_by_a_spreadsheet_are_named_and_not_taken(ruined):
    item = changed("education", (f",{CHILD},G{CHILD}", f",{ruined},"), charset="utf-8-sig")
    assert "ruined-number" in codes(item)
    assert "id_no" not in minor(item)


@pytest.mark.parametrize("typed", ["2015-3-1", "2015/03/01", "20150301", "２０１５-３-１", "2015年3月1日"])
def test_education_dates_as_somebody_typed_them(typed):
    assert minor(changed("education", (",20150301,", f",{typed},"), charset="utf-8-sig"))["birth_date"] == "2015-03-01"


def test_education_codes_that_lost_their_leading_zero_are_still_codes():
    assert minor(changed("education", (",汉族,", ",1,"), charset="utf-8-sig"))["ethnicity"] == "01"


def test_education_full_width_digits_are_digits():
    wide = CHILD.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    item = changed("education", (f",{CHILD},", f",{wide},"), charset="utf-8-sig")
    assert minor(item)["id_no"] == CHILD


def test_education_blank_is_not_no_and_no_is_nothing_to_carry():
    no = changed("education", ("走读,是,否", "走读,否,否"), charset="utf-8-sig")
    blank = changed("education", ("走读,是,否", "走读,,"), charset="utf-8-sig")
    assert "difficulty" not in minor(no)
    assert "difficulty" not in minor(blank)
    assert minor(read("education", printed("education")[0]))["difficulty"] == ["D31"]


def test_education_reporters_go_to_the_vault():
    item = changed("education", ("M4,…,…,…,已报警", "M4,…,王测,10000000001,已报警"), charset="utf-8-sig")
    assert item.reporter == {"name": "王测", "phone": "10000000001"}
    assert "王测" not in str((item.data, item.gaps))


# --- 2.4 health ---


@pytest.mark.parametrize("name", ["王测之子", "王测之女"])
def test_health_names_a_newborn_after_its_mother(name):
    child = minor(changed("health", ("||李小测||", f"||{name}||")))
    assert name in (child.get("name"), child.get("alias"))


def test_health_unknown_patient_is_no_name():
    item = changed("health", ("||李小测||", "||无名氏||"))
    child = minor(item)
    assert "name" not in child
    assert ("/persons/0/unidentified", "PID-5") in {(entry.pointer, entry.source) for entry in item.provenance}
    assert "/persons/0/name" not in {entry.pointer for entry in item.provenance}
    assert child["unidentified"] is True


def test_health_sexual_text_is_sexual_detail_before_anything_else():
    harm = changed("health", ("ZMR|M4|", "ZMR|M2|")).data["harm"]
    assert "text" not in harm.get("injury", {})
    assert harm["sexual_detail"] == "…"


@pytest.mark.parametrize("said", ["^躯体虐待", "^^^^躯体虐待", "躯体虐待", "XB12^身体虐待"])
def test_health_diagnoses_come_in_chinese_words_alone(said):
    item = changed("health", ("T74.1^躯体虐待^ICD10", said))
    assert item.data["harm"]["injury"]["codes"] == ["T74.1"]
    assert "OBX[1]-5" not in {gap.position for gap in item.gaps}
    unknown = changed("health", ("T74.1^躯体虐待^ICD10", "^某种诊断"))
    assert ("unmapped-code", "OBX[1]-5") in {(gap.code, gap.position) for gap in unknown.gaps}


def test_health_diagnosis_of_fhir_in_chinese_words_alone():
    raw = json.dumps(
        {
            "resourceType": "Bundle", "type": "message", "entry": [
                {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "birthDate": "2015-03-01"}},
                {"resource": {"resourceType": "Condition", "subject": {"reference": "urn:uuid:1"}, "code": {"text": "性虐待"}}},
            ],
        }
    ).encode()  # fmt: skip
    (item,) = ADAPTERS["health"].decode(raw, "application/fhir+json", office("health"), {}).items
    assert item.data["harm"]["injury"]["codes"] == ["T74.2"]


def test_health_reporter_stands_in_orc_12():
    item = changed("health", ("OBR|1", "ORC|RE|||||||||||王测\rOBR|1"))
    assert item.reporter == {"name": "王测"}
    assert "王测" not in str((item.data, item.gaps, item.provenance))


def test_health_reporter_stands_in_obx_16():
    item = changed("health", ("ICD10||||||F", "ICD10||||||F|||||王测"))
    assert item.reporter == {"name": "王测"}
    assert "王测" not in str((item.data, item.gaps))


@pytest.mark.parametrize(("sex", "ours"), [("M", "1"), ("F", "2"), ("U", "0"), ("O", "9"), ("1", "1"), ("2", "2")])
def test_health_sex_of_either_table(sex, ours):
    assert minor(changed("health", ("|20150301|M|", f"|20150301|{sex}|")))["sex"] == ours


def test_health_clinical_referral_is_an_observation_of_the_child():
    raw = b"MSH|^~\\&|HIS|H|||20260301||REF^I12|9|P|2.4\rPID|1||7^^^^PI||\xe6\x9d\x8e\xe5\xb0\x8f\xe6\xb5\x8b||20150301\rRF1|A|R\r"
    (item,) = ADAPTERS["health"].decode(raw, "application/hl7-v2", office("health"), {}).items
    assert (item.type, item.data["ledger"]) == ("LED", {"change": "change", "reason": "health"})
    assert ("referral", "MSH-9") in [(gap.code, gap.position) for gap in item.gaps]


def test_health_message_that_names_nobody_is_refused_and_a_report_is_not():
    head = b"MSH|^~\\&|HIS|H|||20260301||ORU^R01|9|P|2.4\rPID|1||||||||\r"
    (item,) = ADAPTERS["health"].decode(head, "application/hl7-v2", office("health"), {}).items
    assert [(p.code, p.position) for p in item.problems] == [("no-person", "PID")]
    (item,) = (
        ADAPTERS["health"].decode(head + b"ZMR|M4|20260301093000|1\r", "application/hl7-v2", office("health"), {}).items
    )
    assert (item.type, item.data["harm"]["m_flags"]) == ("RPT-M", ["M4"])


# --- 2.5 justice ---


def test_justice_says_what_the_child_is_of_the_offender_and_of_the_sentence_only_the_months():
    item = read("judiciary", printed("judiciary")[0])
    offender = next(person for person in item.data["persons"] if "guardian" in person["roles"])
    assert offender["relation"] == "51"
    assert offender["unavailable"] == {"reason": "D11", "from": "2025-06", "until": "2028-05"}
    for word in ("SQ4401", "2025-06-01", "2028-05-31"):
        assert word not in str(item.data)
    assert {gap.position.rsplit("/", 1)[-1] for gap in item.gaps if gap.code == "dropped"} == {
        "dxbh",
        "jzlb",
        "zm",
        "ypxf",
    }


def test_judiciary_lines_may_be_one_document_that_an_editor_spread_over_lines():
    line = printed("judiciary")[0].splitlines()[0]
    spread = json.dumps(json.loads(line), ensure_ascii=False, indent=2).encode()
    whole, apart = read("judiciary", line), read("judiciary", spread)
    assert (whole.type, whole.data) == (apart.type, apart.data)
    garbage = b"{\n" + b"no JSON\n" * 5_000
    (item,) = ADAPTERS["judiciary"].decode(garbage, "application/jsonl", office("judiciary"), {}).items
    assert [(p.code, p.position) for p in item.problems] == [("not-json", "line 100, line 1, column 1")]
    (item,) = ADAPTERS["judiciary"].decode(b"[\n]", "application/jsonl", office("judiciary"), {}).items
    assert [(p.code, p.position) for p in item.problems] == [("empty", "/")]


# --- 2.6 courts ---


@pytest.mark.parametrize("number", ["（2026）粤0113民保令5号", "(2026)粤0113民保令5号", "（2026)粤0113民保令5号"])
def test_courts_case_numbers_come_with_either_bracket(number):
    item = changed("courts", ("（2026）粤0113民保令5号", number))
    assert item.data["order"]["case_no"] == "（2026）粤0113民保令5号"


def test_courts_send_a_document_by_its_hash_alone():
    item = changed("courts", ('sm3="…"', f'sm3="{"a" * 64}"'))
    assert item.data["order"]["document"] == {"digest": "sm3:" + "a" * 64}


# --- 2.7 procuratorate ---


def test_procuratorate_case_names_embed_suspects_and_are_dropped():
    item = changed("procuratorate", ("<AJMC>…", "<AJMC>王测涉嫌虐待案"))
    assert "王测" not in str((item.data, item.gaps, item.subject))
    assert "/ROOT/DATA/ROW/AJMC" in {gap.position for gap in item.gaps if gap.code == "dropped"}


# --- 2.8 women's federation ---


@pytest.mark.parametrize(
    ("age", "ours"),
    [("8岁半", {"years": 8, "months": 6, "approximate": True}), ("约10", {"years": 10, "approximate": True})],
)
def test_federation_ages_are_as_somebody_said_them(age, ours):
    assert minor(read("womens_federation", register(年龄=age)))["age"] == ours


def test_federation_matters_are_joined_by_a_mark():
    item = read("womens_federation", register(事由类别="家暴、心理、教育"))
    assert item.data["harm"]["types"] == ["H21"]
    assert "psychological" in item.data["needs"]


@pytest.mark.parametrize(("cell", "status"), [("是", "given"), ("否", "refused"), ("", None)])
def test_federation_consent_is_what_the_cell_says_and_nothing_where_it_is_empty(cell, status):
    item = read("womens_federation", register(是否同意转介=cell))
    assert item.data.get("consent", {}).get("status") == status


def test_federation_callers_go_to_the_vault_and_the_most_urgent_is_a_danger():
    item = read("womens_federation", register())
    assert (item.reporter["name"], item.reporter["phone"]) == ("王测", "10000000001")
    assert "10000000001" not in str((item.data, item.gaps))
    assert (item.data["urgency"], item.data["immediate_danger"]) == (2, True)


def test_federation_without_consent_shares_nothing_optional_and_the_most_urgent_is_still_a_danger():
    item = read("womens_federation", register(是否同意转介="否"))
    assert (item.type, item.data["consent"]["status"]) == ("RPT", "refused")
    assert (item.data["urgency"], item.data["immediate_danger"]) == (2, True)
