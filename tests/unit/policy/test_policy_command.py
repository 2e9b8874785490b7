"""hutong policy answers on the command line, in JSON and with exit codes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from click.testing import CliRunner

from gateway.cli.policy import policy
from tests.unit.policy.default_pack import ROOT

DAY = ["--as-of", "2026-06-01"]


def folder(tmp_path: Path, name: str, old: str = "", new: str = "") -> str:
    """A copy of the pack with one text of the persons file replaced."""
    copy = tmp_path / name
    shutil.copytree(ROOT / "policies", copy)
    path = copy / "disclosure/persons.yaml"
    text = path.read_text()
    assert not old or text.count(old) == 1
    path.write_text(text.replace(old, new))
    return str(copy)


def test_check_and_test_say_yes_of_the_pack() -> None:
    checked = CliRunner().invoke(policy, ["check", "--json", *DAY])
    assert checked.exit_code == 0 and json.loads(checked.output)["holds"]
    tested = CliRunner().invoke(policy, ["test", "--json", *DAY])
    assert tested.exit_code == 0 and json.loads(tested.output)["misses"] == []


def test_check_prints_file_line_and_rows_of_a_fault_and_exits_with_one(tmp_path: Path) -> None:
    wrong = folder(
        tmp_path, "wrong", "fields: [guardian.relation]\n    show: generalise", "fields: [minor.id_no]\n    show: clear"
    )
    told = CliRunner().invoke(policy, ["check", wrong, *DAY])
    assert told.exit_code == 1
    assert f"{wrong}/disclosure/persons.yaml:" in told.stderr and "education" in told.stderr
    listed = json.loads(CliRunner().invoke(policy, ["check", "--json", wrong, *DAY]).output)
    assert {problem["code"] for problem in listed["problems"]} >= {"proof-implies"}
    assert all(re.match("[\u3400-\u9fff].* / ", problem["message"], re.DOTALL) for problem in listed["problems"])


def test_a_draft_begins_as_a_copy_and_never_over_something(tmp_path: Path) -> None:
    draft = str(tmp_path / "draft")
    assert CliRunner().invoke(policy, ["copy", "shipped", draft]).exit_code == 0
    assert (tmp_path / "draft/schemas/disclosure.schema.json").is_file() and (
        tmp_path / "draft/cases/s1.yaml"
    ).is_file()
    assert CliRunner().invoke(policy, ["diff", "shipped", draft, *DAY]).exit_code == 0
    shutil.rmtree(tmp_path / "draft/cases")
    untested = CliRunner().invoke(policy, ["test", draft, *DAY])
    assert untested.exit_code == 1 and "nothing was tested" in untested.output
    again = CliRunner().invoke(policy, ["copy", "shipped", draft])
    assert again.exit_code == 3 and "already" in again.stderr
    assert CliRunner().invoke(policy, ["check", "nowhere", *DAY]).exit_code == 3


def test_diff_tells_in_both_languages_and_exits_with_one(tmp_path: Path) -> None:
    text = "where: {recipient_agency: [womens_federation]}\n    fields: [school]"
    old, new = (
        folder(tmp_path, "old"),
        folder(tmp_path, "new", text, text.replace("federation]", "federation, judiciary]")),
    )
    told = CliRunner().invoke(policy, ["diff", old, new, *DAY])
    assert told.exit_code == 1
    assert "接收机构＝司法行政" in told.output and "recipient agency is justice bureau" in told.output
    assert CliRunner().invoke(policy, ["diff", old, old, *DAY]).exit_code == 0


def test_why_who_sees_and_ceiling_answer_in_json() -> None:
    given = [
        "recipient_agency=education",
        "recipient_role=executor",
        "purpose=P05",
        "notice_type=REF",
        "emergency=no",
        "suspended=no",
    ]
    options = [part for one in given for part in ("--fact", one)]
    why = json.loads(
        CliRunner().invoke(policy, ["why", "minor.name", *options, "--accept", "all", "--json", *DAY]).output
    )
    assert why["shown"] == "withhold" and why["missed"][0] == {"id": "identity-own", "facts": ["own_subject"]}
    seen = json.loads(CliRunner().invoke(policy, ["who-sees", "harm.narrative", "--json", *DAY]).output)
    assert {"clear", "summary"} == {row["after"] for row in seen["rows"]}
    most = json.loads(
        CliRunner().invoke(policy, ["ceiling", "--fact", "recipient_agency=education", "--json", *DAY]).output
    )
    assert "harm.types" not in most["fields"] and most["fields"]["minor.name"] == "clear"


def test_wrong_facts_and_fields_are_refused() -> None:
    assert CliRunner().invoke(policy, ["why", "minor.nothing", *DAY]).exit_code == 2
    assert CliRunner().invoke(policy, ["why", "minor.name", "--fact", "recipient_agency=nobody", *DAY]).exit_code == 3
