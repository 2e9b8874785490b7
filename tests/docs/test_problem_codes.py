"""Every single problem and gap that intake tells of stands in docs/errors.md, with what to do about it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gateway.validation import explain

ROOT = Path(__file__).resolve().parents[2]
TELLS = {"Problem", "Gap", "Unmappable", "Unreadable", "gap", "_problem", "Noted"}
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
FOR_AUTHORS = {"mapping", "duplicate-table"}  # told to whoever writes mappings and code tables


def told_in(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) in TELLS:
            said = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            found.update(said[:1])
    return {code for code in found if CODE.fullmatch(code)}


def test_every_code_of_a_problem_or_gap_is_explained_to_people():
    files = [*(ROOT / "adapters").rglob("*.py"), *(ROOT / "gateway" / "validation").glob("*.py")]
    told = set(explain._MESSAGES).union(*map(told_in, files)) - FOR_AUTHORS
    table = (ROOT / "docs" / "errors.md").read_text("utf-8").split("## 单处问题与缺口")[1]
    assert told - set(re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", table, re.M)) == set()
