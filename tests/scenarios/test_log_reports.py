"""What a compliance officer, a court, a guardian and an auditor get from the log, on the command line and over HTTP."""

from __future__ import annotations

import asyncio
import base64
import getpass
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.audit.verifier import main
from gateway.client.agency import AgencyClient, Profile
from tests.scenarios.test_operators_and_offices import pull, submit
from tests.scenarios.test_restored_backup import wait_until_signed
from tests.support.gateway_process import GatewayProcess

CHILD = "ID:999999201503010016"
ME = getpass.getuser()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("reports")
    process = GatewayProcess(folder / "g").start()
    process.add_office("health.440113", "health")
    process.add_office("police.440113", "police")
    for office, role in (("procuratorate.440113", "auditor"), ("procuratorate.440100", "witness")):
        process.here("office", "add", office, "--name", "测试检察院", "--profile", str(process.profiles),
                    "--attribute", f"log_role={role}")  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUTONG_OPERATOR", ME)
        process.here("role", "grant", "officer", "compliance-officer")
        patch.setenv("HUTONG_OPERATOR", "officer")
        submit(process, "WJ-1", folder)
        assert pull(process, "police.440113")
        size = json.loads(process.here("log", "verify", "--json").stdout)["size"]
        wait_until_signed(process, size - 1)
        yield process
    process.stop()


def report(gateway: GatewayProcess, *arguments: str) -> Any:
    return json.loads(gateway.here("log", "report", *arguments, "--format", "json").stdout)


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def offline(*arguments: str) -> int:
    return main(arguments)


def test_who_saw_this_child_names_the_office_the_fields_and_their_forms(gateway: GatewayProcess) -> None:
    made = report(gateway, "who-saw", "--person", CHILD)
    assert [row["recipient"] for row in made["rows"]] == ["测试单位 police.440113（police.440113）"]
    assert "儿童：" in made["rows"][0]["fields"] and "姓名（原文）" in made["rows"][0]["fields"]
    assert made["rows"][0]["purpose"].startswith("P02 侦办")
    assert "未成年人保护法第11条" in made["rows"][0]["basis"]
    assert made["rows"][0]["followed_by"].startswith("已送达")


