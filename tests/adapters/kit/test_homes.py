"""Is a sender told in its own format where to mend what intake refuses?"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from adapters.registry import load_adapters
from gateway.engines.files.documents import default_rules
from gateway.engines.mllp.acknowledgement import heading, refused
from gateway.http.problems import problem_list
from gateway.model.errors import Problem
from gateway.model.notice import SubmittedNotice
from gateway.validation.validate import validate
from tests.adapters.builders import office

ADAPTERS = load_adapters()
PATIENT = "MSH|^~\\&|H|H|||20260301||ORU^R01|1|P|2.4\rPID|1||7^^^^PI||李小测||{born}|M\r"
REFERRED = "<REQUEST><HEAD><XXLX>ZJTZ</XXLX><XLH>1</XLH></HEAD><BODY>{people}</BODY></REQUEST>"


def problems(agency: str, media_type: str, message: str) -> tuple[Problem, ...]:
    item = ADAPTERS[agency].decode(message.encode(), media_type, office(agency), {}).items[-1]
    assert isinstance(item, SubmittedNotice), item
    found = validate(item, default_rules(), date(2026, 3, 2))
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize(
    ("agency", "media_type", "message", "places"),
    [
        (
            "police", "application/xml",
            REFERRED.format(people="<SHR><XM>李小测</XM></SHR><SHR><XM>王小测</XM><GMSFHM>9!</GMSFHM></SHR>"),
            {"/persons/1/id_no": "/REQUEST/BODY/SHR[2]/GMSFHM", "/answer_by": "/REQUEST/BODY/KZ/DFQX", "": "/REQUEST"},
        ),
        (
            "police", "application/xml", REFERRED.format(people="<JHR><JHRYXM>某某</JHRYXM></JHR>"),
            {"/persons": "/REQUEST/BODY/SHR"},
        ),
        ("health", "application/hl7-v2", PATIENT.format(born="19500101"), {"/persons": "PID"}),
        (
            "health", "application/hl7-v2", PATIENT.format(born="20150301") + "ZTB|ZJTZ\r",
            {"/needs": "ZKZ-XQ", "/answer_by": "ZKZ-DFQX", "": "ZTB"},
        ),
        (
            "education", "text/csv",
            "学校标识码,姓名,出生日期,事件类型\n3144010001,李小测,20150301,转介\n3144010001,王小测,20150301,转介\n",
            {"/needs": "row 3, column 需求", "/answer_by": "row 3, column 扩展:答复期限", "": "row 3"},
        ),
        (
            "civil_affairs", "application/json", '[{}, {"head": {"jyh": "M1", "ywlx": "ZJTZ"}, "data": {"etxm": "李小测"}}]',
            {"/measures": "/1/data/kz/bfcs", "": "/1"},
        ),
        (
            "judiciary", "application/jsonl", '{}\n{"ywlx": "ZJTZ", "data": {"sqrxm": "李小测"}}\n',
            {"/answer_by": "line 2 /data/yqhfrq"},
        ),
        (
            "procuratorate", "application/xml",
            '<ROOT><MSG ID="1" TYPE="ZJTZ"/><DATA><ROW><BHR_XM>李小测</BHR_XM></ROW></DATA></ROOT>',
            {"/answer_by": "/ROOT/DATA/ROW/YQHFRQ", "/measures": "/ROOT/DATA/ROW/KZ/BFCS"},
        ),
        (
            "courts", "application/xml",
            '<fy:AJTB xmlns:fy="urn:x-fyb:wcnr:1"><fy:AJLX dm="0332"/><fy:DSR lx="WCNR"><fy:XM>李小测</fy:XM></fy:DSR></fy:AJTB>',
            {"/order": "/AJTB/AH"},
        ),
        (
            "health", "application/fhir+json",
            '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "name": [{"text": "李"}], "birthDate": "1950"}}]}',
            {"/persons": "Bundle.entry[0].resource"},
        ),
    ],
)  # fmt: skip
def test_each_problem_names_the_field_of_the_sender(agency, media_type, message, places):
    told = {problem["position"]: problem["native"] for problem in problem_list(problems(agency, media_type, message))}
    assert places.items() <= told.items()


def test_a_canonical_sender_is_told_the_pointer_alone():
    (told,) = problem_list(
        (Problem("missing", "/needs", "this required field is missing", "补充该字段 / add the field"),)
    )
    assert told == {
        "code": "missing",
        "position": "/needs",
        "message": "缺少必填字段 / this required field is missing",
        "remedy": "补充该字段 / add the field",
    }


def test_an_acknowledgement_names_segment_and_field():
    message = PATIENT.format(born="20150301") + "ZTB|ZJTZ\r"
    head = heading(message.encode())
    assert head is not None
    answer = refused(head, datetime(2026, 3, 2, tzinfo=UTC), problems("health", "application/hl7-v2", message))
    assert b"ERR||ZKZ-DFQX|missing|E|||this required field is missing|add the field\r" in answer


def test_what_an_agent_hears_of_a_problem_is_what_was_told():
    for problem in problems("health", "application/hl7-v2", PATIENT.format(born="19500101")):
        assert Problem.heard(problem.told()) == problem
    assert Problem.heard({}).code == "refused"
