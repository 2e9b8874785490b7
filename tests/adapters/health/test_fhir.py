"""FHIR R4, judged by another reader: `fhir.resources` (R4B models) says what is in the input and whether we write R4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from adapters.health import ADAPTER
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import by_ref, decode_one, office, release
from tests.adapters.health.fhir_input import FHIR, bundle, decode, one
from tests.support.samples import needs_samples, sample_files

EXAMPLES = sorted((Path(str(schemas.__file__)).parent / "examples").glob("*/pass*.json"))


# --- an independent reading ---


def independent(document: dict[str, Any]) -> list[Any]:
    """Every Patient and RelatedPerson of the document, as fhir.resources models, bundles in bundles too."""
    if document["resourceType"] != "Bundle":
        model = get_fhir_model_class(document["resourceType"])
        resources = [model.model_validate(document)]
    else:
        resources = [entry.resource for entry in Bundle.model_validate(document).entry or () if entry.resource]
    found: list[Any] = []
    for resource in resources:
        if resource.get_resource_type() == "Bundle":
            found.extend(e.resource for e in resource.entry or () if e.resource)
        found.append(resource)
    return [person for person in found if person.get_resource_type() in ("Patient", "RelatedPerson")]


def tells_nothing(person: Any) -> bool:
    names = ("identifier", "name", "telecom", "gender", "birthDate", "address")
    return not any(getattr(person, name) for name in names)


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize("path", sample_files("fhir-r4", "*.json"), ids=lambda path: path.stem)
def test_every_sample_is_accepted_with_its_people_or_refused_with_a_position(path):
    document = json.loads(path.read_bytes())
    items = decode(path.read_bytes())
    people = [person for person in independent(document) if not tells_nothing(person)]
    for item in items:
        if isinstance(item, RefusedItem):
            assert all(problem.position and problem.remedy for problem in item.problems)
    taken = [item for item in items if isinstance(item, SubmittedNotice)]
    ours = [person for item in taken for person in item.data["persons"]]
    every_gap = [gap for item in taken for gap in item.gaps]
    contacts = sum(len(getattr(person, "contact", None) or ()) for person in people)
    assert len(people) <= len(ours) <= len(people) + contacts
    assert sorted(str(p.birthDate) for p in people if p.birthDate) == sorted(p["birth_date"] for p in ours if "birth_date" in p)  # fmt: skip
    sexes = {"male": "1", "female": "2", "other": "9", "unknown": "0"}
    assert (
        sorted(sexes[p.gender] for p in people if p.gender)
        == sorted(p["sex"] for p in ours[: len(people)] if "sex" in p)
        or contacts
    )
    said = {i.value for p in people for i in p.identifier or () if i.value}
    assert {p[name] for p in ours for name in ("key", "id_no") if name in p} <= said
    gaps = [gap for gap in every_gap if gap.code in ("identifier", "old-value")]
    assert len({p.get(name) for p in ours for name in ("key", "id_no")} - {None}) + len(gaps) >= len(said)
    for person in people:
        for name in person.name or ():
            words = set((name.text or " ".join(filter(None, [*(name.given or ()), name.family]))).split())
            whole = [str(p.get(key, "")) for p in ours for key in ("name", "alias")]
            assert any(
                words <= set(text.split()) or "".join(sorted(words)) == "".join(sorted(text)) for text in whole
            ) or any(gap.code == "repeated" for gap in every_gap)


# --- what we write ---


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_release_is_valid_r4(path):
    document = json.loads(path.read_text("utf-8"))
    written = ADAPTER.encode(
        release(document.get("data", document), path.parent.name, "health"), office("health"), FHIR
    )
    assert written.media_type == FHIR
    read = Bundle.model_validate_json(written.body)
    assert read.type == "message"
    assert read.entry[0].resource.get_resource_type() == "MessageHeader"
    urls = {entry.fullUrl for entry in read.entry}
    assert len(urls) == len(read.entry)
    text = written.body.decode()
    references = {part.split('"')[0] for part in text.split('"reference":"')[1:]}
    assert references <= urls
    assert '""' not in text


def test_what_is_withheld_is_absent_whether_or_not_it_exists():
    shown = {"persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测"}], "urgency": 1}
    written = json.loads(ADAPTER.encode(release(shown, "RPT", "health"), office("health"), FHIR).body)
    (patient,) = [e["resource"] for e in written["entry"] if e["resource"]["resourceType"] == "Patient"]
    assert set(patient) == {"resourceType", "name"}


def test_a_release_without_a_patient_says_unknown_where_r4_wants_a_subject():
    data = {"needs": ["medical"], "urgency": 1}
    body = ADAPTER.encode(release(data, "REF", "health"), office("health"), FHIR).body
    assert b"data-absent-reason" in body
    assert decode_one(ADAPTER, body, "health", FHIR).data == data


def test_relatives_of_several_children_come_back_to_their_own_child():
    data = {
        "persons": [
            {"ref": "p1", "roles": ["minor"], "name": "甲一", "birth_date": "2019-02"},
            {"ref": "p2", "roles": ["minor"], "name": "甲二", "birth_date": "2021"},
            {"ref": "p3", "roles": ["guardian"], "name": "甲父", "relation": "51", "of": "p2"},
        ]
    }
    body = ADAPTER.encode(release(data, "LED", "health"), office("health"), FHIR).body
    assert by_ref(decode_one(ADAPTER, body, "health", FHIR).data) == by_ref(data)


# --- what we read ---


MOTHER = {
    "resourceType": "RelatedPerson", "~url": "http://his.example/fhir/RelatedPerson/m", "id": "m",
    "patient": {"reference": "Patient/b"}, "name": [{"text": "某某"}],
    "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "NMTH"}]}],
}  # fmt: skip


def twin(logical: str, name: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "~url": f"http://his.example/fhir/Patient/{logical}", "id": logical,
        "name": [{"text": name}], "gender": "female", "birthDate": "2026-02-27",
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "999999202602270029" if logical == "b" else ""}],
    }  # fmt: skip


def test_an_id_that_repeats_its_type_is_found_as_its_sender_means_it():
    mother = {**MOTHER, "patient": {"reference": "Patient/b"}}
    notice = one(bundle({**twin("b", "某某之女"), "id": "Patient/b", "~url": "urn:uuid:1"}, mother))
    assert notice.data["persons"][1]["of"] == "p1"


@pytest.mark.parametrize("written", ["Patient/b", "http://his.example/fhir/Patient/b", "Patient/b/_history/2"])
def test_a_reference_finds_its_patient_however_it_is_written(written):
    mother = {**MOTHER, "patient": {"reference": written}}
    notice = one(bundle(twin("a", "某某之女一"), twin("b", "某某之女二"), mother, kind="message"))
    assert [person.get("of") for person in notice.data["persons"]] == [None, None, "p2"]
    assert notice.data["persons"][2]["relation"] == "52"
    assert notice.data["persons"][1]["id_type"] == "ID"


def test_a_reference_that_two_entries_answer_to_is_said_and_not_guessed():
    notice = one(bundle(twin("b", "甲"), {**twin("b", "乙"), "~url": "http://other.example/fhir/Patient/b"}, {**MOTHER, "~url": "urn:uuid:9"}, kind="message"))  # fmt: skip
    assert "of" not in notice.data["persons"][2]
    assert ("unresolved", "Bundle.entry[2].resource.patient") in [(gap.code, gap.position) for gap in notice.gaps]


def test_whoever_wrote_or_measured_goes_to_the_vault_and_nowhere_else():
    doctor = {
        "resourceType": "Practitioner",
        "~url": "urn:uuid:d",
        "name": [{"text": "报告医生"}],
        "telecom": [{"value": "13800000000"}],
    }
    colleague = {"resourceType": "Practitioner", "~url": "urn:uuid:c", "name": [{"text": "旁人"}]}
    observation = {
        "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/b"},
        "code": {"coding": [{"code": "INJ"}]}, "valueString": "新旧伤痕并存",
        "performer": [{"reference": "urn:uuid:d"}, {"display": "护士甲"}],
    }  # fmt: skip
    notice = one(bundle(twin("b", "甲"), observation, doctor, colleague))
    assert notice.reporter == {"name": "报告医生; 护士甲", "phone": "13800000000"}
    assert notice.data["harm"] == {"injury": {"text": "新旧伤痕并存"}}
    rest = json.dumps([notice.data, [vars_of(gap) for gap in notice.gaps]], ensure_ascii=False)
    assert not any(word in rest for word in ("报告医生", "护士甲", "13800000000", "旁人"))


def vars_of(gap: Any) -> list[str]:
    return [gap.code, gap.position, gap.message, gap.target]


def test_diagnoses_go_to_their_compartment_and_to_the_child_they_are_about():
    def condition(code: str, child: str, **more: Any) -> dict[str, Any]:
        concept = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]}
        return {"resourceType": "Condition", "subject": {"reference": f"Patient/{child}"}, "code": concept, **more}

    refuted = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    notice = one(
        bundle(
            twin("a", "甲"), twin("b", "乙"), condition("T74.1", "a"), condition("F43.1", "b"), condition("Z21", "a"),
            condition("T74.2", "a", **refuted), kind="message",
        )
    )  # fmt: skip
    assert notice.data["harm"] == {"injury": {"codes": ["T74.1"]}, "hiv_sti_preg": {"codes": ["Z21"]}}
    assert [person.get("mental_health") for person in notice.data["persons"]] == [None, ["F43.1"]]
    assert [gap.code for gap in notice.gaps] == ["refuted"]


def test_the_words_of_a_document_are_sensitive_text_and_its_author_is_the_reporter():
    composition = {
        "resourceType": "Composition", "status": "final", "type": {"text": "急诊记录"}, "date": "2026-03-01", "title": "记录",
        "author": [{"display": "某医生"}], "subject": {"reference": "Patient/b"},
        "section": [{"title": "现病史", "text": {"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'><p>甲&nbsp;乙</p><ul><li>丙</li></ul></div>"}}],
    }  # fmt: skip
    notice = one(bundle(composition, twin("b", "甲"), kind="document"))
    assert notice.data["harm"]["narrative"] == "现病史\n甲 乙\n丙"
    assert notice.reporter == {"name": "某医生"}


def test_a_patient_known_by_identifier_alone_is_a_person():
    subject = {
        "identifier": {"system": "urn:oid:2.16.156.10011.1.3", "value": "999999201503010016"},
        "display": "李小测",
    }
    notice = one({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject, "valueString": "甲"})  # fmt: skip
    (child,) = notice.data["persons"]
    assert (child["name"], child["id_no"], child["id_type"]) == ("李小测", "999999201503010016", "ID")


def test_bundles_in_a_bundle_and_lines_of_ndjson_are_a_batch():
    inner = [bundle(twin("b", "甲")), bundle(twin("b", "乙"), id="b-2")]
    outer = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": b} for b in inner]}
    lines = "\n".join(json.dumps(b) for b in inner).encode()
    for items in (decode(outer), ADAPTER.decode(lines, "application/fhir+ndjson", office("health"), {}).items):
        assert [item.native_id for item in items] == ["b-1", "b-2"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", "not-fhir"), (b"[]", "empty"), (b'{"resourceType": "Bundle", "entry": 3}', "not-fhir"),
        (b'{"resourceType": "Patient", "resourceType": "Patient"}', "duplicate-name"), (b"{", "not-json"),
        (b'{"resourceType":' * 60 + b"1" + b"}" * 60, "too-deep"), (b'{"resourceType": "Bundle", "type": "message"}', "no-person"),
    ],
)  # fmt: skip
def test_what_is_no_fhir_is_refused_with_a_code(raw, code):
    (item,) = decode(raw)
    assert isinstance(item, RefusedItem)
    assert [problem.code for problem in item.problems] == [code]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(
        st.sampled_from(["resourceType", "entry", "resource", "identifier", "name", "contact", "patient", "subject",
                         "reference", "code", "coding", "section", "text", "div", "extension", "url", "value", "link"]), below, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["Patient", "RelatedPerson", "Observation", "Condition", "Flag", "Consent", "MessageHeader", "Composition", "RiskAssessment"]),
    st.dictionaries(st.sampled_from(["identifier", "name", "contact", "patient", "subject", "code", "section", "extension", "telecom", "address",
                                     "relationship", "prediction", "payload", "author", "eventCoding", "birthDate", "_birthDate", "note", "id"]), JSON, max_size=6),
)  # fmt: skip
def test_no_resource_however_odd_makes_the_adapter_raise(kind, members):
    resource = {**members, "resourceType": kind}
    decode(bundle(twin("b", "甲"), resource))
    decode(resource)


def a_patient(name: str, born: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "name": [{"text": name}], "birthDate": born, **more}


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Bundle", "type": "collection", "entry": []},
        {"resourceType": "Notice", "kind": "RPT"},
        {"resourceType": 4},
        {},
        "text",
    ],
)
def test_what_may_not_stand_inside_a_resource_is_named_where_it_stands(resource):
    item = one(bundle(a_patient("李小测", "2015-03-01", contained=[{"resourceType": "Meta"}, resource])))
    assert [person["name"] for person in item.data["persons"]] == ["李小测"]
    places = [gap.position for gap in item.gaps if gap.code == "unmapped"]
    assert ("Bundle.entry[0].resource.contained[1]" in places) is (resource != {})


def test_a_request_for_an_examination_is_an_observation_and_a_need_in_our_codes_a_referral():
    child = a_patient("李小测", "2015-03-01")
    asked = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "urn:uuid:0"},
    }
    plain = one(bundle(child, {**asked, "code": {"text": "chest x-ray"}}))
    assert (plain.type, plain.data["ledger"]) == ("LED", {"change": "change", "reason": "health"})
    assert ("referral", "Bundle.entry[1].resource") in [(gap.code, gap.position) for gap in plain.gaps]
    need = {"coding": [{"system": "urn:hutong:codesystem:measure", "code": "A05"}]}
    assert one(bundle(child, {**asked, "code": need})).type == "REF"


def test_a_patient_of_whom_nothing_is_said_is_refused_where_it_stands():
    (item,) = decode(bundle({"resourceType": "Patient", "active": True, "maritalStatus": {"text": "?"}}))
    assert isinstance(item, RefusedItem)
    assert [(p.code, p.position) for p in item.problems] == [("no-person", "Bundle.entry[0].resource")]
    assert item.problems[0].remedy


@pytest.mark.parametrize(("born", "is_found"), [("2015-03-01", True), ("1999-03-01", False), ("", False)])
def test_a_message_about_an_adult_is_about_the_children_it_names(born, is_found):
    mother = a_patient("王某", "1988-01-01", gender="female")
    child = {
        "resourceType": "RelatedPerson", "patient": {"reference": "urn:uuid:0"}, "name": [{"text": "李小测"}],
        "relationship": [{"coding": [{"system": "urn:oid:2.16.156.10011.2.3.3.8", "code": "20"}]}],
    }  # fmt: skip
    item = one(bundle(mother, {**child, **({"birthDate": born} if born else {})}))
    first, second = item.data["persons"]
    if is_found:
        assert (first["name"], first["roles"], "relation" in first) == ("李小测", ["minor"], False)
        assert (second["name"], second["roles"], second["relation"], second["of"]) == ("王某", ["guardian"], "52", "p1")
        assert ("/persons/1/relation", "Bundle.entry[1].resource.relationship") in [tuple(p) for p in item.provenance]
    else:
        assert not any("minor" in person["roles"] for person in item.data["persons"])


# --- older and newer versions, and what a consent says ---


@pytest.mark.parametrize("status", ["refuted", {"coding": [{"code": "entered-in-error"}]}])
def test_a_refuted_diagnosis_is_none_in_any_version(status):
    child = {"resourceType": "Patient", "id": "1", "name": [{"text": "李小测"}], "birthDate": "2019-03-01"}
    condition = {"resourceType": "Condition", "verificationStatus": status, "code": {"coding": [{"code": "T74.1"}]}}
    item = one(bundle(child, condition))
    assert "harm" not in item.data
    assert "refuted" in {gap.code for gap in item.gaps}


def consent(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Consent", "status": "active", "scope": {"coding": [{"code": "patient-privacy"}]}, **more}


@pytest.mark.parametrize(
    ("consents", "state"),
    [
        ([consent()], "given"),
        ([consent(policyRule={"coding": [{"code": "OPTIN"}]})], "given"),
        ([consent(policyRule={"coding": [{"code": "OPTOUT"}]})], "refused"),
        ([consent(policyRule={"coding": [{"code": "OPTOUTE"}]}, provision={"type": "permit"})], "refused"),
        ([consent(decision="deny")], "refused"),
        ([consent(status="rejected")], "refused"),
        ([consent(status="inactive")], "withdrawn"),
        ([consent(provision={"type": "deny"})], None),
        ([consent(policyRule={"coding": [{"code": "OPTIN"}]}, provision={"provision": [{"type": "deny"}]})], None),
        ([consent(policyRule={"coding": [{"code": "hipaa-auth"}]})], None),
        ([consent(**{"except": [{"type": "deny"}]})], None),
        ([consent(), consent(status="rejected")], None),
    ],
)
def test_an_active_consent_is_given_only_where_nothing_in_it_says_otherwise(consents, state):
    child = {"resourceType": "Patient", "id": "1", "name": [{"text": "李小测"}], "birthDate": "2019-03-01"}
    item = one(bundle(child, *consents))
    assert item.type == "CON"
    assert item.data.get("consent", {}).get("status") == state
    assert ("consent-conditions" in {gap.code for gap in item.gaps}) is (state is None)


@pytest.mark.parametrize(("sex", "relation"), [("male", "20"), ("female", "30"), ("unknown", None)])
def test_a_natural_child_is_son_or_daughter_by_its_sex(sex, relation):
    child = {"resourceType": "Patient", "id": "1", "name": [{"text": "李小测"}], "birthDate": "2010-03-01"}
    infant = {"resourceType": "RelatedPerson", "patient": {"reference": "Patient/1"}, "name": [{"text": "李测测"}],
              "gender": sex, "relationship": [{"coding": [{"code": "NCHILD"}]}]}  # fmt: skip
    assert one(bundle(child, infant)).data["persons"][1].get("relation") == relation


def test_patients_found_by_a_search_are_a_notice_each_and_a_history_is_none():
    children = [
        {"resourceType": "Patient", "id": str(n), "name": [{"text": f"李小测{n}"}], "birthDate": "2019-03-01"}
        for n in (1, 2)
    ]
    items = decode(bundle(*children, kind="searchset"))
    assert [[p["name"] for p in item.data["persons"]] for item in items] == [["李小测1"], ["李小测2"]]
    (together,) = decode(bundle(*children, kind="document"))
    assert len(together.data["persons"]) == 2
    (history,) = decode(bundle(*children, kind="history"))
    assert isinstance(history, RefusedItem)
    assert [(p.code, p.position) for p in history.problems] == [("history", "Bundle.type")]


@pytest.mark.parametrize(
    ("coding", "kind"),
    [
        ({"code": "CIN", "display": "公民身份号码"}, "ID"),
        ({"display": "公民身份号码"}, "ID"),
        ({"code": "NNCHE"}, "OTH"),
    ],
)
def test_the_kind_of_a_number_by_national_profiles(coding, kind):
    number = {"type": {"coding": [coding]}, "value": "999999201903010018"}
    item = one({"resourceType": "Patient", "identifier": [number], "birthDate": "2019-03-01"})
    assert (item.data["persons"][0]["id_type"], item.data["persons"][0]["id_no"]) == (kind, number["value"])


@pytest.mark.parametrize(
    ("system", "number", "kind"),
    [
        ("http://ns.health.example.au/id/1.0", "8003600000000001", "OTH"),  # another country's national number
        ("http://ns.health.example.au/id/1.0", "999999201903010018", "ID"),
        ("urn:oid:2.16.840.1.113883.4.99", "12345", "OTH"),
        ("http://his.example.cn/id", "9999992019030100", None),  # a resident number that lost digits
        ("", "9999992019030100", None),
    ],
)
def test_a_national_number_of_another_country_is_no_ruined_resident_number(system, number, kind):
    said = {"type": {"coding": [{"code": "NI"}]}, "system": system, "value": number}
    item = one({"resourceType": "Patient", "identifier": [said], "birthDate": "2019-03-01"})
    (person,) = item.data["persons"]
    assert (person.get("id_type"), person.get("id_no")) == (kind, number if kind else None)
    assert ("ruined-number" in {gap.code for gap in item.gaps}) is (kind is None)
