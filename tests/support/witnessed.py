"""What did the outside see of a gateway: what it was promised, and what it was given?

Inputs and outputs alone, for an auditor who may know no more. Each thing seen is a line in a file before anybody acts on
it, so that a run which is killed can be resumed and judged as a whole.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Witnessed:
    def __init__(self, offices: Iterable[str], journal: Path | None = None) -> None:
        """`journal` is read first when it is there, and gets a line for everything that is seen from now on."""
        self.receipts: dict[str, bytes] = {}  # by the sender's number
        self.changed_receipts: list[str] = []
        self.applied: dict[str, dict[str, set[str]]] = {office: defaultdict(set) for office in offices}
        self.handed_over: set[tuple[str, int]] = set()
        self.unanswered = 0  # requests that had to be made again
        self.rounds: list[dict[str, Any]] = []  # the rounds that are over
        self._journal = None
        if journal is not None:
            if journal.exists():
                self._read(journal)
            self._journal = journal.open("a", encoding="utf-8", buffering=1)

    def receipt(self, number: str, receipt: bytes) -> None:
        """The answer to a notice; the first one counts, and another one is a broken promise."""
        known = self.receipts.setdefault(number, receipt)
        if known != receipt:
            self.changed_receipts.append(number)
            self._note(["changed", number])
        elif known is receipt:
            self._note(["receipt", number, receipt.decode()])

    def came(self, office: str, number: str, delivery: str, revision: int) -> None:
        """The office applies a delivery. The caller acknowledges it afterwards."""
        self.applied[office][number].add(delivery)
        self.handed_over.add((delivery, revision))
        self._note(["came", office, number, delivery, revision])

    def round_is_over(self, told: dict[str, Any]) -> None:
        self.rounds.append(told)
        self._note(["round", {**told, "unanswered": self.unanswered}])

    def missing(self, office: str) -> set[str]:
        return self.receipts.keys() - self.applied[office].keys()

    def _note(self, line: list[Any]) -> None:
        if self._journal is not None:
            self._journal.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _read(self, journal: Path) -> None:
        whole = journal.read_text(encoding="utf-8")
        ended = whole[: whole.rfind("\n") + 1]
        if ended != whole:
            journal.write_text(ended, encoding="utf-8")  # the line in which the run was killed
        for kind, *told in map(json.loads, ended.splitlines()):
            if kind == "receipt":
                self.receipts[told[0]] = told[1].encode()
            elif kind == "changed":
                self.changed_receipts.append(told[0])
            elif kind == "came":
                office, number, delivery, revision = told
                self.applied[office][number].add(delivery)
                self.handed_over.add((delivery, revision))
            else:
                self.unanswered = told[0].pop("unanswered")
                self.rounds.append(told[0])
