"""Is every error said in Chinese as well?

The texts are read from the code itself: what is given as message or remedy to an error, a `Problem` or one of the
functions that make them. What only developers of the schemas and code tables see stays English.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from gateway.http.in_chinese import both, entries
from gateway.http.problems import KINDS

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile(r"[\u3400-\u9fff]")
FOR_DEVELOPERS = {"gateway/validation/catalogue.py", "gateway/validation/codes.py"}
FOR_DEVELOPERS |= {f"gateway/bench/{file.name}" for file in (ROOT / "gateway/bench").glob("*.py")}

# Where message and remedy stand among the arguments of what makes problems; errors take the message first.
MAKERS = {
    "Problem": (2, 3), "Unreadable": (2, 3), "add": (2, 3), "problem": (1, 2), "_problem": (2, 3), "_malformed": (2, 3),
    "_invalid": (1,), "_bad_header": (1,), "require": (2,), "member_text": (3,), "wrong": (1, 2), "_stop_at": (1,), "Finding": (0, 2),
    "Gap": (2,), "gap": (2,),
}  # fmt: skip


@cache
def trees() -> dict[str, ast.Module]:
    files = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def error_names() -> set[str]:
    bases: dict[str, set[str]] = defaultdict(set)
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] |= {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    names = {"HutongError"}
    while more := {name for name, of in bases.items() if of & names} - names:
        names |= more
    return names


def texts(node: ast.AST | None, named: dict[str, list[str]]) -> list[str]:
    """What the expression may say, `{}` for each value put in."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return texts(one, named) + texts(other, named)
        case ast.BoolOp(values=options) | ast.Dict(values=options):
            return [text for option in options for text in texts(option, named)]
        case ast.BinOp(left=left, right=right):
            return [a + b for a in texts(left, named) or ["{}"] for b in texts(right, named) or ["{}"]]
        case ast.Name(id=name):
            return named.get(name, [])
        case ast.Subscript(value=of):
            return texts(of, named)
        case ast.Call(func=ast.Attribute(value=of, attr="get"), args=arguments):
            return texts(of, named) + [text for one in arguments[1:] for text in texts(one, named)]
        case _:
            return []


def of_schemas() -> Iterator[tuple[str, str]]:
    """(remedy, where): what a schema tells whoever breaks it."""
    for file in (ROOT / "schemas").rglob("*.json"):
        stack = [json.loads(file.read_text(encoding="utf-8"))]
        while stack:
            part = stack.pop()
            if isinstance(part, dict):
                if isinstance(remedy := part.get("x-remedy"), str):
                    yield remedy, file.name
                stack.extend(part.values())
            elif isinstance(part, list):
                stack.extend(part)


def said() -> Iterator[tuple[str, str]]:
    """(text, where)."""
    yield from ((text, where) for text, where in of_schemas() if not CHINESE.search(text))
    errors = error_names()
    for file, tree in trees().items():
        if file in FOR_DEVELOPERS:
            continue
        named: dict[str, list[str]] = defaultdict(list)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named[node.targets[0].id] += texts(node.value, {})
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple) and any(
                texts(one, {}) in (["ok"], ["wrong"], ["warning"]) for one in node.elts
            ):
                yield from _unsaid((node.elts[0], node.elts[-1]), named, f"{file}:{node.lineno}")
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in errors:
                at: tuple[int, ...] = (0,)
            elif name in MAKERS and (name != "add" or "problems" in ast.unparse(node.func)):
                at = MAKERS[name]
            else:
                continue
            given = [node.args[i] for i in at if i < len(node.args)]
            given += [one.value for one in node.keywords if one.arg in {"message", "remedy"}]
            yield from _unsaid(given, named, f"{file}:{node.lineno}")


def _unsaid(given: Iterable[ast.AST], named: dict[str, list[str]], where: str) -> Iterator[tuple[str, str]]:
    """Words; not a lone code, nor what says its Chinese itself."""
    for argument in given:
        for text in texts(argument, named):
            if re.search(r"[a-z]{2}.* |JSON", text) and not CHINESE.search(text) and " / " not in text:
                yield text, where


def every_text() -> set[str]:
    return {text for text, _ in of_schemas()} | {
        text for tree in trees().values() for node in ast.walk(tree) for text in texts(node, {})
    }


def test_every_error_is_said_in_chinese() -> None:
    known = {english for _, english, _ in entries()}
    found = list(said())
    assert len(found) > 800
    missing = sorted({f"{text!r}  ({where})" for text, where in found if text not in known and both(text) == text})
    assert not missing, "give their Chinese in gateway/http/chinese:\n" + "\n".join(missing)


def test_the_catalogue_says_each_text_once_and_nothing_that_nobody_says() -> None:
    counted = Counter(english for _, english, _ in entries())
    assert [english for english, times in counted.items() if times > 1] == []
    unsaid = set(counted) - every_text()
    assert not unsaid, "nobody says these any more: " + "\n".join(sorted(unsaid))


def test_chinese_is_chinese_and_keeps_every_value() -> None:
    for file, english, chinese in entries():
        assert CHINESE.search(chinese) and " / " not in chinese, (file, english)
        if values := english.count("{}"):
            marks = [f"⟨{n}⟩" for n in range(values)]
            assert sorted(re.findall("⟨[0-9]+⟩", chinese.format(*marks))) == sorted(marks), (file, english)
    for kind in KINDS.values():
        assert CHINESE.search(kind.title_zh) and CHINESE.search(kind.remedy_zh), kind.code


@pytest.mark.parametrize(
    "text, expected",
    [
        ("no such case", "没有该个案 / no such case"),
        ("tile 3 of level 1 is missing from the store", "存储中缺少第 1 层第 3 块 / tile 3 of level 1 is missing from the store"),
        ("a header stands twice", "请求头有误：重复出现 / a header stands twice"),
        ("this is longer than the field allows: at most 9 characters", "超过字段长度：最多 9 个字符 / this is longer than the field allows: at most 9 characters"),
        (
            "this takes the role: 策略审批人 policy approver / 上级审批人 approver of the upper level",
            "须有角色：策略审批人 policy approver / 上级审批人 approver of the upper level / "
            "this takes the role: 策略审批人 policy approver / 上级审批人 approver of the upper level",
        ),
        ("`k` is open to others", "`k` 对他人开放 / `k` is open to others"),
        ("an unforeseen text", "an unforeseen text"),
        ("补充该字段 / add the field", "补充该字段 / add the field"),
        ("a file\nof `{}` {0}", "a file\nof `{}` {0}"),
    ],
)  # fmt: skip
def test_both_languages_stand_beside_each_other_chinese_first(text: str, expected: str) -> None:
    assert both(text) == expected
    assert both(both(text)) == expected