def test_a_childs_report_verifies_offline_as_complete(gateway: GatewayProcess, tmp_path: Path) -> None:
    policy, bundle, page = tmp_path / "trust.policy", tmp_path / "evidence.json", tmp_path / "report.html"
    policy.write_text(gateway.here("log", "trust").stdout)
    gateway.here("log", "report", CHILD, "--format", "bundle", "--out", str(bundle))
    assert offline("report", str(bundle), "--policy", str(policy)) == 0
    gateway.here("log", "report", CHILD, "--out", str(page))
    text = page.read_text()
    assert "儿童个人信息提供情况报告" in text and "hutong_verify.py report evidence.json" in text
    assert "李小测" not in text
    record = json.loads(bundle.read_text())
    del record["records"][-1]
    bundle.write_text(json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
    assert offline("report", str(bundle), "--policy", str(policy)) == 1, "a record that is left out is found"


def test_a_guardian_in_conflict_a_stranger_and_an_unknown_child_get_the_same_neutral_words(
    gateway: GatewayProcess,
) -> None:
    answers = {
        gateway.here("log", "report", child, "--for-guardian", guardian, "--format", "json").stdout
        for child, guardian in (
            (CHILD, "ID:999999198001010011"),
            (CHILD, CHILD),
            ("ID:999999201201010011", "ID:999999198001010011"),
        )
    }
    assert len(answers) == 1


def test_the_chain_of_a_child_is_verified_against_the_whole_log_and_that_is_logged(gateway: GatewayProcess) -> None:
    (chain,) = json.loads(gateway.here("log", "verify", "--person", CHILD, "--json").stdout)
    assert chain["whole"] and chain["records"] >= 2 and chain["size"] > chain["records"]
    assert "记录链完整" in gateway.here("log", "verify", "--person", CHILD).stdout
    about = json.loads(gateway.here("log", "search", "--person", CHILD, "--event", "log_read", "--json").stdout)
    assert len(about) >= 2


def test_naming_a_child_takes_a_compliance_officer(gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUTONG_OPERATOR", ME)
    for command in (
        ("log", "search", "--person", CHILD),
        ("log", "report", CHILD),
        ("log", "report", "who-saw", "--person", CHILD),
        ("log", "verify", "--person", CHILD),
    ):
        assert gateway.here(*command, check=False).returncode == 3


@pytest.mark.parametrize(
    "name",
    ["reporter-exposure", "after-contract-end", "emergency", "consent-only-under-14", "sealed-exceptions",
     "disposal-unconfirmed", "completeness"],
)  # fmt: skip
def test_every_named_report_is_made_in_every_format(gateway: GatewayProcess, name: str, tmp_path: Path) -> None:
    made = report(gateway, name)
    assert made["holds"] is True, made["verdict"]
    assert made["columns"] and made["verdict"]
    assert gateway.here("log", "report", name, "--format", "csv").stdout.startswith("\ufeff")
    page = gateway.here("log", "report", name).stdout
    assert "<table>" in page
    attached = re.search('download="evidence.json" href="data:application/json;base64,([^"]+)"', page)
    assert attached, "an answer of nothing has its evidence too: the log as it was signed"
    put(tmp_path / "evidence.json", base64.b64decode(attached[1]))
    put(tmp_path / "policy", gateway.here("log", "trust").stdout.encode())
    assert offline("bundle", str(tmp_path / "evidence.json"), "--policy", str(tmp_path / "policy")) == 0


def test_a_report_long_after_the_facts_is_listed_as_late(gateway: GatewayProcess) -> None:
    made = report(gateway, "late-reports")
    assert [row["sender"] for row in made["rows"]] == ["health.440113"]


def test_the_search_finds_by_child_field_basis_officer_and_time(gateway: GatewayProcess) -> None:
    def found(*conditions: str) -> set[str]:
        rows = json.loads(gateway.here("log", "search", *conditions, "--json").stdout)
        return {row["event"] for row in rows}

    assert found("--person", CHILD) >= {"notice_accepted", "disclosure_decided"}
    assert found("--field", "minor.name") == {"disclosure_decided"}
    assert found("--field", "minor.placement.address") == set()
    assert "notice_accepted" in found("--basis", "L20", "--since", "2026-01-01T00:00:00+08:00")
    assert found("--until", "2026-01-01T00:00:00+08:00") == set()
    assert "staff_enrolled" in found("--officer", f"staff/{ME}")
    assert "staff_enrolled" not in found("--officer", "staff/officer")


@pytest.mark.parametrize(
    "slip",
    [("--event", "disclosure_decide"), ("--field", "minor.nmae"), ("--office", "police.44011")],
    ids=lambda slip: slip[0],
)  # fmt: skip
def test_a_slip_in_a_search_is_named_and_not_answered_as_if_nothing_had_happened(
    gateway: GatewayProcess, slip: tuple[str, str]
) -> None:
    asked = gateway.here("log", "search", *slip, check=False)
    assert (asked.returncode, "invalid-document" in asked.stderr) == (3, True), asked.stdout


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("reporter-exposure", ("--person", CHILD)),
        ("completeness", ("--since", "2026-01-01T00:00:00+08:00")),
        ("after-contract-end", ("--office", "contractor.440113.nobody")),
        ("after-contract-end", ("--office", "police.440113")),
        ("reporter-exposure", ("--notice", "00000000-0000-7000-8000-000000000000")),
    ],
    ids=lambda one: one if isinstance(one, str) else one[0],
)  # fmt: skip
def test_a_condition_that_a_report_cannot_answer_is_refused_and_not_left_aside(
    gateway: GatewayProcess, name: str, condition: tuple[str, str]
) -> None:
    asked = gateway.here("log", "report", name, *condition, check=False)
    assert asked.returncode == 3 and not asked.stdout


