"""Scenario S1 of the domain brief: a county hospital suspects abuse by the father of a ten-year-old.

Each step is one notice of one office; what it answers is named by the step's
`answers`. Identities are synthetic: area prefix 999999 exists nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHILD = {
    "ref": "p1", "roles": ["minor"], "name": "李小测", "id_type": "ID", "id_no": "999999201503010016", "sex": "1",
    "birth_date": "2015-03-01", "ethnicity": "01",
    "residence": {"region": "440113102", "address": "南村镇测试路1号"},
    "school": {"code": "3144010001", "name": "番禺区测试小学"}, "grade": "80",
}  # fmt: skip
FATHER = {
    "ref": "p2", "roles": ["guardian", "infringer"], "of": "p1", "name": "李测甲", "id_type": "ID",
    "id_no": "999999198801010036", "sex": "1", "relation": "51", "is_guardian": True,
}  # fmt: skip
MOTHER = {
    "ref": "p3",
    "roles": ["guardian"],
    "of": "p1",
    "name": "王测乙",
    "sex": "2",
    "relation": "52",
}
GRANDMOTHER = {"ref": "p4", "roles": ["carer"], "of": "p1", "name": "陈测丙", "sex": "2", "relation": "62"}
SHELTER = {"ref": "p5", "roles": ["applicant"], "of": "p1", "name": "番禺区未成年人保护中心"}
PLACE = {"region": "440113102", "detail": "南村镇测试路1号"}


@dataclass(frozen=True, slots=True)
class Step:
    """`office` sends `type`; `answers` names the type of the notice it got and answers, `link` how it names it, `clock` the story's time of day."""

    name: str
    clock: str
    office: str
    type: str
    data: Mapping[str, Any]
    zh: str
    answers: str = ""
    link: str = "in_reply_to"


