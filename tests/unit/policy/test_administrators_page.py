"""Every command of the administrators' page exists, with the options it is written with."""

from __future__ import annotations

import re
import shlex

import click

from gateway.cli.main import main
from tests.unit.policy.default_pack import ROOT


def test_every_command_of_the_page_is_a_command_with_these_options() -> None:
    text = (ROOT / "docs/administrators.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ hutong (.+)$", text, re.MULTILINE)
    assert len(lines) >= 10
    for line in lines:
        command, words = main, shlex.split(line)
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, line
            command, words = found, words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
