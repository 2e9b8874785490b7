"""What does one agency's mapping document say?

A mapping is YAML, checked against `mapping.schema.json` and read in both
directions by the lens. This module turns it into plans: a tree of native names
for reading, an ordered list of groups for writing. Everything wrong with a
document shows when it is loaded, never when a notice arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from adapters.kit.codetables import CodeTable, parse_tables, shared_tables
from adapters.kit.conversion import Converter
from adapters.kit.converters import CONVERTERS
from adapters.kit.documents import hold, read_yaml, wrong
from gateway.model.errors import Problem
from gateway.model.identifiers import AgencyName, NoticeType

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One canonical home of a native value: the first choice whose converter takes it wins."""

    to: Path
    converter: Converter


@dataclass(frozen=True, slots=True)
class FieldRule:
    """`native`: path in the group, first spelling written, all read. `when`: canonical values this field implies."""

    native: Path
    aliases: tuple[Path, ...]
    choices: tuple[Choice, ...] = ()
    when: Mapping[str, Any] = field(default_factory=dict)
    many: bool = False
    split: str = ""
    also_split: str = ""
    action: str = "map"  # map | vault | seal | drop | ignore | custom | note
    argument: str = ""
    not_provided: str = ""
    is_coded: bool = False  # a code, a label of one, a yes or a no


@dataclass(frozen=True, slots=True)
class GroupRule:
    """`target`: data | person | list. `constants` set on reading, and pick the item on writing."""

    at: Path
    repeat: bool
    target: str
    list_path: Path
    constants: Mapping[str, Any]
    fields: tuple[FieldRule, ...]
    slot: str
    reads_only: bool = False


@dataclass(frozen=True, slots=True)
class KindRule:
    native: str
    type: NoticeType
    sets: Mapping[Path, Any]
    reads_only: bool = False


@dataclass(frozen=True)
class AgencyMapping:
    """A loaded mapping document. `manifest` are the losses it declares: native position -> reason."""

    name: str
    version: str
    agency: AgencyName | None
    media_types: tuple[str, ...]
    root: tuple[str, ...]
    style: str
    extension: Path
    kind_at: Path
    default_type: NoticeType | None
    implicit_type: NoticeType | None
    kinds: tuple[KindRule, ...]
    groups: tuple[GroupRule, ...]
    sends: frozenset[NoticeType]
    conveys: frozenset[NoticeType]
    tables: Mapping[str, CodeTable]
    manifest: Mapping[str, str]
    instant_form: str


def _path(text: str) -> Path:
    return tuple(text.split("."))


def load_mapping(package: str, name: str = "mapping.yaml") -> AgencyMapping:
    """Read `<package>/<name>` and `<package>/codes.yaml`. Raises InvalidDocument with every problem found."""
    folder, where = resources.files(package), f"{package}/{name}"
    if not folder.joinpath(name).is_file():
        missing = Problem("mapping", where, "no such file in the installed package: name it in its package data")
        raise wrong(f"`{where}` is not there", [missing])
    document = read_yaml(folder.joinpath(name).read_text("utf-8"), where)
    codes = folder.joinpath("codes.yaml")
    own = parse_tables(codes.read_text("utf-8"), f"{package}/codes.yaml") if codes.is_file() else {}
    return parse_mapping(document, {**shared_tables(), **own}, where)