def test_a_report_that_does_not_exist_is_no_person(gateway: GatewayProcess) -> None:
    asked = gateway.here("log", "report", "late-report", check=False)
    assert (asked.returncode, "no such report" in asked.stderr) == (3, True)


def test_every_reading_and_report_is_itself_in_the_log(gateway: GatewayProcess) -> None:
    report(gateway, "emergency")
    rows = json.loads(gateway.here("log", "search", "--event", "log_report_made", "--json").stdout)
    assert rows[0]["envelope"]["report"] == "emergency"


def test_an_export_verifies_offline(gateway: GatewayProcess, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    gateway.here("log", "export", str(folder))
    policy, records = str(folder / "trust.policy"), str(folder / "records.jsonl")
    assert offline("log", str(folder), "--policy", policy, "--records", records) == 0
    tile = next(folder.glob("tile/entries/**/*.p/*"))
    changed = bytearray(tile.read_bytes())
    changed[40] ^= 1
    tile.write_bytes(changed)
    assert offline("log", str(folder), "--policy", policy, "--records", records) == 1


def test_auditors_and_witnesses_read_over_http_and_to_others_the_log_does_not_exist(gateway: GatewayProcess) -> None:
    async def statuses(office: str, calls: list[tuple[str, str, Any]]) -> list[int]:
        async with AgencyClient(Profile.load(gateway.profiles, office)) as client, aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {await client.token()}"}
            got = []
            for method, path, body in calls:
                async with session.request(method, gateway.url + path, json=body, headers=headers) as answer:
                    await answer.read()
                    got.append(answer.status)
            return got

    calls: list[tuple[str, str, Any]] = [
        ("GET", "/log/checkpoint", None),
        ("GET", "/v1/log/consistency?from=1&to=3", None),
        ("GET", "/v1/log/reports", None),
        ("POST", "/v1/log/records:search", {"event": "notice_accepted"}),
        ("POST", "/v1/log/reports/completeness", {"format": "csv"}),
        ("POST", "/v1/log/records:search", {"person": CHILD}),
        ("POST", "/v1/log/person-report", {"person": CHILD}),
    ]
    assert asyncio.run(statuses("procuratorate.440113", calls)) == [200, 200, 200, 200, 200, 404, 404]
    assert asyncio.run(statuses("procuratorate.440100", calls)) == [200, 200, 404, 404, 404, 404, 404]
    assert asyncio.run(statuses("police.440113", calls)) == [404] * len(calls)


def test_two_officers_join_two_records_of_one_child_on_the_command_line(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUTONG_OPERATOR", ME)
    gateway.here("role", "grant", "second", "compliance-officer")
    number = CHILD.removeprefix("ID:")
    submit(gateway, "WJ-9", tmp_path, **{f"~{number}^^^GA^NI": ""})
    monkeypatch.setenv("HUTONG_OPERATOR", "officer")
    listed = gateway.here("person", "proposals").stdout
    proposals = json.loads(gateway.here("person", "proposals", "--json").stdout)["proposals"]
    assert len(proposals) == 2, "the child by name and birth date, its mother by name and telephone"
    two, others = [[one[side]["person"] for side in ("first", "second")] for one in proposals]
    assert all(person in listed for person in (*two, *others))
    for secret in (number, "李小测", "2015-03-01", "20150301"):
        assert secret not in listed + json.dumps(proposals, ensure_ascii=False)
    join = ("person", "join", *two, "--reason", "same-case")
    assert "须另一人" in gateway.here(*join).stdout
    assert gateway.here(*join, check=False).returncode == 3, "nobody stands for both"
    assert json.loads(gateway.here(*join, "--as", "second", "--json").stdout)["state"] == "joined"
    assert "认定不是同一人" in gateway.here("person", "decline", *others, "--reason", "two-persons").stdout
    assert "（无 none）" in gateway.here("person", "proposals").stdout
    assert two[0] in gateway.here("person", "proposals", "--joined").stdout
    erased = gateway.here("erase", two[1]).stdout
    assert two[0] in erased, "whoever erases one is told of the other"
    assert gateway.here("person", "decline", *two, "--reason", "twins", check=False).returncode == 3
