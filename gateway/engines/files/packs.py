"""Where are the policy files: those that ship with the gateway, or an operator's own folder?

A pack is what goes through the life of a policy as one: the vocabulary with all that stands beside it, the disclosure
rules, the routing tables, the worked cases. The map of the law and the directory stand in the same folder and are no part of it.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from gateway.model.errors import InvalidDocument

_FILES = ("vocabulary.yaml", "fieldgroups.yaml")
_BESIDE = (
    "purposes.yaml",
    "consent.yaml",
    "agreements.yaml",
    "clocks.yaml",
    "safeguards.yaml",
)  # each may be absent; a pack is whole when it is handed in
ROUTING = "routing"
_MAY_LACK = (ROUTING, "cases")  # a pack without them loads; handed in, one is refused, the other stays a draft
_FOLDERS = ("disclosure", *_MAY_LACK)


def pack_files(directory: Path | None = None) -> dict[str, str]:
    """The pack as it is handed in, name to text: names relative to the folder, so that the pack's hash does not depend on
    where it lies. Raises InvalidDocument when the folder or one of its files is missing."""
    root = _root(directory)
    try:
        texts = {name: root.joinpath(name).read_text(encoding="utf-8") for name in _FILES}
        texts |= {
            name: root.joinpath(name).read_text(encoding="utf-8") for name in _BESIDE if root.joinpath(name).is_file()
        }
        for folder in _FOLDERS:
            if folder in _MAY_LACK and not root.joinpath(folder).is_dir():
                continue
            for file in sorted(root.joinpath(folder).iterdir(), key=lambda entry: entry.name):
                if file.name.endswith(".yaml"):
                    texts[f"{folder}/{file.name}"] = file.read_text(encoding="utf-8")
    except OSError as missing:
        raise InvalidDocument(
            "the policy folder lacks a file",
            remedy="it holds vocabulary.yaml, fieldgroups.yaml, disclosure/ and, to be approved, safeguards.yaml, routing/ and cases/",
        ) from missing
    return texts


def schema_files() -> dict[str, str]:
    """The published schemas of this build, for editors: name to text."""
    folder = _root(None).joinpath("schemas")
    return {
        f"schemas/{one.name}": one.read_text(encoding="utf-8") for one in folder.iterdir() if one.name.endswith(".json")
    }


def safeguards_text(directory: Path | None = None) -> str:
    """The safeguards file. Raises InvalidDocument when it is missing."""
    try:
        return _root(directory).joinpath("safeguards.yaml").read_text(encoding="utf-8")
    except OSError as missing:
        raise InvalidDocument(
            "the policy folder lacks `safeguards.yaml`", remedy="correct `policy_directory` in the settings"
        ) from missing


def law_file(directory: Path | None = None) -> dict[str, str]:
    """The law map that stands beside the pack. Raises InvalidDocument when it is missing."""
    try:
        return {"law.yaml": _root(directory).joinpath("law.yaml").read_text(encoding="utf-8")}
    except OSError as missing:
        raise InvalidDocument("the policy folder has no law.yaml", remedy="copy the one that ships") from missing


def _root(directory: Path | None) -> Traversable:
    return resources.files("policies") if directory is None else directory
