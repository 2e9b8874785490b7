"""Where do policy files come from?

The defaults are package data of the top-level package `policies`; an operator
points at a folder of its own with the same layout. Names of files are kept
relative to the folder, so a problem reads `policies/disclosure/case.yaml:12`.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from gateway.engines.files.documents import default_catalogue
from gateway.policy.compile import Policy
from gateway.policy.load import load_policy

_FOLDERS = ("disclosure", "cases")


def policy_files(folder: Path | None = None) -> dict[str, str]:
    """Vocabulary, field groups, disclosure rules and worked cases: name to text. Raises OSError where the folder is absent."""
    root: Traversable = files("policies") if folder is None else folder
    label = "policies" if folder is None else str(folder)
    found = {
        f"{label}/{entry.name}": entry.read_text(encoding="utf-8")
        for entry in root.iterdir()
        if entry.name.endswith(".yaml")
    }
    for name in _FOLDERS:
        below = root / name
        if below.is_dir():
            found.update(
                (f"{label}/{name}/{entry.name}", entry.read_text(encoding="utf-8"))
                for entry in below.iterdir()
                if entry.name.endswith(".yaml")
            )
    return dict(sorted(found.items()))


def read_policy(as_of: date, division: str = "", folder: Path | None = None) -> Policy:
    """Load, compile and prove the policy of a folder (default: the pack this build carries). Raises InvalidDocument, OSError."""
    return load_policy(policy_files(folder), default_catalogue().fields, as_of, division)
