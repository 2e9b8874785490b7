"""DOMAIN 7, S1: a hospital reports in HL7, the police read XML and answer, civil affairs act in JSON."""

from __future__ import annotations

import pytest

from adapters.civil_affairs import ADAPTER as CIVIL_AFFAIRS
from adapters.health import ADAPTER as HEALTH
from adapters.police import ADAPTER as POLICE
from tests.adapters.builders import by_ref, decode_one, office, release, round_trip

REPORT = "\r".join(
    [
        r"MSH|^~\&|HIS|124401130000000001|WCNGW|440113|20260301094500||ORU^R01|WJ20260301-0007|P|2.4|||AL|NE||UNICODE UTF-8",
        "PID|1||MZ000123^^^HOSP^PI~999999201503010016^^^GA^NI||李小测||20150301|M|||某街1号^^440113102^^^CN|||||||||||01",
        "NK1|1|某某|51^父亲^GB/T4761|某街1号|13800000000",
        "PV1|1|E|急诊^^^||||||||||||||||V20260301-55",
        "OBR|1||WJ20260301-0007|MR^强制报告摘要^L|||20260301093000",
        "OBX|1|CE|DE05.01.024.00^疾病诊断编码^WS||T74.1^躯体虐待^ICD10||||||F|||||报告医生",
        "OBX|2|TX|INJ^体表损伤描述||新旧伤痕并存||||||F",
        "ZMR|M4|20260301093000|1|DOC^主治医师|110|JJBH4401135400002026030100087|1|0",
    ]
).encode()


def test_the_hospital_report_lands_whole_with_its_reporter_in_the_vault():
    notice = decode_one(HEALTH, REPORT, "health")
    assert (notice.type, notice.native_id, notice.subject) == ("RPT-M", "WJ20260301-0007", "V20260301-55")
    assert notice.gaps == ()
    assert notice.reporter == {"name": "报告医生"}
    assert "报告医生" not in str(notice.data)
    child, father = notice.data["persons"]
    assert (child["name"], child["id_no"], child["birth_date"], child["sex"], child["ethnicity"], child["key"]) == (
        "李小测", "999999201503010016", "2015-03-01", "1", "01", "MZ000123",
    )  # fmt: skip
    assert (father["roles"], father["relation"], father["of"], father["told"]) == (
        ["guardian"],
        "51",
        "p1",
        {"state": "no"},
    )
    assert notice.data["harm"] == {"m_flags": ["M4"], "injury": {"codes": ["T74.1"], "text": "新旧伤痕并存"}}
    assert (notice.data["immediate_danger"], notice.data["urgency"]) == (True, 2)
    assert notice.data["report"]["noticed_at"] == "2026-03-01T09:30:00+08:00"
    sources = {entry.pointer: entry.source for entry in notice.provenance}
    assert sources["/persons/0/birth_date"] == "PID-7"
    assert sources["/persons/0/id_no"] == "PID-3[2]"


@pytest.mark.parametrize(
    ("adapter", "agency"), [(POLICE, "police"), (CIVIL_AFFAIRS, "civil_affairs"), (HEALTH, "health")]
)
def test_the_report_reads_the_same_from_every_format_it_is_released_in(adapter, agency):
    data = {**decode_one(HEALTH, REPORT, "health").data, "_disclosure": {"minor.name": ["exists", "partial"]}}
    back = round_trip(adapter, data, "RPT-M", agency)
    assert by_ref(back.data) == by_ref(data)
    assert (back.type, back.subject, back.native_id) == ("RPT-M", "case-77", "0190f0aa-0000-7000-8000-000000000001.2")
    assert back.gaps == ()


def test_the_police_read_the_report_in_their_own_elements():
    data = decode_one(HEALTH, REPORT, "health").data
    encoded = POLICE.encode(release(data, "RPT-M", "police"), office("police"), "application/xml")
    text = encoded.body.decode("gb18030")
    assert text.startswith('<?xml version="1.0" encoding="GB18030"?>')
    for expected in (
        "<XXLX>QZBG</XXLX>",
        "<XM>李小测</XM>",
        "<GMSFHM>999999201503010016</GMSFHM>",
        "<JHRYJHGX>51</JHRYJHGX>",
    ):
        assert expected in text


ANSWERS = {
    "ACC": {"acceptance": {"accepted_by": "某派出所", "acceptance_no": "SL1", "accepted_at": "2026-03-01T10:05:00+08:00"}},
    "PFB": {"police": {"status": "criminal_case", "case_no": "A4401135400002026030001"}, "in_reply_to": "n-1"},
    "GRD-T": {
        "guardianship": {
            "status": "temporary", "ground": "6", "from": "2026-03-01", "planned_end": "2027-02-28",
            "consent_authority": {"kind": "shelter", "ref": "org-1"},
        },
        "persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测", "placement": {"org": "救助站", "address": "某路2号"}}],
    },
    "ASM": {"assessment": {"risk_level": "R4", "scheme_id": "GD-2024", "assessed_at": "2026-03-02T09:00:00+08:00"}},
    "REF": {"needs": ["psychological"], "measures": [{"code": "A06", "executor": "某机构"}, {"code": "A04"}], "answer_by": "2026-03-05"},
}  # fmt: skip


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize(
    ("adapter", "agency"), [(POLICE, "police"), (CIVIL_AFFAIRS, "civil_affairs"), (HEALTH, "health")]
)
def test_the_answers_of_the_scenario_travel_in_every_format(adapter, agency, kind):
    back = round_trip(adapter, ANSWERS[kind], kind, agency)
    assert back.type == kind
    assert by_ref(back.data) == by_ref(ANSWERS[kind])


def test_a_withheld_field_is_absent_and_never_empty():
    data = {"persons": [{"ref": "p1", "roles": ["minor"], "name": "李某"}], "immediate_danger": True}
    json_text = CIVIL_AFFAIRS.encode(release(data, "RPT", "civil_affairs"), office("civil_affairs"), "").body.decode()
    assert "etsfzh" not in json_text
    assert '""' not in json_text
    xml_text = POLICE.encode(release(data, "RPT", "police"), office("police"), "").body.decode("gb18030")
    assert "GMSFHM" not in xml_text
    assert "/>" not in xml_text
