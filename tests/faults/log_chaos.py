"""Break the log ten thousand times, in pieces that may be stopped and gone on with, and count what did not hold.

    make chaos                                                     among others, 10,000 faults of the log
    python -m tests.faults.log_chaos FOLDER --seconds 500          ten minutes at a time; the same folder goes on
    python -m tests.faults.log_chaos FOLDER --only kill            one kind alone
    python -m tests.faults.log_chaos FOLDER --show                 what was done so far

The kinds of faults and the promises they are judged by are those of `tests.faults.log.matrix`. The folder keeps counts
and, for a batch that broke a promise, its seed: `--only KIND --seed SEED` runs it again. Exit 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.log.matrix import BATCHES, Broken

# Of 10,000 faults. Whoever is furthest behind their share comes next.
SHARES = {"step": 4000, "guard": 1000, "kill": 2000, "wal-cut": 2000, "restore": 500, "clone": 500}


@dataclass
class Done:
    """What was done so far: faults by kind and by the step they hit, and the batches that broke a promise."""

    seed: int
    batches: int = 0
    seconds: float = 0.0
    faults: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in BATCHES})
    broken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(sum(hits.values()) for hits in self.faults.values())

    def next_kind(self) -> str:
        return min(BATCHES, key=lambda name: sum(self.faults[name].values()) / SHARES[name])

    def run(self, kind: str, seed: int) -> None:
        begin, hits = time.monotonic(), Counter[str]()
        with tempfile.TemporaryDirectory(prefix="hutong-log-chaos-") as place:
            try:
                hits = BATCHES[kind](Path(place) / "g", random.Random(seed))
            except Exception as broken:  # noqa: BLE001 - whatever goes wrong where nothing may is a broken promise
                promise = str(broken) if isinstance(broken, Broken) else repr(broken)
                self.broken.append({"kind": kind, "seed": seed, "promise": promise})
                print(f"BROKEN {kind} (seed {seed}): {promise}", flush=True)
        self.faults[kind] = dict(Counter(self.faults[kind]) + hits)
        self.batches += 1
        self.seconds += time.monotonic() - begin

    def summary(self) -> str:
        lines = [f"{self.total} faults in {self.batches} batches, {self.seconds:.0f} s; seed {self.seed}"]
        for kind, hits in self.faults.items():
            steps = ", ".join(f"{name} {count}" for name, count in sorted(hits.items()))
            lines.append(f"  {kind:8} {sum(hits.values()):6}   {steps}")
        lines += [f"  BROKEN {one['kind']} (seed {one['seed']}): {one['promise']}" for one in self.broken]
        lines.append(
            f"{len(self.broken)} broken promises: forks, lost acknowledged events, holds without cause or missing"
        )
        return "\n".join(lines)


def _load(path: Path, seed: int) -> Done:
    return Done(**json.loads(path.read_text())) if path.exists() else Done(seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=500, help="no batch begins after this long")
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--only", choices=BATCHES)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / "log-chaos.json"
    done, ends = _load(path, given.seed), time.monotonic() + given.seconds
    if given.only:
        done.run(given.only, given.seed)
    while not given.show and not given.only and done.total < given.faults and time.monotonic() < ends:
        kind = done.next_kind()
        done.run(kind, random.Random(f"{done.seed} {done.batches}").getrandbits(63))
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(done)))
        part.replace(path)
    print(done.summary())
    if done.total < given.faults and not given.only:
        print(f"to be continued: {given.faults - done.total} faults are left")
    raise SystemExit(bool(done.broken))


if __name__ == "__main__":
    main()
