#!/usr/bin/env python3
"""Join the verifier and the modules it needs into one file that runs anywhere.

    python ops/build-verifier.py build/hutong_verify.py

The modules are taken as they stand, their imports of each other dropped, in the
order in which they need one another: the file has no line that the gateway
itself does not run. Standard library only.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START = "gateway.audit.verifier"


def source_of(module: str) -> str:
    return (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")


def needs(module: str) -> list[str]:
    found = []
    for node in ast.parse(source_of(module)).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gateway."):
            found.append(node.module or "")
    return found


def in_order(module: str, done: list[str]) -> list[str]:
    for other in needs(module):
        if other not in done:
            in_order(other, done)
    if module not in done:
        done.append(module)
    return done


def body_of(module: str) -> str:
    """The module without its docstring's quotes, future import, own imports and main guard."""
    text = source_of(module)
    tree = ast.parse(text)
    lines = text.splitlines()
    for node in tree.body:
        is_own = isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("gateway.", "__future__"))
        is_guard = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        if is_own or is_guard:
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    doc = tree.body[0]
    assert isinstance(doc, ast.Expr), module
    notes = [f"# {line}".rstrip() for line in (ast.get_docstring(tree) or "").splitlines()]
    rest = "\n".join(lines[doc.end_lineno or 0 :]).strip("\n")
    while "\n\n\n\n" in rest:
        rest = rest.replace("\n\n\n\n", "\n\n\n")
    return "\n".join([f"# ---- {module.removeprefix('gateway.audit.')} ----", "#", *notes, "", rest, ""])


def build() -> str:
    modules = in_order(START, [])
    names: dict[str, str] = {}
    for module in modules:
        for node in ast.parse(source_of(module)).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and names.setdefault(node.name, module) != module:
                raise SystemExit(f"{node.name} is defined in {names[node.name]} and {module}")
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    name = target.id if isinstance(target, ast.Name) else ""
                    if name and names.setdefault(name, module) != module:
                        raise SystemExit(f"{name} is defined in {names[name]} and {module}")
    doc = ast.get_docstring(ast.parse(source_of(START))) or ""
    head = f'#!/usr/bin/env python3\n"""{doc}\n\nMade by ops/build-verifier.py from the gateway\'s own modules; do not edit.\n"""\n\nfrom __future__ import annotations\n'
    tail = '\nif __name__ == "__main__":\n    sys.exit(main())\n'
    return head + "\n" + "\n\n".join(body_of(module) for module in modules) + tail


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/hutong_verify.py")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(build(), encoding="utf-8")
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
