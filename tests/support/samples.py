"""Where are the foreign samples? Beside the project in `shared/samples`, or where HUTONG_SAMPLES says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("HUTONG_SAMPLES", Path(__file__).resolve().parents[3] / "shared" / "samples"))

needs_samples = pytest.mark.skipif(not ROOT.is_dir(), reason="the folder of foreign samples is absent")


def sample_files(folder: str, pattern: str = "*") -> list[Path]:
    """All sample files of a folder, sorted; empty only where the samples are absent."""
    return sorted(path for path in (ROOT / folder).rglob(pattern) if path.is_file())
