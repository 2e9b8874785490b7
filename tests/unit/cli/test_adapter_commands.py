"""Do `hutong adapter` and `hutong simulate` do what they say, with the exit codes they say?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.cli.submit import media_type_of


def hutong(*arguments: str):
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    done = hutong("simulate", "--seed", "2", "--cases", "2", "--out", str(folder), "--json")
    assert done.exit_code == 0
    return folder, {entry["file"]: entry for entry in json.loads(done.stdout)["messages"]}


def test_simulate_writes_what_its_list_says(cases):
    folder, listed = cases
    assert {path.name for path in folder.iterdir()} == {*listed, "cases.json"}
    assert json.loads((folder / "cases.json").read_text("utf-8"))["messages"] == list(listed.values())


def test_list_names_every_adapter_with_its_types():
    rows = {row["name"]: row for row in json.loads(hutong("adapter", "list", "--json").stdout)}
    assert {"health", "police", "canonical"} <= set(rows)
    assert "GRD-P" in rows["courts"]["sends"]
    assert "病" not in hutong("adapter", "list").stdout


def test_decode_shows_canonical_data_gaps_and_outcome_of_every_generated_file(cases):
    folder, listed = cases
    for name, entry in listed.items():
        done = hutong("adapter", "decode", entry["agency"], str(folder / name), "--json")
        assert done.exit_code == 0, (name, done.output)
        for item in json.loads(done.stdout):
            assert item["outcome"] == ("accepted-with-gaps" if item["gaps"] else "accepted")
            assert all(gap["position"] and gap["code"] for gap in item["gaps"])
            assert item["provenance"]


def test_decode_refuses_real_identities_unless_told_otherwise(tmp_path):
    # a made-up number with the area of a division that was abolished long ago; the check digit does not hold
    text = "<REQUEST><HEAD><XXLX>WCNRTB</XXLX><XLH>1</XLH></HEAD><BODY><SHR><GMSFHM>110110201503010010</GMSFHM></SHR></BODY></REQUEST>"
    file = tmp_path / "one.xml"
    file.write_text(text, encoding="utf-8")
    refused = hutong("adapter", "decode", "police", str(file))
    assert refused.exit_code == 3
    assert "110110" not in refused.output
    assert hutong("adapter", "decode", "police", str(file), "--allow-real").exit_code == 0


def test_decode_says_no_with_position_and_remedy(tmp_path):
    file = tmp_path / "broken.xml"
    file.write_text("<REQUEST><HEAD>", encoding="utf-8")
    done = hutong("adapter", "decode", "police", str(file), "--json")
    assert done.exit_code == 1
    (item,) = json.loads(done.stdout)
    assert item["outcome"] == "refused"
    assert all(problem["position"] and problem["remedy"] for problem in item["problems"])


@pytest.mark.parametrize("agency", ["police", "courts", "education", "health", "womens_federation"])
def test_encode_writes_what_decode_reads_back(tmp_path, agency):
    data = {
        "persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测", "id_type": "ID", "id_no": "999999201503010016"}]
    }
    source = tmp_path / "notice.json"
    document = {
        "type": "hutong.notice.RPT.v1",
        "id": "N-1",
        "time": "2026-03-01T10:00:00+08:00",
        "data": data,
        "reporter": {"name": "测试报告人"},
    }
    source.write_text(json.dumps(document), encoding="utf-8")
    target = tmp_path / "native"
    told = json.loads(hutong("adapter", "encode", agency, str(source), "--out", str(target), "--json").stdout)
    done = hutong("adapter", "decode", agency, str(target), "--media-type", told["media_type"], "--json")
    (item,) = json.loads(done.stdout)
    assert (item["type"], item["id"], item["data"]) == ("RPT", "N-1", data)
    assert "测试报告人" not in done.stdout
    source.write_text(done.stdout, encoding="utf-8")
    hutong("adapter", "encode", agency, str(source), "--out", str(target))  # takes what `decode --json` prints
    done = hutong("adapter", "decode", agency, str(target), "--media-type", told["media_type"], "--json")
    assert json.loads(done.stdout)[0]["data"] == data


@pytest.mark.parametrize(
    "arguments",
    [("adapter", "decode", "nobody", __file__), ("adapter", "encode", "canonical", __file__), ("simulate",)],
)
def test_wrong_usage_ends_with_two(arguments):
    assert hutong(*arguments).exit_code == 2


def test_check_ends_with_one_when_a_promise_is_broken(monkeypatch):
    from gateway.cli import adapter as commands
    from tests.adapters.third_party import Careless

    monkeypatch.setattr(commands, "load_adapters", lambda: {"cyberspace": Careless({"RPT"})})
    done = hutong("adapter", "check", "cyberspace", "--effort", "5", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["conforms"] is False


def test_check_ends_with_zero_for_a_conforming_adapter():
    done = hutong("adapter", "check", "civil_affairs", "--effort", "5")
    assert done.exit_code == 0, done.output
    assert "FAILED" not in done.output


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ([{"specversion": "1.0"}], "application/cloudevents-batch+json"),
        ({"specversion": "1.0"}, "application/cloudevents+json"),
        ([{"head": {"ywlx": "LED_ADD"}}], "application/json"),
        ({"head": {}}, "application/json"),
        ({"resourceType": "Bundle"}, "application/fhir+json"),
        ([{"resourceType": "Patient"}], "application/fhir+json"),
        ([], "application/json"),
        ("text", "application/json"),
    ],
)
def test_a_json_file_is_told_by_what_is_in_it(document, kind):
    assert media_type_of(Path("notice.json"), json.dumps(document).encode()) == kind


def test_decode_says_what_intake_would_refuse_at_its_place_in_the_message(tmp_path):
    file = tmp_path / "adult.hl7"
    file.write_text("MSH|^~\\&|HIS||X||20261101||ADT^A01|1|P|2.4\rPID|1||7||王测||19800101|F\r")
    done = hutong("adapter", "decode", "health", str(file))
    assert done.exit_code == 1
    assert "网关将拒收 intake refuses PID: [missing-person]" in done.output
