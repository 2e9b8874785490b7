"""No setting, command or log event without its line for people."""

from pathlib import Path

import click
import pytest

from ops.write_docs import PAGES, commands, settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_as_the_code_says(page):
    written = (DOCS / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), f"run `python -m ops.write_docs` after changing what docs/{page} tells"


def test_every_setting_has_a_reason():
    assert [f"{one.table}.{one.name}" for one in settings() if not one.reason] == []


def test_every_command_says_what_it_does_in_both_languages():
    for name, command in commands():
        options = [one for one in command.params if isinstance(one, click.Option)]
        for what, told in ((name, command.help), *((f"{name} {one.opts[0]}", one.help) for one in options)):
            assert any("\u4e00" <= sign <= "\u9fff" for sign in told or ""), what
            assert any(sign.isascii() and sign.isalpha() for sign in told or ""), what
