"""The offline verifier, called as its user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.trust import parse_trust_policy
from gateway.audit.verifier import main
from tests.support.audit_log import POLICY

TRUST = parse_trust_policy(POLICY)
SIZE = 700
REPOSITORY = Path(__file__).resolve().parents[3]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def check_files(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    return run(
        capsys,
        "log",
        str(folder),
        "--policy",
        str(folder / "policy"),
        "--records",
        str(folder / "records.jsonl"),
        *more,
    )


def flipped(raw: bytes, at: int, bit: int = 1) -> bytes:
    return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
