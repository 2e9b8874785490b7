"""A node whose background ended is half a node: it says so, by kind, and ends, so that it is started again."""

import json

import pytest

from gateway import assembly
from gateway.assembly import create
from gateway.cli.serve import BackgroundEnded, _serve
from gateway.config import ServerSettings, Settings

pytestmark = pytest.mark.slow


async def test_a_node_ends_when_something_it_does_by_itself_fails_unforeseen(tmp_path, monkeypatch, capfd):
    settings = Settings(
        name="test.hutong.example", directory=tmp_path / "data", key_directory=tmp_path / "keys", server=ServerSettings(port=0)
    )  # fmt: skip
    await create(settings, by="test")

    async def fails(_):
        raise ZeroDivisionError("李小测 must not be told")

    monkeypatch.setattr(assembly, "_tell_of_emergencies", fails)
    with pytest.raises(BackgroundEnded):
        await _serve(settings)
    told = capfd.readouterr().err
    (line,) = [json.loads(one) for one in told.splitlines() if "background_ended" in one]
    assert line["error"] == "ZeroDivisionError"
    assert "李小测" not in told
