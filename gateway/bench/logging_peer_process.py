"""pymerkle, asked from outside: `python -P logging_peer_process.py FOLDER COPIES`. Runs where the bench installed it, with nothing of ours but this file.

FOLDER holds `entries`, 58 bytes each. For each line read, one JSON line is written: `append` gives processor seconds of appending all
entries to a tree in memory, `root` the root in hex, `store` fills a tree in SQLite with
COPIES of them, `prove` gives processor seconds of one inclusion proof of it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import pymerkle  # type: ignore[import-not-found, unused-ignore]

ENTRY_BYTES, PROOFS = 58, 20


def main() -> None:
    folder = Path(sys.argv[1])
    raw = (folder / "entries").read_bytes()
    entries = [raw[at : at + ENTRY_BYTES] for at in range(0, len(raw), ENTRY_BYTES)]
    stored = pymerkle.SqliteTree(str(folder / "tree.db"), algorithm="sha256")
    rng = random.Random(1)  # noqa: S311 - which leaves, no secret
    answer: Any

    def append() -> Any:
        tree, begin = pymerkle.InmemoryTree(algorithm="sha256"), time.process_time()
        for entry in entries:
            tree.append_entry(entry)
        return tree, time.process_time() - begin

    for line in sys.stdin:
        if line == "append\n":
            answer = append()[1]
        elif line == "root\n":
            answer = append()[0].get_root().hex()
        elif line == "store\n":
            for _ in range(int(sys.argv[2])):
                stored.append_entries(entries)
            answer = stored.get_size()
        else:
            size, begin = stored.get_size(), time.process_time()
            for _ in range(PROOFS):
                stored.prove_inclusion(rng.randrange(1, size + 1), size)
            answer = (time.process_time() - begin) / PROOFS
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
