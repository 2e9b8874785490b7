"""docs/compliance.md: its commands, run as they stand by a compliance officer, answer and verify."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.scenarios.test_log_reports import CHILD, gateway  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_answer_and_verify_as_they_stand(gateway, tmp_path):  # noqa: F811
    (tmp_path / "child.txt").write_text(CHILD + "\n")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "hutong").symlink_to(ROOT / ".venv" / "bin" / "hutong")
    given = {"PATH": f"{binaries}:{os.environ['PATH']}", "HUTONG_CONFIG": str(gateway.config), "SOURCE": str(ROOT),
             "HUTONG_OPERATOR": "officer", "LANG": "C.UTF-8"}  # fmt: skip
    script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    done = subprocess.run(["bash", "-xeuo", "pipefail", "-c", script], cwd=tmp_path, env=given, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("核验通过 / verified") == 3 and "complete: true" in done.stdout
    assert "police.440113" in (tmp_path / "saw.csv").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report.json").read_text())["format"] == "hutong-report/v1"
    assert CHILD.partition(":")[2] not in done.stdout + (tmp_path / "saw.csv").read_text(encoding="utf-8")
