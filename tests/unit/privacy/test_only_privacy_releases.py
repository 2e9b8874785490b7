"""Nothing but `gateway/privacy/release.py` makes a `ReleasedNotice`: the tree is searched for any other way to one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAKER = Path("gateway/privacy/release.py")
MODEL = Path("gateway/model/notice.py")


def uses_that_could_make_one(source: str) -> list[int]:
    """Lines where the class is used as a value: called, copied into a name, passed on, or reached through its module.

    Annotations, imports and `isinstance` checks only read the type. Changing a copy counts as making one.
    """
    tree = ast.parse(source)
    harmless: set[int] = set()
    names = {"ReleasedNotice"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.name == "ReleasedNotice" and alias.asname}
        annotations = [
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
        ]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            annotations.extend(node.args[1:])
        if isinstance(node, ast.MatchClass):
            annotations.append(node.cls)
        if isinstance(node, ast.Subscript):  # Sequence[ReleasedNotice] as an alias or a base
            annotations.append(node.slice)
        for annotation in annotations:
            if annotation is not None:
                harmless |= {id(inside) for inside in ast.walk(annotation)}
    found = []
    for node in ast.walk(tree):
        if id(node) in harmless:
            continue
        by_name = isinstance(node, ast.Name) and node.id in names
        by_attribute = isinstance(node, ast.Attribute) and node.attr == "ReleasedNotice"
        by_text = isinstance(node, ast.Constant) and node.value == "ReleasedNotice"
        if by_name or by_attribute or by_text:
            found.append(node.lineno)
        if isinstance(node, ast.Call) and _is_replace_of_release(node):
            found.append(node.lineno)
    return sorted(found)


def _is_replace_of_release(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in ("replace", "copy", "deepcopy") or not call.args:
        return False
    first = call.args[0]
    return isinstance(first, ast.Name) and first.id in ("release", "released", "released_notice")


def test_no_other_module_makes_a_released_notice():
    modules = [
        path.relative_to(ROOT) for folder in ("gateway", "adapters") for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    assert MAKER in modules
    offenders = {
        str(module): lines
        for module in modules
        if module not in (MAKER, MODEL)
        and (lines := uses_that_could_make_one((ROOT / module).read_text(encoding="utf-8")))
    }
    assert offenders == {}


def test_the_search_sees_the_maker_itself():
    assert uses_that_could_make_one((ROOT / MAKER).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "from gateway.model.notice import ReleasedNotice\nReleasedNotice(delivery='d')",
        "from gateway.model.notice import ReleasedNotice as R\nR()",
        "from gateway.model import notice\nnotice.ReleasedNotice()",
        "from gateway.model.notice import ReleasedNotice\nmake = ReleasedNotice\nmake()",
        "from gateway.model.notice import ReleasedNotice\nReleasedNotice.__new__(ReleasedNotice)",
        "from gateway.model import notice\ngetattr(notice, 'ReleasedNotice')()",
        "import dataclasses\ndef f(released): return dataclasses.replace(released, data={})",
        "from dataclasses import replace\ndef f(release): return replace(release, canonical=b'')",
    ],
)
def test_every_way_to_make_one_is_found(source: str):
    assert uses_that_could_make_one(source)


@pytest.mark.parametrize(
    "source",
    [
        "from gateway.model.notice import ReleasedNotice\ndef encode(release: ReleasedNotice) -> bytes: ...",
        "from gateway.model.notice import ReleasedNotice\ndef f(x) -> ReleasedNotice | None:\n    return x if isinstance(x, ReleasedNotice) else None",
        "from collections.abc import Sequence\nfrom gateway.model.notice import ReleasedNotice\nMany = Sequence[ReleasedNotice]",
    ],
)
def test_reading_the_type_is_no_offence(source: str):
    assert uses_that_could_make_one(source) == []