STEPS: tuple[Step, ...] = (
    Step(
        "report", "09:45", "health.440113", "RPT-M",
        {
            "urgency": 2, "purpose": "P01", "immediate_danger": True, "discovery_channel": "hospital",
            "discovered_at": "2026-03-01T09:30:00+08:00", "place": PLACE,
            "persons": [CHILD, FATHER, {**MOTHER, "lives_with": ["p2"]}],
            "harm": {"types": ["H21"], "m_flags": ["M4"], "narrative": "急诊见多处新旧体表损伤。",
                     "injury": {"codes": ["T74.1"], "text": "躯干及四肢多处瘀伤"}},
            "report": {"mandatory": True, "reporter_role": "doctor", "noticed_at": "2026-03-01T09:30:00+08:00"},
            "evidence": [{"kind": "photo", "holder": "health.440113"}],
        },
        "医院强制报告",
    ),
    Step(
        "acceptance", "10:05", "police.440113", "ACC",
        {
            "purpose": "P01",
            "acceptance": {"accepted_by": "番禺分局未成年人案件办理组", "acceptance_no": "GA440113-2026-0087",
                           "next_step": "treat", "accepted_at": "2026-03-01T10:05:00+08:00"},
        },
        "公安受理", answers="RPT-M",
    ),
    Step(
        "placement", "12:30", "civil_affairs.440113", "GRD-T",
        {
            "urgency": 1, "purpose": "P03", "legal_basis": ["L02"], "place": PLACE,
            "persons": [{**CHILD, "placement": {"org": "番禺区未成年人保护中心", "region": "440113102", "address": "保护中心测试地址"}}, FATHER, MOTHER],
            "guardianship": {"status": "temporary", "ground": "92-6", "from": "2026-03-01", "planned_end": "2027-02-28",
                             "consent_authority": {"kind": "temporary_guardian"}},
        },
        "临时监护", answers="RPT-M",
    ),
    Step(
        "application", "13:00", "civil_affairs.440113", "GRD-PA",
        {
            "urgency": 1, "purpose": "P10", "legal_basis": ["L02"], "place": PLACE, "persons": [CHILD, FATHER, SHELTER],
            "order": {"kind": "protection", "applicant_kind": "relief_institution", "urgent": True, "respondent": "p2"},
            "harm": {"types": ["H21"], "summary": "疑似父亲多次施暴，儿童有现实危险。"},
            "evidence": [{"kind": "medical_record", "holder": "health.440113"}],
        },
        "申请人身安全保护令", answers="RPT-M",
    ),
    Step(
        "order", "17:00", "courts.440113", "GRD-P",
        {
            "urgency": 1, "purpose": "P10", "legal_basis": ["L02"], "place": {**PLACE, "school_related": True},
            "persons": [CHILD, FATHER],
            "order": {"case_no": "（2026）粤0113民保令5号", "kind": "protection", "result": "01", "respondent": "p2",
                      "terms": [{"item": "29-1"}, {"item": "29-2"}, {"item": "29-4", "detail": "学校周边二百米"}],
                      "valid_from": "2026-03-01", "valid_until": "2026-08-31", "applicant_kind": "relief_institution", "urgent": True},
        },
        "作出保护令", answers="GRD-PA",
    ),
    Step(
        "feedback", "17:30", "police.440113", "PFB",
        {"purpose": "P02", "police": {"status": "criminal_case", "case_no": "A4401130000002026030001"}},
        "案件进展反馈", answers="RPT-M",
    ),
    Step(
        "assessment", "18:00", "civil_affairs.440113", "ASM",
        {
            "purpose": "P03", "legal_basis": ["L02"], "place": PLACE, "persons": [CHILD],
            "assessment": {"risk_level": "R4", "scheme_id": "gd-2024", "instrument": "gd-risk", "instrument_version": "1",
                           "assessed_at": "2026-03-01T18:00:00+08:00", "valid_until": "2026-06-01", "key_risks": ["repeat-violence"]},
        },
        "风险评估", answers="RPT-M",
    ),
    Step(
        "legal-aid", "18:10", "civil_affairs.440113", "REF",
        {
            "purpose": "P06", "legal_basis": ["L28"], "place": PLACE, "persons": [CHILD], "needs": ["legal"],
            "measures": [{"code": "A04", "executor": "judiciary.440113"}], "answer_by": "2026-03-04T18:00:00+08:00",
            "requested_recipients": ["judiciary.440113"],
        },
        "转介法律援助", answers="RPT-M",
    ),
    Step(
        "schooling", "18:20", "civil_affairs.440113", "REF",
        {
            "purpose": "P05", "legal_basis": ["L28"], "place": PLACE, "persons": [CHILD], "needs": ["schooling"],
            "measures": [{"code": "A07", "executor": "education.440113"}], "answer_by": "2026-03-04T18:00:00+08:00",
            "requested_recipients": ["education.440113"],
        },
        "转介就近入学", answers="RPT-M",
    ),
    Step(
        "guidance", "18:30", "civil_affairs.440113", "REF",
        {
            "purpose": "P08", "legal_basis": ["L28"], "place": PLACE, "persons": [CHILD, MOTHER], "needs": ["family_education"],
            "measures": [{"code": "A08", "executor": "womens_federation.440113"}], "answer_by": "2026-03-04T18:00:00+08:00",
            "requested_recipients": ["womens_federation.440113"],
        },
        "转介家庭教育指导", answers="RPT-M",
    ),
    Step(
        "aid-accepted", "+1d 09:00", "judiciary.440113", "REF-R",
        {"purpose": "P06", "referral": {"answer": "accepted"}}, "法律援助受理", answers="REF",
    ),
    Step(
        "school-accepted", "+1d 09:20", "education.440113", "REF-R",
        {"purpose": "P05", "referral": {"answer": "accepted"}}, "入学安排", answers="REF",
    ),
    Step(
        "guidance-accepted", "+1d 09:40", "womens_federation.440113", "REF-R",
        {"purpose": "P08", "referral": {"answer": "accepted"}}, "妇联接受指导任务", answers="REF",
    ),
    Step(
        "supervision", "+2d 10:00", "procuratorate.440113", "GRD-O",
        {
            "purpose": "P09", "legal_basis": ["L02"], "place": PLACE, "persons": [CHILD, MOTHER],
            "order": {"kind": "guardian_supervision", "issued_at": "2026-03-03T10:00:00+08:00", "executor": "civil_affairs.440113", "valid_from": "2026-03-03"},
        },
        "督促监护令", answers="RPT-M",
    ),
    Step(
        "revocation-application", "+30d 09:00", "civil_affairs.440113", "GRD-RA",
        {
            "purpose": "P10", "legal_basis": ["L47"], "place": PLACE, "persons": [CHILD, FATHER, SHELTER],
            "guardianship": {"status": "revocation_pending", "ground": "35-1"},
            "evidence": [{"kind": "assessment", "holder": "civil_affairs.440113"}],
        },
        "申请撤销监护人资格", answers="GRD-P", link="caused_by",
    ),
    Step(
        "revocation", "+60d 15:00", "courts.440113", "GRD-R",
        {
            "purpose": "P10", "legal_basis": ["L02"], "place": PLACE, "persons": [CHILD, FATHER, GRANDMOTHER],
            "judgment": {"case_no": "（2026）粤0113民特6号", "result": "revoked", "effective_from": "2026-05-01",
                         "new_guardian": "p4", "maintenance_continues": True},
        },
        "撤销监护人资格，指定祖母", answers="GRD-RA",
    ),
    Step(
        "closure", "+240d 10:00", "civil_affairs.440113", "CLS",
        {"purpose": "P03", "closure": {"reason": "resolved"}},
        "结案", answers="GRD-R",
    ),
)  # fmt: skip
