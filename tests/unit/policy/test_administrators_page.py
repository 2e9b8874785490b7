"""Every command of the administrators' page exists with the options it is written with, and what files decide is as it prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.engines.files.packs import pack_files
from tests.unit.policy.default_pack import ROOT

PAGE = (ROOT / "docs/administrators.md").read_text(encoding="utf-8")


def test_what_the_tools_say_of_a_draft_is_what_the_page_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own example: the procuratorate is no longer told whether a school is concerned."""
    files = pack_files()
    school = "where: {recipient_agency: [civil_affairs, police, education, courts, procuratorate]}"
    assert files["disclosure/notice.yaml"].count(school) == 1
    files["disclosure/notice.yaml"] = files["disclosure/notice.yaml"].replace(
        school, school.replace(", procuratorate", "")
    )
    for name, text in files.items():
        path = tmp_path / "draft" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command in ("check draft", "test draft", "diff shipped draft"):
        printed = PAGE.split(f"$ hutong policy {command}\n", 1)[1].split("```", 1)[0]
        said = CliRunner().invoke(main, ["policy", *command.split()]).output
        assert re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", said) == printed, command


def test_every_command_of_the_page_is_a_command_with_these_options() -> None:
    lines = re.findall(r"^\$ hutong (.+)$", PAGE, re.MULTILINE)
    assert len(lines) >= 10
    for line in lines:
        command, words = main, shlex.split(line)
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, line
            command, words = found, words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
