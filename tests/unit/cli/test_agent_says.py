"""What an agent says when it cannot start: what is wrong and what to do, never a traceback."""

from __future__ import annotations

import socket

import pytest

from gateway.cli.agent import agent
from gateway.crypto.signing import new_signing_key
from gateway.engines.files.lock import OwnerLock

OFFICE = "health.440113"


@pytest.fixture
def start(tmp_path, capfd):
    key, folder = new_signing_key(), tmp_path / "offices" / OFFICE
    folder.mkdir(parents=True)
    (folder / "key.pem").write_bytes(key.private_bytes())
    told = f'office = "{OFFICE}"\nurl = "http://127.0.0.1:9"\nkey = "key.pem"\nkid = "{key.kid}"\n'
    (folder / "office.toml").write_text(told)

    def started(*options: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            agent.main(["--as", OFFICE, "--profile", str(tmp_path / "offices"), *options])
        return ended.value.code, capfd.readouterr().err

    return started


def test_folders_addresses_and_certificates_that_cannot_be_used_are_named_with_a_remedy(start, tmp_path):
    receipts = str(tmp_path / "receipts")
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "bad.pem").write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for options, word in (
            (["--drop", str(tmp_path / "file" / "drop")], "NOTDIR"),
            (["--mllp", "2575x", "--receipts", receipts], "no address"),
            (["--mllp", address, "--receipts", receipts], "EADDRINUSE"),
            (["--mllp", "127.0.0.1:0", "--receipts", receipts, "--tls-ca", str(tmp_path / "bad.pem")], "certificate"),
            (["--mllp", "127.0.0.1:0", "--receipts", receipts, "--tls-cert", str(tmp_path / "bad.pem")], "PEM"),
        ):
            code, said = start(*options)
            assert (code, word in said, "怎么办 remedy" in said) == (3, True, True), said


def test_a_second_agent_in_a_folder_is_told_so(start, tmp_path):
    drop = tmp_path / "drop"
    drop.mkdir()
    lock = OwnerLock(drop)
    code, said = start("--drop", str(drop), "--once", "--settle-seconds", "0")
    lock.release()
    assert (code, "another agent" in said, "另用目录" in said) == (4, True, True), said


def test_a_file_that_the_gateway_did_not_take_is_no_success(start, tmp_path):
    drop = tmp_path / "drop"
    (drop / "arrive").mkdir(parents=True)
    (drop / "arrive" / "a.hl7").write_bytes(b"MSH|")
    code, said = start("--drop", str(drop), "--once", "--settle-seconds", "0")
    assert (code, "does not answer" in said) == (4, True), said
    assert (drop / "claim" / "a.hl7").exists()
