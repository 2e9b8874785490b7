"""Where are the policy files: those that ship with the gateway, or an operator's own folder?"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from gateway.model.errors import InvalidDocument

# What a disclosure policy is made of; routing and directory tables are read by `geography`.
_FILES = ("vocabulary.yaml", "fieldgroups.yaml")
_FOLDER, _CASES = "disclosure", "cases"


def disclosure_files(directory: Path | None = None) -> dict[str, str]:
    """The disclosure pack, file name to text. Raises InvalidDocument when the folder or one of its files is missing."""
    return _read(directory, (_FOLDER,))


def pack_files(directory: Path | None = None) -> dict[str, str]:
    """The disclosure pack with its worked cases, as it is handed in: names relative to the folder, so that the
    pack's hash does not depend on where it lies. Raises InvalidDocument when the folder or one of its files is missing."""
    return _read(directory, (_FOLDER, _CASES))


def _read(directory: Path | None, folders: tuple[str, ...]) -> dict[str, str]:
    root: Traversable = resources.files("policies") if directory is None else directory
    try:
        texts = {name: root.joinpath(name).read_text(encoding="utf-8") for name in _FILES}
        for folder in folders:
            for file in sorted(root.joinpath(folder).iterdir(), key=lambda entry: entry.name):
                if file.name.endswith(".yaml"):
                    texts[f"{folder}/{file.name}"] = file.read_text(encoding="utf-8")
    except OSError as missing:
        raise InvalidDocument(
            "the policy folder lacks a file", remedy="correct `policy_directory` in the settings"
        ) from missing
    return texts


def safeguards_text(directory: Path | None = None) -> str:
    """The safeguards file. Raises InvalidDocument when it is missing."""
    root: Traversable = resources.files("policies") if directory is None else directory
    try:
        return root.joinpath("safeguards.yaml").read_text(encoding="utf-8")
    except OSError as missing:
        raise InvalidDocument(
            "the policy folder lacks `safeguards.yaml`", remedy="correct `policy_directory` in the settings"
        ) from missing


def law_file(directory: Path | None = None) -> dict[str, str]:
    """The law map that stands beside the pack. Raises InvalidDocument when it is missing."""
    root: Traversable = resources.files("policies") if directory is None else directory
    try:
        return {"law.yaml": root.joinpath("law.yaml").read_text(encoding="utf-8")}
    except OSError as missing:
        raise InvalidDocument("the policy folder has no law.yaml", remedy="copy the one that ships") from missing
