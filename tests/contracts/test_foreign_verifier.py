"""Go's own notes and transparency logs (`golang.org/x/mod/sumdb`) read our log, and refuse it when it is changed.

Needs the Debian packages `golang-go` and `golang-golang-x-mod-dev`, which `ops/test-services.sh` installs.
HUTONG_GO and HUTONG_GOPATH name them where they lie elsewhere.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.audit_log import LOG, built_log

GO = os.environ.get("HUTONG_GO") or shutil.which("go")
SOURCE = Path(__file__).parent / "go" / "foreign_verifier.go"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.services,
    pytest.mark.skipif(GO is None, reason="needs the Debian packages golang-go and golang-golang-x-mod-dev"),
]


def hashed(data: bytes) -> str:
    """As Go's tlog.Hash stands in JSON."""
    return b64encode(data).decode()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": os.environ.get("HUTONG_GOPATH", "/usr/share/gocode"),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    target = folder / "foreign_verifier"
    subprocess.run(
        [str(GO), "build", "-o", str(target), str(SOURCE)], check=True, env=environment, timeout=300, cwd=folder
    )
    return target


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    log, rng = built_log(700), random.Random(7)
    log.write(folder)
    tree, size = log.tree, log.size
    proofs: list[dict[str, object]] = []
    for index in {0, 255, 256, 511, 512, 699, *(rng.randrange(size) for _ in range(40))}:
        path = [hashed(one) for one in tree.inclusion(index, size)]
        proofs.append({"Kind": "record", "N": index, "Leaf": hashed(log.records[index].leaf_hash), "Path": path})
    for old in {1, 255, 256, 257, 512, 699, 700, *(rng.randrange(1, size) for _ in range(40))}:
        path = [hashed(one) for one in tree.consistency(old, size)]
        proofs.append({"Kind": "tree", "Old": old, "Root": hashed(tree.root(old)), "Path": path})
    (folder / "proofs.json").write_text(json.dumps(proofs))
    return folder


def verify(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), str(folder), LOG.key.vkey], capture_output=True, text=True, timeout=60, check=False
    )


def test_go_verifies_our_note_tiles_entries_and_proofs(program: Path, folder: Path) -> None:
    done = verify(program, folder)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("verified 700 entries")


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/001", "tile/1/000.p/2", "tile/entries/000", "proofs.json"])
def test_go_refuses_our_log_when_one_byte_is_changed(program: Path, folder: Path, path: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    raw = (copy / path).read_bytes()
    at = raw.index(b'"Path"') + 20 if path.endswith("json") else 40
    (copy / path).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    assert verify(program, copy).returncode != 0
