"""Do the lens laws hold for notices nobody thought of, and does nothing break a codec?

`decode(encode(x)) = x` for any body made of the schemas' names, whatever
characters, masks, partial dates and odd shapes stand in it; and decode is
total and quick for any bytes.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import by_ref, office, release

ADAPTERS = {name: adapter for name, adapter in load_adapters().items() if name != "canonical"}
BOUNDED = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))

TEXT = st.one_of(
    st.sampled_from(
        [
            "李小测", "李*", "**", "𠮷野", "\u9fb4", "a|b^c~d\\e&f", "=1+1", "'=x", "+86 1", "_x000D_", "1.2E+17", "第一行\n第二行",
            " x ", "<a>&\"'", "]]>", "　", "x:y.z%", "\r\n", "是", "2015-03", "999999201503010016", "99****************", "00",
        ]
    ),
    st.text(st.characters(exclude_categories=("Cs", "Co", "Cn")), min_size=1, max_size=12),
)  # fmt: skip
CODES = st.lists(
    st.sampled_from(["M4", "D31", "D32", "D15", "H21", "H11", "A06", "other"]), min_size=1, max_size=3, unique=True
)
DATES = st.sampled_from(
    [
        "2015-03-01",
        "2015-03",
        "2015",
        "2026-03-01T09:30:00+08:00",
        "2026-03-01T09:30:00Z",
        "2026-03-01T09:30:00.5+08:00",
    ]
)


def members(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict]:
    return st.fixed_dictionaries({}, optional=fields)


PLACE = members(region=st.sampled_from(["440113", "440113102", "省", "44"]), address=TEXT)
PERSON = members(
    key=TEXT, name=TEXT, alias=TEXT, id_type=st.sampled_from(["ID", "PASS", "OTH", "NONE", "HKB"]),
    id_no=st.one_of(st.sampled_from(["999999201503010016", "99999920150301001x", "E1234567", "99****************"]), TEXT),
    student_no=st.sampled_from(["G999999201503010016", "G99", "L*"]), sex=st.sampled_from(["0", "1", "2", "9", "7"]), birth_date=DATES,
    age=members(years=st.integers(0, 17), months=st.integers(0, 11), approximate=st.booleans()), ethnicity=st.sampled_from(["01", "55", "汉"]),
    nationality=st.sampled_from(["CHN", "X"]), registered=PLACE, residence=PLACE, phone=TEXT, school=members(code=TEXT, name=TEXT),
    grade=st.sampled_from(["80", "五年级"]), schooling_status=st.sampled_from(["in", "none", "x"]), difficulty=CODES,
    disability=members(type=st.sampled_from(["1", "9"]), grade=st.sampled_from(["2", "x"])), health_status=st.sampled_from(["10", "60", "30", "x"]),
    relation=st.sampled_from(["51", "52", "61", "20", "ORG", "99", "x"]), is_guardian=st.booleans(), told=members(state=st.sampled_from(["yes", "no", "unknown"]), reason=TEXT),
    unavailable=members(reason=st.sampled_from(["D11", "D13"]), **{"from": DATES}), mental_health=st.lists(TEXT, max_size=2), unborn=st.booleans(),
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> dict:
    data = draw(
        members(
            urgency=st.integers(0, 2), immediate_danger=st.booleans(), occurred_at=DATES, discovered_at=DATES, answer_by=DATES,
            discovery_channel=st.sampled_from(["110", "hotline", "court", "x"]), needs=st.lists(st.sampled_from(["legal", "other", "x"]), max_size=2),
            sender=members(unit=TEXT, unit_code=TEXT, contact_officer=TEXT), place=members(region=st.just("440113"), detail=TEXT, school_related=st.booleans()),
            harm=members(types=CODES, m_flags=CODES, narrative=TEXT, injury=members(codes=st.lists(st.sampled_from(["T74.1", "O04", "x"]), max_size=2), text=TEXT),
                         sexual_detail=TEXT, hiv_sti_preg=members(codes=st.just(["B20"]))),
            report=members(reporter_role=st.sampled_from(["doctor", "self", "x"]), police_call_no=TEXT, noticed_at=DATES, anonymous=st.booleans()),
            order=members(case_no=TEXT, result=st.sampled_from(["01", "9"]), terms=st.lists(members(item=st.sampled_from(["29-1", "x"]), detail=TEXT), max_size=2),
                          valid_from=DATES, urgent=st.booleans(), document=members(digest=st.just("sm3:" + "a" * 64))),
            judgment=members(case_no=TEXT, result=st.sampled_from(["revoked", "x"])), police=members(status=st.sampled_from(["criminal_case", "x"])),
            evidence=st.lists(members(kind=st.just("photo"), holder=st.sampled_from(["医院", "x"])), max_size=2), legal_aid=members(decision=st.just("granted"), lawyer=TEXT),
            consent=members(status=st.sampled_from(["given", "refused", "withdrawn"]), consent_id=TEXT), _disclosure=st.dictionaries(st.sampled_from(["minor.name", "harm.types"]), TEXT, max_size=2),
            measures=st.lists(members(code=st.just("A06"), executor=TEXT), max_size=2), visit=members(visited_at=DATES),
        )
    )  # fmt: skip
    people = draw(st.lists(PERSON, max_size=4))
    roles = st.lists(
        st.sampled_from(["minor", "guardian", "infringer", "other", "carer", "applicant"]),
        min_size=1,
        max_size=2,
        unique=True,
    )
    refs = draw(st.permutations(["p1", "p2", "p3", "p4", "kind"]))
    if people:
        persons = [{"ref": refs[n], "roles": draw(roles), **person} for n, person in enumerate(people)]
        for person in persons:
            if draw(st.booleans()):
                person["of"] = draw(st.sampled_from([other["ref"] for other in persons]))
        data["persons"] = persons
    return without_empty(data)


def without_empty(value: object) -> object:
    """Empty groups say nothing and are not kept."""
    if isinstance(value, dict):
        return {key: below for key, inner in value.items() if (below := without_empty(inner)) not in ({}, [])}
    if isinstance(value, list):
        return [below for inner in value if (below := without_empty(inner)) not in ({}, [])]
    return value


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("code", ["1.2E+17", "12.", "00", "１２", " 4401 "])
def test_a_school_code_that_reads_like_a_ruined_number_survives_as_it_is(name, code):
    adapter = ADAPTERS[name]
    data = {"persons": [{"ref": "p1", "roles": ["minor"], "school": {"code": code}}]}
    encoded = adapter.encode(
        release(data, "RPT-M", str(adapter.agency)), office(str(adapter.agency)), adapter.media_types[0]
    )
    (back,) = adapter.decode(encoded.body, encoded.media_type, office(str(adapter.agency)), {}).items
    assert by_ref(back.data) == by_ref(data)


@pytest.mark.parametrize("name", ADAPTERS)
@BOUNDED
@given(data=bodies(), kind=st.sampled_from(["RPT-M", "GRD-P", "GRD-R", "LED", "REF", "ANS"]))
def test_decoding_what_was_encoded_gives_it_back(name, data, kind):
    adapter = ADAPTERS[name]
    encoded = adapter.encode(
        release(data, kind, str(adapter.agency)), office(str(adapter.agency)), adapter.media_types[0]
    )
    (back,) = adapter.decode(encoded.body, encoded.media_type, office(str(adapter.agency)), {}).items
    assert isinstance(back, SubmittedNotice), back
    assert by_ref(back.data) == by_ref(data)
    assert back.type == kind


def total(adapter, raw, media_type):
    started = time.thread_time()
    items = adapter.decode(raw, media_type, office(str(adapter.agency)), {}).items
    assert time.thread_time() - started < 1
    assert items
    for item in items:
        assert isinstance(item, SubmittedNotice | RefusedItem)


@pytest.mark.parametrize("name", ADAPTERS)
@BOUNDED
@given(raw=st.binary(max_size=300))
def test_any_bytes_have_an_outcome(name, raw):
    for media_type in ADAPTERS[name].media_types:
        total(ADAPTERS[name], raw, media_type)


@pytest.mark.parametrize("name", ADAPTERS)
@BOUNDED
@given(data=st.data())
def test_a_damaged_message_has_an_outcome(name, data):
    adapter = ADAPTERS[name]
    body = {
        "persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测", "birth_date": "2015-03-01", "difficulty": ["D31"]}],
        "harm": {"types": ["H21"], "narrative": "文"}, "measures": [{"code": "A06"}], "urgency": 2,
    }  # fmt: skip
    raw = bytearray(
        adapter.encode(
            release(body, "RPT", str(adapter.agency)), office(str(adapter.agency)), adapter.media_types[0]
        ).body
    )
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                raw[at] = data.draw(st.integers(0, 255))
            case 1:
                del raw[at : at + data.draw(st.integers(1, 20))]
            case 2:
                raw[at:at] = data.draw(st.binary(max_size=8))
            case _:
                raw[at:at] = raw[max(0, at - 30) : at]
        if not raw:
            break
    total(adapter, bytes(raw), adapter.media_types[0])
