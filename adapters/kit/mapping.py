"""What does one agency's mapping document say?

A mapping is YAML, checked against `mapping.schema.json` and read in both
directions by the lens. This module turns it into plans: a tree of native names
for reading, an ordered list of groups for writing. Everything wrong with a
document shows when it is loaded, never when a notice arrives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs
import yaml

from adapters.kit.codetables import CodeTable, parse_tables, shared_tables
from adapters.kit.conversion import Converter
from adapters.kit.converters import CONVERTERS
from gateway.model.errors import InvalidDocument, Problem
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


@cache
def mapping_schema() -> Any:
    return json.loads(resources.files("adapters.kit").joinpath("mapping.schema.json").read_text("utf-8"))


def _path(text: str) -> Path:
    return tuple(text.split("."))


def load_mapping(package: str, name: str = "mapping.yaml") -> AgencyMapping:
    """Read `<package>/<name>` and `<package>/codes.yaml`. Raises InvalidDocument with every problem found."""
    folder = resources.files(package)
    document = yaml.load(folder.joinpath(name).read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    codes = folder.joinpath("codes.yaml")
    own = parse_tables(codes.read_text("utf-8")) if codes.is_file() else {}
    return parse_mapping(document, {**shared_tables(), **own}, f"{package}/{name}")


@cache
def _fast_schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(mapping_schema(), pattern_options=jsonschema_rs.RegexOptions())


def _is_well_formed(document: Any) -> bool:
    try:
        return _fast_schema().is_valid(document)
    except ValueError:
        return False  # not JSON, such as a key that is a number: the slower validator judges it


def _explained(document: Any, where: str) -> list[Problem]:
    """What is wrong, if anything, in the words of the slower validator."""
    import jsonschema  # takes a sixth of a second, and a document that holds has no need of it

    return [
        Problem("mapping", f"{where}#/{'/'.join(map(str, error.absolute_path))}", error.message)
        for error in jsonschema.Draft202012Validator(mapping_schema()).iter_errors(document)
    ]


def parse_mapping(document: Any, tables: Mapping[str, CodeTable], where: str) -> AgencyMapping:
    """Raises InvalidDocument with every problem found."""
    problems: list[Problem] = [] if _is_well_formed(document) else _explained(document, where)
    if problems:
        raise _wrong(f"mapping document `{where}` is not well formed", problems)
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
        raise _wrong(f"mapping document `{where}` names what does not exist", problems)
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


def _wrong(message: str, problems: Sequence[Problem]) -> InvalidDocument:
    """With each problem as a note, so that an author sees them below the traceback of an import."""
    error = InvalidDocument(message, problems=tuple(problems))
    for problem in problems:
        error.add_note(f"{problem.position}: {problem.message}")
    return error


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
