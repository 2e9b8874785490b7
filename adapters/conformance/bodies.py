"""Which canonical bodies is an adapter tried on? The schemas' own examples, and seeded variations nobody thought of."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import schemas
from gateway.model.identifiers import NoticeType

Body = tuple[NoticeType, dict[str, Any]]

_FREE_TEXT = frozenset({"name", "alias", "address", "detail", "narrative", "summary", "text", "unit", "accepted_by"})
_AWKWARD = (
    "李*", "𠮷野䶮", "\u9fb4测", "a|b^c~d\\e&f", "=1+1", "'=x", "_x000D_", "1.2E+17", "第一行\n第二行", '<a>&"\'', "]]>",
    "x:y.z%", "是", "否", "99****************", "00", "无", "某,某;某、某",
)  # fmt: skip
_REMOVABLE = frozenset({"ref", "roles", "of"})


def example_bodies() -> Sequence[Body]:
    """The valid examples of every notice type, as shipped with the schemas."""
    folder = Path(str(schemas.__file__)).parent / "examples"
    found = []
    for path in sorted(folder.glob("*/pass*.json")):
        document = json.loads(path.read_text("utf-8"))
        found.append((NoticeType(path.parent.name), document.get("data", document)))
    return found


def variations(bodies: Sequence[Body], seed: int, count: int) -> Iterator[Body]:
    """Bodies with fields left out and free text replaced by what some format trips over. Same seed, same bodies."""
    rng = random.Random(f"conformance:{seed}")  # noqa: S311 - repeatable, and nothing here is secret
    for _ in range(count if bodies else 0):
        kind, body = rng.choice(bodies)
        yield kind, _varied(copy.deepcopy(body), rng)


def _varied(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        for name in list(value):
            if name not in _REMOVABLE and rng.random() < 0.15:
                del value[name]
            elif name in _FREE_TEXT and isinstance(value[name], str) and rng.random() < 0.5:
                value[name] = rng.choice(_AWKWARD)
            else:
                value[name] = _varied(value[name], rng)
        return value
    if isinstance(value, list):
        return [_varied(item, rng) for item in value]
    return value


def leaves(value: Any) -> Iterator[str]:
    """Every text in a body that is long enough to be recognised in other bytes."""
    if isinstance(value, dict):
        for below in value.values():
            yield from leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below)
    elif isinstance(value, str) and len(value) >= 4:
        yield value
