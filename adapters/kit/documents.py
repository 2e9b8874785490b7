"""What does a YAML document of an adapter say, or what exactly is wrong with it?

Mapping documents and code tables are each checked against their published schema. Everything wrong is told at once, for
whoever writes the document: by line where it is no YAML, else by the place in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs
import yaml

from gateway.model.errors import InvalidDocument, Problem

_REMEDY = "按所列位置修改，写法见 adapters/README.md / mend each place that is named; adapters/README.md shows the form"


def read_yaml(text: str, where: str) -> Any:
    """Raises InvalidDocument with the line where it is no YAML."""
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        said = getattr(broken, "problem", None) or "this is no YAML"
        raise wrong(f"`{where}` is not YAML", [Problem("mapping", where + line, said)]) from broken


def hold(document: Any, schema: str, where: str) -> None:
    """Hold a document against a schema of this folder. Raises InvalidDocument with every problem found."""
    if not _is_well_formed(document, schema) and (problems := _explained(document, schema, where)):
        raise wrong(f"`{where}` is not of its form", problems)


def wrong(message: str, problems: Sequence[Problem]) -> InvalidDocument:
    """With each problem as a note, so that an author sees them below the traceback of an import."""
    error = InvalidDocument(message, remedy=_REMEDY, problems=tuple(problems))
    for problem in problems:
        error.add_note(f"{problem.position}: {problem.message}")
    return error


@cache
def _schema(name: str) -> Any:
    return json.loads(resources.files("adapters.kit").joinpath(name).read_text("utf-8"))


@cache
def _fast(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema(name), pattern_options=jsonschema_rs.RegexOptions())


def _is_well_formed(document: Any, schema: str) -> bool:
    try:
        return _fast(schema).is_valid(document)
    except ValueError:
        return False  # not JSON, such as a key that is a number: the slower validator judges it


def _explained(document: Any, schema: str, where: str) -> list[Problem]:
    """What is wrong, if anything, in the words of the slower validator."""
    import jsonschema  # takes a sixth of a second, and a document that holds has no need of it

    def at(path: Sequence[str | int]) -> str:
        return f"{where}#/{'/'.join(map(str, path))}"

    if unquoted := list(_unquoted(document, (), "codes" in schema)):
        return [Problem("mapping", at(path), "quote what stands here: YAML takes it for no text") for path in unquoted]
    return [
        Problem("mapping", at(list(error.absolute_path)), f"{error.message}; expected: {_expected(error)}")
        for error in jsonschema.Draft202012Validator(_schema(schema)).iter_errors(document)
    ]


def _unquoted(document: Any, at: tuple[Any, ...], with_values: bool) -> Iterator[tuple[Any, ...]]:
    """Where a key is no text, and in code tables a value, as an unquoted `01`, `NO` or `OFF` is not."""
    if isinstance(document, dict):
        for key, value in document.items():
            if not isinstance(key, str):
                yield (*at, key)
            yield from _unquoted(value, (*at, key), with_values)
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from _unquoted(value, (*at, number), with_values)
    elif with_values and isinstance(document, bool | date):
        yield at


def _expected(error: Any) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    return str(schema.get("description") or schema.get("type") or error.validator)
