"""The same notice gives the same bytes in every process, whatever the order in which Python walks a set."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import hashlib
from datetime import UTC, date, datetime
from gateway.engines.files.documents import default_catalogue
from gateway.model.access import DELIVER, PRESETS, Decision, FieldDecision
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.release import ReleaseContext, release
from gateway.simulation.scenario_s1 import STEPS
fields = default_catalogue().fields_of("RPT-M")
# the father is guardian and infringer: what both show is exactly what the guardian shows
forms = {name: FieldDecision(PRESETS["mask" if name.startswith("guardian.") else "clear"]) for name in fields}
decision = Decision({**forms, DELIVER: FieldDecision(PRESETS["clear"])}, "p", "o")
context = ReleaseContext("d", "police.440113", "RPT-M", "case", "P01", datetime(2026, 3, 1, tzinfo=UTC),
                         datetime(2026, 9, 1, tzinfo=UTC), date(2026, 3, 1), ReleaseSecret(b"s" * 32))
made = release(dict(STEPS[0].data), decision, context, Projector({"RPT-M": fields}))
print(hashlib.sha256(made.canonical).hexdigest())
"""


def test_a_release_does_not_depend_on_the_hash_seed():
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }  # fmt: skip
    assert len(digests) == 1