def parse_mapping(document: Any, tables: Mapping[str, CodeTable], where: str) -> AgencyMapping:
    """Raises InvalidDocument with every problem found."""
    hold(document, "mapping.schema.json", where)
    problems: list[Problem] = []
    groups: list[GroupRule] = []
    for number, group in enumerate(document.get("groups", [])):
        for copy in range(1, group["times"] + 1) if "times" in group else (0,):
            groups.append(_group(_numbered(group, copy), number, tables, problems, where))
    kinds: list[KindRule] = []
    for native, body in document.get("kinds", {}).items():
        body = {"type": body} if isinstance(body, str) else body
        sets = {_path(path): value for path, value in body.get("set", {}).items()}
        kinds.append(KindRule(str(native), NoticeType(body["type"]), sets, body.get("reads_only", False)))
    if problems:
        raise wrong(f"`{where}` names what does not exist", problems)
    return AgencyMapping(
        name=document["mapping"],
        version=str(document["version"]),
        agency=AgencyName(document["agency"]) if "agency" in document else None,
        media_types=tuple(document["media_types"]),
        root=tuple(document.get("root", ())),
        style=document["extension"]["style"],
        extension=_path(document["extension"]["at"]),
        kind_at=_path(document["kind_at"]),
        default_type=NoticeType(document["default_type"]) if "default_type" in document else None,
        implicit_type=NoticeType(document["implicit_type"]) if "implicit_type" in document else None,
        kinds=tuple(kinds),
        groups=tuple(groups),
        sends=frozenset(map(NoticeType, document["sends"])),
        conveys=frozenset(map(NoticeType, document["conveys"])),
        tables=tables,
        manifest=document.get("manifest", {}),
        instant_form=document.get("instants", "compact"),
    )


def _group(group: Any, number: int, tables: Mapping[str, CodeTable], problems: list[Problem], where: str) -> GroupRule:
    repeat = group["at"].endswith("[]")
    at = group["at"].removesuffix("[]")
    target: str = "data"
    list_path: Path = ()
    constants: dict[str, Any] = {}
    if "person" in group:
        target, constants = "person", {"roles": [group["person"]]}
    elif "list" in group:
        target, list_path = "list", _path(group["list"])
    fields = [
        _field(body, tables, problems, f"{where}#/groups/{number}/fields/{index}", is_person="person" in group)
        for index, body in enumerate(group["fields"])
    ]
    slot = group.get("slot", f"{target}{number}" if target != "data" else "data")
    return GroupRule(
        _path(at) if at else (),
        repeat,
        target,
        list_path,
        constants,
        tuple(fields),
        slot,
        group.get("reads_only", False),
    )


def _numbered(group: Any, copy: int) -> Any:
    """The copy-th group of a numbered block: 成员1姓名, 成员2姓名 ..."""
    if not copy:
        return group
    fields = []
    for body in group["fields"]:
        spellings = body["native"] if isinstance(body["native"], list) else [body["native"]]
        numbered = {**body, "native": [spelling.replace("{n}", str(copy)) for spelling in spellings]}
        if "custom" in body:
            numbered["custom"] = body["custom"].replace("{n}", str(copy))
        fields.append(numbered)
    return {**group, "fields": fields, "slot": f"{group.get('slot', 'numbered')}{copy}"}


_CODES = frozenset({"yes_no", "flag", "agree", "urgency"})
_ACTIONS = ("vault", "seal", "drop", "ignore", "custom")


def _field(
    body: Any, tables: Mapping[str, CodeTable], problems: list[Problem], where: str, *, is_person: bool
) -> FieldRule:
    spellings = body["native"] if isinstance(body["native"], list) else [body["native"]]
    paths = tuple(_path(spelling) for spelling in spellings)
    for action in _ACTIONS:
        if action in body:
            return FieldRule(paths[0], paths, action=action, argument=str(body[action]))
    homes = body.get("choices") or [{key: body[key] for key in ("to", "as", "code", "label") if key in body}]
    choices: list[Choice] = []
    for home in homes:
        if "code" in home:
            table = tables.get(home["code"])
            if table is None:
                problems.append(Problem("mapping", where, f"no code table `{home['code']}`"))
                continue
            converter = table.converter(bool(home.get("label", False)))
        else:
            found = CONVERTERS.get(home.get("as", "name" if is_person and home["to"] == "name" else "text"))
            if found is None:
                problems.append(Problem("mapping", where, f"no converter `{home['as']}`"))
                continue
            converter = found
        choices.append(Choice(_path(home["to"]), converter))
    return FieldRule(
        paths[0],
        paths,
        tuple(choices),
        body.get("when", {}),
        bool(body.get("many", False)) or "split" in body,
        body.get("split", ""),
        body.get("also_split", ""),
        not_provided=body.get("not_provided", ""),
        is_coded=all("code" in home or home.get("as") in _CODES for home in homes),
    )
