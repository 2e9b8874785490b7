"""Where does a node spend its time? `python -m gateway.bench.profiled OUT serve ...` runs a node under cProfile.

A round of its own, never a measured one: the profiler makes Python calls dearer than they are. OUT gets the event
loop's thread, by function, when the node ends.
"""

from __future__ import annotations

import cProfile
import pstats
import runpy
import sys
from pathlib import Path
from typing import Any

import orjson

ROOT = str(Path(__file__).resolve().parents[2])


def largest(profile: cProfile.Profile, count: int = 15) -> list[dict[str, Any]]:
    """The functions with the most time of their own: name, share of all and calls."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole = sum(own for _, _, own, _, _ in stats.values()) or 1.0
    ordered = sorted(stats.items(), key=lambda item: -item[1][2])[:count]
    return [
        {"part": _name(*place), "share": round(own / whole, 4), "calls": calls}
        for place, (_, calls, own, _, _) in ordered
    ]


def _name(file: str, line: int, function: str) -> str:
    if file == "~":
        return function
    path = file.removeprefix(ROOT + "/").rpartition("site-packages/")[2]
    return f"{path}:{function}"


def main() -> None:
    out = Path(sys.argv.pop(1))
    profile = cProfile.Profile()
    profile.enable()
    try:
        runpy.run_module("gateway", run_name="__main__")
    finally:
        profile.disable()
        out.write_bytes(orjson.dumps(largest(profile)))


if __name__ == "__main__":
    main()
