"""Were the promises kept? Judged by inputs, outputs and the log alone."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, Protocol

from tests.support.witnessed import Witnessed


class Judged(Protocol):
    """A gateway that can be asked as an operator asks it, and whose log can be looked at."""

    def run(self, *arguments: str) -> Any: ...

    def contradictions(self) -> list[str]: ...


def judge(seen: Witnessed, gateway: Judged) -> list[str]:
    """Every broken promise in words; empty when all held:

    * every notice that was answered reached each recipient, under one delivery each;
    * a notice that was sent again had its first receipt, and no two reports one notice;
    * whatever was handed over had been decided on in the log;
    * the log verifies, has no gap, no event twice, and one tree for each size that was signed.
    """
    broken = [f"{number}: another receipt the second time" for number in seen.changed_receipts]
    notices = defaultdict(list)
    for number, receipt in seen.receipts.items():
        notices[json.loads(receipt)["notice"]].append(number)
    broken += [f"{numbers}: one notice for several reports" for numbers in notices.values() if len(numbers) > 1]
    for office, applied in seen.applied.items():
        broken += [f"{number}: never reached {office}" for number in seen.missing(office)]
        broken += [f"{number}: applied twice at {office}" for number, ids in applied.items() if len(ids) > 1]
    if not json.loads(gateway.run("log", "verify", "--json").stdout)["verified"]:
        broken.append("the log does not verify")
    broken += gateway.contradictions()
    decided = {
        (record["envelope"]["delivery"], record["envelope"]["revision"])
        for record in _all_records(gateway, "disclosure_decided")
    }
    return broken + [
        f"{delivery}.{revision}: left without a decision in the log"
        for delivery, revision in seen.handed_over - decided
    ]


def _all_records(gateway: Judged, event: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before: list[str] = []
    while page := json.loads(
        gateway.run("log", "search", "--event", event, "--limit", "1000", "--json", *before).stdout
    ):
        found += page
        before = ["--before", str(page[-1]["index"])]
    return found
