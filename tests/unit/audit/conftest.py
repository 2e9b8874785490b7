"""One log of many persons and all events, in memory and as the files that leave the gateway."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.audit_log import BuiltLog, built_log, put
from tests.unit.audit.verifying import SIZE


@pytest.fixture(scope="module")
def log() -> BuiltLog:
    return built_log(SIZE)


@pytest.fixture(scope="module")
def files(log: BuiltLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    log.write(folder)
    put(folder / "checkpoint.400", log.note(400))
    return folder


@pytest.fixture
def copy(files: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(files, tmp_path / "copy"))
