"""The verifier is one file that needs no package, and its exit code is its verdict."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from gateway.audit.bundle import check_report
from tests.support.audit_log import POLICY, BuiltLog, built_log, put
from tests.unit.audit.verifying import REPOSITORY, TRUST


def test_a_reader_that_has_seen_enough_changes_no_verdict(log: BuiltLog, tmp_path: Path) -> None:
    put(tmp_path / "policy", POLICY)
    bundle = log.bundle([1, 2])
    for raw, code in ((bundle, 0), (bundle.replace(b'"actor"', b'"actar"', 1), 1)):
        put(tmp_path / "bundle", raw)
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "gateway.audit.verifier", "bundle", str(tmp_path / "bundle"),
             "--policy", str(tmp_path / "policy")],
            cwd=REPOSITORY, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
        os.close(writer)
        assert (done.returncode, done.stderr) == (code, b"")


def test_a_report_is_verified_by_the_single_file_without_any_package(tmp_path: Path) -> None:
    program = tmp_path / "hutong_verify.py"
    subprocess.run(
        [sys.executable, str(REPOSITORY / "ops" / "build-verifier.py"), str(program)], check=True, capture_output=True
    )
    drawn = (built_log(200, seed) for seed in range(1, 99))
    log = next(one for one in drawn if check_report(one.report("subject-1"), TRUST).joined_elsewhere)
    put(tmp_path / "report", log.report("subject-1"))
    put(tmp_path / "policy", POLICY)
    args = [
        sys.executable,
        "-I",
        "-S",
        str(program),
        "--json",
        "report",
        str(tmp_path / "report"),
        "--policy",
        str(tmp_path / "policy"),
    ]
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 3, "somebody is found to be the same person, and is not here"
    args.append("--alone")
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["complete"] is False and len(answer["records"]) == len(log.about("subject-1"))
    assert {line["type"] for line in answer["signed_by"]} == {1, 4}
    raw = (tmp_path / "report").read_bytes()
    put(tmp_path / "report", raw.replace(b'"actor"', b'"actar"', 1))
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and "index" in json.loads(done.stdout)


def test_the_single_file_imports_nothing_but_the_standard_library(tmp_path: Path) -> None:
    program = tmp_path / "hutong_verify.py"
    subprocess.run(
        [sys.executable, str(REPOSITORY / "ops" / "build-verifier.py"), str(program)], check=True, capture_output=True
    )
    nodes = list(ast.walk(ast.parse(program.read_text())))
    imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported - {"__future__", "cryptography"} <= sys.stdlib_module_names
