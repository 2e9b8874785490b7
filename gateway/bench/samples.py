"""Which notices are sent while something is measured?

Signed RPT-M of about 2.5 KB, each with an id, a child and a guardian of its own choice: every family is named twice, the
second time long after the first, so that half of the notices bring new persons and half find them. Identity numbers
are synthetic (area prefix 999999) with valid check digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from gateway.model.canonical import canonical_json
from gateway.model.identifiers import OfficeId, office_urn
from gateway.validation.identity import check_digit

SENDER = OfficeId("health.440113")
MEDIA_TYPE = "application/cloudevents+json"
_FIRST_DAY = date(2010, 1, 1)
_DAYS = 3000
_NARRATIVE = (
    "患儿由母亲带来急诊，左前臂及背部有多处新旧不一的条状瘀伤，自述被皮带抽打。接诊医师与护士共同查体并拍照留存，"
    "已请儿科会诊，患儿情绪紧张，回避家长提问。母亲称系摔伤，与伤情不符。现留观，由社工陪同，等待主管部门到场。患儿的既往病历显示半年内两次因外伤就诊，描述与本次伤情相近，已一并调取，待调查时提供。"
)


def citizen_id(number: int) -> tuple[str, str]:
    """A synthetic identity number and the birth date in it."""
    born = _FIRST_DAY + timedelta(days=number % _DAYS)
    first17 = f"999999{born:%Y%m%d}{number // _DAYS % 1000:03d}"
    return first17 + check_digit(first17), born.isoformat()


def report_data(number: int) -> dict[str, Any]:
    """The body of one RPT-M about the family of this number."""
    child, born = citizen_id(2 * number)
    guardian, _ = citizen_id(2 * number + 1)
    return {
        "urgency": 1,
        "purpose": "P01",
        "legal_basis": ["L20"],
        "immediate_danger": True,
        "occurred_at": "2026-03-01T07:40:00+08:00",
        "discovered_at": "2026-03-01T08:10:00+08:00",
        "discovery_channel": "hospital",
        "sender": {"unit": "某某医院", "unit_code": "12440113400000000X", "contact_officer": "desk:emergency"},
        "place": {"region": "440113102005", "detail": "某镇某村家中", "school_related": False},
        "persons": [
            {
                "ref": "p1",
                "roles": ["minor"],
                "name": "李小测",
                "id_type": "ID",
                "id_no": child,
                "sex": "1" if int(child[16]) % 2 else "2",
                "birth_date": born,
                "ethnicity": "01",
                "nationality": "CHN",
                "registered": {"region": "440113102", "address": "某镇某村1号"},
                "residence": {"region": "440113102005", "address": "某镇某村委会某队1号"},
                "school": {"code": "3144010001", "name": "某某小学"},
                "grade": "小学五年级",
                "schooling_status": "in",
                "health_status": "10",
            },
            {
                "ref": "p2",
                "roles": ["guardian", "carer"],
                "of": "p1",
                "name": "王某测",
                "id_type": "ID",
                "id_no": guardian,
                "relation": "52",
                "sex": "2",
                "age": {"years": 38},
                "phone": "13800000000",
                "residence": {"region": "440113102005"},
                "told": {"state": "no", "reason": "suspected"},
                "lives_with": ["p1"],
            },
            {
                "ref": "p3",
                "roles": ["infringer"],
                "of": "p1",
                "name": "李测",
                "relation": "83",
                "is_guardian": False,
                "unidentified": False,
                "sex": "1",
            },
        ],
        "harm": {
            "types": ["H21"],
            "m_flags": ["M4"],
            "narrative": _NARRATIVE,
            "summary": "患儿身上有多处伤痕，需核实家庭情况并安排安全照护。",
            "injury": {"codes": ["T14.0"], "text": "左前臂及背部条状瘀伤四处，无开放性伤口"},
        },
        "report": {
            "mandatory": True,
            "reporter_role": "doctor",
            "reporter_handle": "rh-3f2a9c",
            "noticed_at": "2026-03-01T08:10:00+08:00",
            "anonymous": False,
        },
        "needs": ["safety", "medical"],
        "measures": [{"code": "A05", "from": "2026-03-01", "executor": "某某医院", "outcome": "started"}],
        "evidence": [{"kind": "photo", "holder": "某某医院"}],
    }


def report_body(event: str, family: int) -> bytes:
    """The exact bytes of one CloudEvent under the id `event`."""
    return canonical_json(
        {
            "specversion": "1.0",
            "id": event,
            "source": office_urn(SENDER),
            "type": "hutong.notice.RPT-M.v1",
            "datacontenttype": "application/json",
            "data": report_data(family),
        }
    )


def report_bodies(run: str, count: int) -> Iterator[bytes]:
    """`count` notices under ids that begin with `run`; the families of the first half come again in the second."""
    first = int.from_bytes(run.encode()[-4:], "big") % 1_000_000
    half = max(1, (count + 1) // 2)
    for number in range(count):
        yield report_body(f"{run}-{number}", first + number % half)
