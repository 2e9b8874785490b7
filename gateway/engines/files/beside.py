"""Do the files that stand beside a policy pack hold: the map of the law, and nothing that nobody reads?

They are no part of what is handed in; whoever edits the folder wants to know of their faults all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files as shipped
from importlib.resources.abc import Traversable
from pathlib import Path

from gateway.engines.files.documents import default_catalogue
from gateway.model.errors import InvalidDocument, Problem
from gateway.policy.document import load_document
from gateway.policy.page import read_law
from gateway.policy.rules import PolicyDocument

_PACK = frozenset({"vocabulary", "fieldgroups", "purposes", "consent", "agreements", "clocks", "safeguards"})
_BESIDE = frozenset({"law"})


def problems_beside(folder: Path | None, pack: Mapping[str, str]) -> tuple[Problem, ...]:
    """What is wrong beside the pack in a folder (None: those of this build), each with file and line. A file that is absent is
    not missed; one that nobody reads is a problem. Words are checked against the pack where that loads."""
    root: Traversable = shipped("policies") if folder is None else folder
    label = "policies" if folder is None else str(folder)
    document = _document(pack)
    found: list[Problem] = []
    for name in sorted(one.name for one in root.iterdir() if one.name.endswith((".yaml", ".yml"))):
        if name.rpartition(".")[0] not in _PACK | _BESIDE or name.endswith(".yml"):
            message = "nobody reads this file: rules stand in disclosure/, cases in cases/, tables in routing/"
            found.append(
                Problem("unread-file", f"{label}/{name}:1", message, "move it, or give it the name of its kind")
            )
    if (law := root / "law.yaml").is_file() and document is not None:
        entries = {f"{label}/law.yaml": law.read_text(encoding="utf-8")}
        found += _wrong(lambda: read_law(entries, document))
    return tuple(found)


def _document(pack: Mapping[str, str]) -> PolicyDocument | None:
    try:
        return load_document(pack, default_catalogue().fields)
    except InvalidDocument:
        return None  # told by the check of the pack itself


def _wrong(read: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        read()
    except InvalidDocument as wrong:
        return wrong.problems or (Problem(wrong.code, "", wrong.message, wrong.remedy),)
    return ()
