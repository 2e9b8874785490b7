"""Which measurements are there, and which rows does each give?"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from gateway.bench.measuring import Effort, Measure, Row


@dataclass(frozen=True, slots=True)
class Measurement:
    """`function` of `module` gives the rows; imported when it is called."""

    module: str
    function: str
    rows: Sequence[str]

    async def __call__(self, effort: Effort) -> Sequence[Row]:
        measure = cast("Measure", getattr(importlib.import_module(f"gateway.bench.{self.module}"), self.function))
        return await measure(effort)


_FORMATS = ("xml", "csv", "xlsx", "hl7", "fhir", "cda", "json", "jsonl")
_ADAPTER_ROWS = ("adapter-canonical", *(f"adapter-{one}-{way}" for one in _FORMATS for way in ("decode", "encode")))

MEASUREMENTS: Mapping[str, Measurement] = {
    "accept": Measurement("accept", "accept", ("accept", "accept-n", "accept-cpu", "clients")),
    "two-cores": Measurement("accept", "two_cores", ("accept-two-cores",)),
    "latency": Measurement("accept", "latency", ("latency-p50", "latency-p99")),
    "store": Measurement("storing", "storing", ("store",)),
    "beside": Measurement("storing", "beside", ("store-beside",)),
    "decide": Measurement("thinking", "deciding", ("decide", "release-1", "release-8", "release-whole")),
    "clustered": Measurement("clustered", "accepting", ("clustered-accept", "clustered-cpu")),
    "clustered-store": Measurement("clustered", "storing", ("clustered-store",)),
    "peers": Measurement("peers", "peers", ("decide-peers",)),
    "policy": Measurement("thinking", "policy", ("policy-load", "policy-diff")),
    "bulk": Measurement("bulk", "bulk", ("bulk",)),
    "pull": Measurement("pulling", "pulling", ("pull",)),
    "webhooks": Measurement("pushing", "pushing", ("webhooks",)),
    "log": Measurement("thinking", "log", ("log-append",)),
    "log-tree": Measurement(
        "logging_tree",
        "tree",
        (
            "log-tree-10",
            "log-tile-reads",
            "log-proof-cold",
            "log-proof-recent",
            "log-proof-witness",
            "log-proof-verify",
            "log-whole",
        ),
    ),
    "log-records": Measurement(
        "logging_tree", "records", ("log-record-make", "log-record-open", "log-record-disclosure")
    ),
    "log-evidence": Measurement("logging_tree", "evidence", ("log-bundle",)),
    "log-store": Measurement("logging_store", "store", ("log-commit-one", "log-commit-ten", "log-commit-rate")),
    "log-pymerkle": Measurement("logging_peer", "pymerkle", ("log-pymerkle-append", "log-pymerkle-proof")),
    "adapters": Measurement("adapting", "adapting", _ADAPTER_ROWS),
    "relay": Measurement("relaying", "relaying", ("relay",)),
    "failover": Measurement("relaying", "failover", ("failover",)),
    "restart": Measurement("starting", "restart", ("restart",)),
    "growth": Measurement("growth", "growth", ("growth", "growth-page", "growth-memory")),
}


def measurement_of(name: str) -> str | None:
    """The measurement of that name, or the one that gives the row of that name."""
    if name in MEASUREMENTS:
        return name
    return next((found for found, one in MEASUREMENTS.items() if name in one.rows), None)
