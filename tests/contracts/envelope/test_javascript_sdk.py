"""The official JavaScript SDK reads what we write, and we read what it writes.

The SDK is installed by npm into a folder of the test run from the lock file
beside this test. Without node and npm, or where the package cannot be had, the
test is skipped and says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.validation.cloudevent import (
    CloudEvent,
    format_binary,
    format_structured,
    parse_binary,
    parse_structured,
)
from tests.contracts.envelope.test_python_sdk import DATA, OURS

HERE = Path(__file__).parent / "javascript"
NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NODE is None or NPM is None, reason="node or npm is absent"),
]

# The SDK neither encodes nor decodes header values, so binary mode is compared in ASCII.
PLAIN = CloudEvent(
    id="JY20260301-7",
    source=OURS.source,
    type=OURS.type,
    subject="case-1",
    time=OURS.time,
    datacontenttype=OURS.datacontenttype,
    dataschema=OURS.dataschema,
    extensions=OURS.extensions,
    data=DATA,
)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("package.json", "package-lock.json", ".npmrc", "exchange.mjs"):
        shutil.copy(HERE / name, folder / name)
    done = subprocess.run([str(NPM), "ci", "--no-progress"], cwd=folder, capture_output=True, timeout=180)
    if done.returncode != 0:
        pytest.skip("npm could not install the SDK")
    return folder


def exchange(sdk: Path, messages: list[tuple[dict[str, str], bytes]]) -> list[dict[str, Any]]:
    given = json.dumps([{"headers": headers, "body": body.decode()} for headers, body in messages])
    done = subprocess.run(
        [str(NODE), "exchange.mjs"], cwd=sdk, input=given.encode(), capture_output=True, timeout=60, check=True
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def comparable(event: CloudEvent) -> dict[str, Any]:
    return {**event.attributes(), "time": event.instant, "data": event.data}


def test_both_forms_survive_the_sdk_in_both_directions(sdk: Path):
    headers = {"content-type": "application/cloudevents+json"}
    messages = [(headers, format_structured(OURS)), (headers, format_structured(PLAIN)), format_binary(PLAIN)]
    expected = [OURS, PLAIN, PLAIN]
    for event, answer in zip(expected, exchange(sdk, messages), strict=True):
        read = answer["read"]
        assert {name: read[name] for name in ("id", "source", "type", "subject", "deliveryid")} == {
            name: event.attributes()[name] for name in ("id", "source", "type", "subject", "deliveryid")
        }
        assert datetime.fromisoformat(read["time"]) == event.instant
        assert read["data"] == DATA

        structured = parse_structured(answer["structured"]["body"].encode())
        assert isinstance(structured, CloudEvent), structured
        assert comparable(structured) == comparable(event)
        if event is PLAIN:
            binary = parse_binary(answer["binary"]["headers"], answer["binary"]["body"].encode())
            assert isinstance(binary, CloudEvent), binary
            assert comparable(binary) == comparable(event)
