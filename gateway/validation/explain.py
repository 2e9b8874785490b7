"""What is wrong at which place, said so that the sender can mend it and nobody learns the value?

A fault is what the validator found, with the places that would have to go for
the rest to stand. A problem is the fault in words. Positions are JSON pointers;
a member name the schemas do not know may itself be somebody's data (a phone
number or a name as a key), so it reads `*`, and the remedy names the field that
comes closest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from gateway.model.errors import Problem

Place = tuple[str | int, ...]
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1

_SHOWN_CODES = 12


@dataclass(frozen=True, slots=True)
class Fault:
    """`cuts` are the smallest places whose removal heals it; empty when something is missing instead."""

    code: str
    place: Place
    cuts: tuple[Place, ...] = ()
    remedy: str = ""
    detail: str = ""
    siblings: Collection[str] = ()  # the names an unknown member may have been meant for


def pointer_of(place: Place) -> str:
    """The exact JSON pointer (RFC 6901). May hold the sender's own member names: not for logs."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in place)


def position_of(place: Place, names: Collection[str]) -> str:
    """A JSON pointer that is safe to log: a member name that is not among `names` becomes `*`."""
    return "".join(f"/{token}" if isinstance(token, int) or token in names else "/*" for token in place)


_CODES = {
    "type": "wrong-type",
    "pattern": "bad-format",
    "format": "bad-format",
    "minLength": "too-short",
    "maxLength": "too-long",
    "minItems": "too-few",
    "minimum": "out-of-range",
    "maximum": "out-of-range",
    "enum": "unknown-code",
    "const": "unknown-code",
    "uniqueItems": "duplicate-item",
    "required": "missing",
    "contains": "missing-person",
    "anyOf": "missing-alternative",
}

_MESSAGES = {
    "wrong-type": "this has another JSON type than the field",
    "bad-format": "this is not written as the field requires",
    "too-short": "this is empty or too short",
    "too-long": "this is longer than the field allows",
    "too-few": "this list has too few items",
    "too-many": "this list has too many items",
    "out-of-range": "this number is outside the range",
    "unknown-code": "this is no code of the table",
    "duplicate-item": "this list names something twice",
    "missing": "this required field is missing",
    "missing-person": "a required item is missing in this list",
    "missing-alternative": "one of several fields is required and none is given",
    "unknown-field": "the notice type has no such field",
    "not-for-role": "a person with these roles has no such field",
    "reporter-in-data": "a reporter's identity does not belong in the body",
    "not-json": "this is no value a notice may carry",
    "not-integer": "this number is not written as an integer",
    "does-not-hold": "this does not hold by the schema",
}

_REMEDIES = {
    "wrong-type": "按字段目录的类型填写 / use the JSON type of the field catalogue",
    "bad-format": "按字段目录的格式填写 / use the form of the field catalogue",
    "too-short": "填写内容或整项省略 / fill it in or leave the member out",
    "too-long": "缩短内容,或改用附件 / shorten it, or attach a document",
    "too-few": "补充条目或整项省略 / add items or leave the member out",
    "too-many": "分成多条通报 / send several notices",
    "out-of-range": "核对数值 / check the number",
    "unknown-code": "使用代码表中的代码 / use a code of the table",
    "duplicate-item": "去除重复项 / name each item once",
    "missing": "补充该字段 / add the field",
    "missing-person": "补充所需条目 / add the required item",
    "missing-alternative": "至少填写其中一项 / give at least one of them",
    "unknown-field": "删除该字段或核对字段名 / remove it, or check its name against the catalogue",
    "not-for-role": "删除该字段或核对人员角色 / remove it, or check the person's roles",
    "reporter-in-data": "报告人信息只通过报告人通道提交 / send the reporter's identity through the reporter channel only",
    "not-json": "空值请整项省略;不使用小数 / leave absent values out, use no nulls, no fractions",
    "not-integer": "写作整数 / write an integer without a fraction",
    "does-not-hold": "对照字段目录核对 / check against the field catalogue",
}


def problem_of(fault: Fault, names: Collection[str]) -> Problem:
    """The fault in words; `names` are the member names of the schemas. Never holds a value or a strange name."""
    message = _MESSAGES[fault.code]
    remedy = fault.remedy or _REMEDIES[fault.code]
    if fault.siblings:
        near = get_close_matches(str(fault.place[-1])[:64], fault.siblings, n=1, cutoff=0.7)
        remedy = f"是否指 / did you mean `{near[0]}`? {remedy}" if near else remedy
    return Problem(
        fault.code, position_of(fault.place, names), f"{message}: {fault.detail}" if fault.detail else message, remedy
    )


def faults_of(error: jsonschema_rs.ValidationError, schema: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults one validator error stands for; `schema` is the bundled schema, the body was trimmed to its outline."""
    place: Place = tuple(error.instance_path)
    keyword = error.kind.name
    code = _CODES.get(keyword, "does-not-hold")
    node = _parent(schema, error.schema_path)
    remedy = str(node.get("x-remedy", ""))
    instance: Any = error.instance
    match keyword:
        case "required":
            yield Fault(code, (*place, error.kind.as_dict()["property"]))
        case "contains" | "anyOf":
            yield Fault(code, place, remedy=remedy)
        case "uniqueItems":
            yield Fault(code, place, tuple((*place, index) for index in _repeated(instance)))
        case "enum" if len(node["enum"]) <= _SHOWN_CODES:
            shown = ", ".join(map(str, node["enum"]))
            yield Fault(code, place, (place,), remedy=f"使用下列代码之一 / use one of: {shown}")
        case "maxLength":
            yield Fault(code, place, (place,), detail=f"at most {node['maxLength']} characters")
        case _:
            yield Fault(code, place, (place,), remedy=remedy)


def _parent(schema: Mapping[str, Any], path: list[str | int]) -> Mapping[str, Any]:
    """The schema that holds the failed keyword."""
    node: Any = schema
    for token in path[:-1]:
        node = node[token]
    return node if isinstance(node, dict) else {}


def _repeated(items: list[Any]) -> Iterator[int]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        spelling = repr(item)
        if spelling in seen:
            yield index
        seen.add(spelling)


def foreign_values(value: Any, place: Place = ()) -> Iterator[Fault]:
    """Values that canonical JSON does not have: null, fractions, vast integers, lone surrogates, depth, other types.

    Total also for structures that contain themselves (the depth ends them).
    """
    if isinstance(value, str):
        if not value.isascii() and _has_surrogate(value):
            yield Fault("not-json", place, (place,))
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            yield Fault("not-json", place, (place,))
    elif isinstance(value, (dict, list)):
        if len(place) >= MAX_DEPTH:
            yield Fault("not-json", place, (place,), detail=f"nested deeper than {MAX_DEPTH}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from foreign_values(item, (*place, index))
        else:
            for name, item in value.items():
                if not isinstance(name, str) or (not name.isascii() and _has_surrogate(name)):
                    yield Fault("not-json", (*place, "*"), ((*place, name),))
                else:
                    yield from foreign_values(item, (*place, name))
    elif isinstance(value, float) and value.is_integer():
        yield Fault("not-integer", place, (place,))
    else:
        yield Fault("not-json", place, (place,))


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
