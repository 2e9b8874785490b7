"""Decide the same questions under the same rules as engines by other authors do: how much faster are we?

The shipped pack is exported as Rego for regorus, as Cedar policies for Cedar, both Rust engines, and as plain rules for
vakt and Casbin, both Python. They are installed by the bench alone, into an environment of their own in the user's cache
folder; they are no dependencies, and one that cannot be had is left out. Each must give exactly our answer to every
question before anything is timed. The yardstick is the fastest of them. The exports read the rules literally, all facets
of all fields; nobody has tuned them for any engine.

Only regorus gives a whole answer at once. The others are asked about every `_STRIDE`th pair of field and facet, checked on
those, and the time they take is multiplied by it: whole answers would take minutes. (rego-cpp reads the same Rego and
agrees, at about a minute for one answer, so it is not asked here.)
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from gateway.bench.measuring import Effort, Row, at_least, cpu_each
from gateway.bench.processes import SERVER_CORE, spawned
from gateway.bench.thinking import Thinking
from gateway.model.access import Facet
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.export_cedar import export_cedar
from gateway.policy.export_rego import export_rego, facet_list
from gateway.policy.facts import Facts, facts
from gateway.policy.masks import standing_boxes

# The package of each engine; vakt comes as its source alone.
PACKAGES = {
    "regorus": "celine-regorus==0.9.1.post20260227075446",
    "cedar": "cedarpy==4.12.2",
    "vakt": "vakt==1.6.0",
    "casbin": "casbin==1.43.0",
}
_STRIDE = 8  # with seven facets, each comes in turn
_QUESTIONS = 3
_EVERY_FACET = facet_list(Facet(sum(facet for facet in Facet)))


class Absent(Exception):
    """The peers cannot be had here; the text says why, in a line."""


class Disagreement(Exception):
    """A peer answered otherwise than we did: nothing was timed."""


def _stride(engine: str) -> int:
    return 1 if engine == "regorus" else _STRIDE


@asynccontextmanager
async def _peer(python: Path, engine: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    script = Path(__file__).with_name("peer_process.py")
    pipe = asyncio.subprocess.PIPE
    command = [str(python), str(script), engine, str(folder), str(_stride(engine))]
    async with spawned(command, (SERVER_CORE,), stdin=pipe, stdout=pipe) as process:
        yield process


async def _told(process: asyncio.subprocess.Process) -> object:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise Absent("对照引擎未能启动 a peer engine did not start")
    return orjson.loads(line)


async def _cost(process: asyncio.subprocess.Process, times: int) -> float:
    assert process.stdin is not None
    process.stdin.write(b"%d\n" % times)
    await process.stdin.drain()
    told = await _told(process)
    assert isinstance(told, float)
    return told


def _questions(ours: Thinking) -> list[Facts]:
    """Random questions of which every fact is known (Cedar knows no other) and whose answer shows something."""
    rng, vocabulary = random.Random(20261128), ours.policy.vocabulary  # noqa: S311 - which questions, no secret
    found: list[Facts] = []
    while len(found) < _QUESTIONS:
        values = {name: rng.choice(list(spec.values)) for name, spec in vocabulary.facts.items()}
        asked = facts(vocabulary, values, accepts=list(vocabulary.obligations))
        if decide(asked, ours.policy).delivers:
            found.append(asked)
    return found


def _pairs(ours: Thinking) -> list[list[str]]:
    return [[str(name), facet] for name in ours.policy.group_of for facet in _EVERY_FACET]


def _shown(ours: Thinking, asked: Facts) -> list[list[str]]:
    decision = decide(asked, ours.policy)
    return sorted([str(name), facet] for name in ours.policy.group_of for facet in facet_list(decision.shown(name)))


def _plain_rules(policy: Policy) -> list[dict[str, object]]:
    """Each rule with the boxes of facts in which it stands. Obligations are left out: every question accepts them all."""
    return [
        {
            "id": rule.id, "kind": rule.kind.value, "fields": sorted(rule.fields), "facets": facet_list(rule.facets),
            "boxes": [
                {name: sorted(values) for name, values in box.items()}
                for box in standing_boxes(rule, policy.vocabulary)
            ],
        }
        for rule in policy.rules
    ]  # fmt: skip


def _write(ours: Thinking, questions: Sequence[Facts], folder: Path) -> None:
    cedar = export_cedar(ours.policy)
    asked = [
        {"possible": {name: list(values) for name, values in one.items()}, "accepts": sorted(one.accepts)}
        for one in questions
    ]
    (folder / "disclosure.rego").write_text(export_rego(ours.policy), "utf-8")
    (folder / "bracket.cedar").write_text(cedar.bracket, "utf-8")
    (folder / "floors.cedar").write_text(cedar.floors, "utf-8")
    (folder / "rules.json").write_bytes(orjson.dumps(_plain_rules(ours.policy)))
    (folder / "pairs.json").write_bytes(orjson.dumps(_pairs(ours)))
    (folder / "questions.json").write_bytes(orjson.dumps(asked))


async def peers(effort: Effort) -> Sequence[Row]:
    """Ours, uncached, against each peer in alternation: every field of one notice for one recipient."""
    name, zh, en = "decide-peers", "裁决一次，对照其他策略引擎", "decide once, against other policy engines"
    target = at_least(40, 80)
    effort.tell(name)
    try:
        python, engines = await _installed()
    except Absent as absent:
        return (Row(name, zh, en, "the fastest peer", target, skipped=str(absent)),)
    ours = Thinking()
    questions = _questions(ours)
    rounds: list[float] = []
    raw: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="hutong-bench-")))
        _write(ours, questions, folder)
        started = {engine: await stack.enter_async_context(_peer(python, engine, folder)) for engine in engines}
        expected = [_shown(ours, one) for one in questions]
        for engine, process in started.items():
            asked = _pairs(ours)[:: _stride(engine)]
            if await _told(process) != [[pair for pair in shown if pair in asked] for shown in expected]:
                raise Disagreement(engine)
        for _ in range(effort.rounds):
            mine = cpu_each(lambda: [decide(one, ours.policy) for one in questions], 0.1) / len(questions)
            costs = {engine: _stride(engine) * await _cost(process, 1) for engine, process in started.items()}
            rounds.append(min(costs.values()) / mine)
            raw = {"decide_us": mine * 1e6, **{f"{engine}_us": cost * 1e6 for engine, cost in costs.items()}}
    return (Row(name, zh, en, "the fastest peer", target, rounds, raw),)


async def _installed() -> tuple[Path, Sequence[str]]:
    """The interpreter of the peers' own environment, made at the first call, and the engines that it has."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hutong-bench" / "peers"
    python, done = home / "bin" / "python", home / "-".join(PACKAGES.values()).replace("==", "-")
    if not done.exists():
        await _run((sys.executable, "-m", "venv", "--clear", str(home)))
        had: list[str] = []
        for engine, package in PACKAGES.items():
            kind = ("--no-binary", "vakt") if engine == "vakt" else ()
            with suppress(Absent):
                await _run((str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *kind, package))
                had.append(engine)
        done.write_text("\n".join(had), "utf-8")
    engines = done.read_text("utf-8").split()
    if not engines:
        done.unlink()
        raise Absent("对照引擎未能安装，跳过 the peers could not be installed: the comparison is left out")
    return python, engines


async def _run(command: Sequence[str]) -> None:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(240):
            code = await process.wait()
    except TimeoutError:
        process.kill()
        code = await process.wait()
    if code != 0:
        raise Absent("对照引擎未能安装，跳过 the peers could not be installed: the comparison is left out")
