"""How is the way of a policy written down, and read back the same?

As canonical JSON with absent members left out, like an office.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from gateway.model.canonical import canonical_json
from gateway.model.identifiers import PolicyHash
from gateway.policy.life import PolicyState, PolicyVersion, Step


def write_life(version: PolicyVersion) -> bytes:
    document: dict[str, Any] = {
        "policy": version.policy,
        "author": version.author,
        "region": version.region,
        "widens": version.widens,
        "state": version.state.value,
        "approvers": list(version.approvers),
        "steps": [
            {"state": step.state.value, "by": step.by, "at": step.at.isoformat(), "note": step.note}
            for step in version.steps
        ],
    }
    if version.effective_from is not None:
        document["effective_from"] = version.effective_from.isoformat()
    return canonical_json(document)


def read_life(raw: bytes) -> PolicyVersion:
    read = orjson.loads(raw)
    start = read.get("effective_from")
    return PolicyVersion(
        PolicyHash(read["policy"]),
        read["author"],
        read["region"],
        read["widens"],
        PolicyState(read["state"]),
        None if start is None else datetime.fromisoformat(start),
        tuple(read["approvers"]),
        tuple(
            Step(PolicyState(step["state"]), step["by"], datetime.fromisoformat(step["at"]), step["note"])
            for step in read["steps"]
        ),
    )
