"""The judge of the fault matrix sees what is broken: a lost event, a fork, a hold that is missing; and a run goes on where it was."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from tests.faults import log_chaos
from tests.faults.log.matrix import BATCHES, Broken, _contains, clone, events, judge, restore
from tests.faults.log.signing import create, open_store, publisher_of


async def test_the_judge_sees_a_lost_event_and_a_fork(tmp_path: Path) -> None:
    create(tmp_path)
    store = open_store(tmp_path)
    publisher = publisher_of(store, tmp_path)
    await publisher.open()
    await store.log.append(events(random.Random(1)))
    await publisher.publish()
    head = await store.log.head()
    with pytest.raises(Broken, match="a fork"):
        await _contains(store, {head.size: bytes(32)})
    await store.close()
    with pytest.raises(Broken, match="an acknowledged event is lost"):
        await judge(tmp_path, head.size + 1, {})
    assert (await judge(tmp_path, head.size, {head.size: head.root})).size > head.size
    (tmp_path / "guard").unlink()
    FileCheckpointGuard.create(tmp_path / "guard")
    with pytest.raises(Broken, match="a hold without a cause"):
        await judge(tmp_path, 0, {})


async def test_the_judge_sees_that_a_hold_is_missing(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(Broken, match="no hold"):
        await judge(tmp_path, 0, {}, guarded=1)


@pytest.mark.parametrize("batch", [restore, clone])
def test_restored_and_cloned_logs_are_held_or_never_witnessed(
    batch: Callable[[Path, random.Random], Counter[str]], tmp_path: Path
) -> None:
    assert sum(batch(tmp_path / "g", random.Random(4)).values()) >= 10


def test_a_run_goes_on_where_it_was_and_tells_what_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_folder: Path, _rng: random.Random) -> Counter[str]:
        raise Broken("for the test")

    def run(*more: str) -> tuple[object, str]:
        monkeypatch.setattr("sys.argv", ["log_chaos", str(tmp_path), *more])
        with pytest.raises(SystemExit) as ended:
            log_chaos.main()
        return ended.value.code, capsys.readouterr().out

    sound: dict[str, Callable[[Path, random.Random], Counter[str]]] = {
        name: lambda _folder, _rng: Counter({"a step": 50}) for name in BATCHES
    }
    monkeypatch.setattr(log_chaos, "BATCHES", sound)
    assert run("--faults", "100")[0] == 0
    code, told = run("--faults", "150")
    assert (code, "150 faults in 3 batches" in told, "0 broken promises" in told) == (0, True, True)
    assert run("--seconds", "0")[1].endswith("to be continued: 9850 faults are left\n")
    monkeypatch.setattr(log_chaos, "BATCHES", {**sound, "guard": broken})
    code, told = run("--only", "guard", "--seed", "7")
    assert (code, "BROKEN guard (seed 7): for the test" in told) == (1, True)
