"""The witness remembers before it answers, over HTTP and by removable medium.

Its store has one engine by design: a witness is a program of its own in another house, beside one or many gateways of
either kind, and needs no services.
"""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.note import parse_vkey
from gateway.audit.witness import Seen, monitoring_path
from gateway.cli.main import main
from gateway.engines.system.clock import SystemClock
from gateway.engines.witness_store import SqliteWitnessStore
from gateway.http.witness import witness_app
from gateway.model.errors import InvalidDocument
from gateway.services.witness import Witness
from tests.support.audit_log import KEYS, LOG, LOG_PQ, ORIGIN, WITNESS, WITNESS_PQ, BuiltLog, built_log, request, seen


@pytest.fixture(scope="module")
def log() -> BuiltLog:
    return built_log(300)


def test_the_store_advances_by_compare_and_set_and_never_back(tmp_path: Path, log: BuiltLog) -> None:
    store = SqliteWitnessStore(tmp_path / "w.db", create=True)
    assert store.seen(ORIGIN) == Seen()
    assert store.advance(ORIGIN, 0, seen(log, 100))
    assert not store.advance(ORIGIN, 0, seen(log, 200)), "another request was faster"
    assert store.advance(ORIGIN, 100, seen(log, 100)), "the same again"
    assert not store.advance(ORIGIN, 100, Seen(100, b"x" * 32, b"other"))
    assert store.advance(ORIGIN, 100, seen(log, 200))
    assert not store.advance(ORIGIN, 200, seen(log, 100))
    store.close()
    again = SqliteWitnessStore(tmp_path / "w.db")
    assert again.seen(ORIGIN).root == log.tree.root(200)
    with pytest.raises(InvalidDocument):
        SqliteWitnessStore(tmp_path / "lost.db")


def test_the_store_keeps_lines_beside_what_they_were_given_for_and_contradictions_for_ever(
    tmp_path: Path, log: BuiltLog
) -> None:
    store = SqliteWitnessStore(tmp_path / "w.db", create=True)
    assert store.cosigned(ORIGIN) is None
    first, second = seen(log, 100), seen(log, 200)
    assert store.advance(ORIGIN, 0, first)
    store.keep_cosignatures(ORIGIN, 100, b"line\n", 7)
    assert store.cosigned(ORIGIN) == first.note + b"line\n"
    assert store.advance(ORIGIN, 100, second)
    store.keep_cosignatures(ORIGIN, 100, b"late line\n", 8)
    assert b"line" not in (store.cosigned(ORIGIN) or b""), "lines for another size are not served"
    assert store.logs() == [(ORIGIN, 200)]
    for _ in range(2):
        store.keep_evidence(ORIGIN, b"one note", second.note, 9)
    assert store.evidence() == [(ORIGIN, b"one note", second.note, 9)]
    with closing(sqlite3.connect(tmp_path / "w.db")) as file, pytest.raises(sqlite3.IntegrityError, match="stays"):
        file.execute("DELETE FROM evidence")
    store.close()


def test_of_many_threads_one_advances(tmp_path: Path, log: BuiltLog) -> None:
    store, size = SqliteWitnessStore(tmp_path / "w.db", create=True), 100
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda more: store.advance(ORIGIN, 0, seen(log, size + more)), range(8)))
    assert won.count(True) == 1
    assert store.seen(ORIGIN).size == size + won.index(True)
    store.close()


def a_witness(folder: Path) -> tuple[Witness, SqliteWitnessStore]:
    store = SqliteWitnessStore(folder / "w.db", create=True)
    return Witness(store, (WITNESS, WITNESS_PQ), {ORIGIN: KEYS}, SystemClock()), store


def test_a_cosignature_is_given_only_for_what_is_stored_and_both_kinds_hold(tmp_path: Path, log: BuiltLog) -> None:
    witness, store = a_witness(tmp_path)
    reply = witness.add_checkpoint(request(log, 0, 100))
    assert reply.status == 200
    note = log.note(100, witnesses=()) + reply.body
    lines = open_checkpoint(note, [*KEYS, WITNESS.key, WITNESS_PQ.key])[2]
    assert [line.key for line in lines[2:]] == [WITNESS.key, WITNESS_PQ.key]
    assert store.seen(ORIGIN).size == 100
    assert witness.checkpoint_of(ORIGIN) == store.seen(ORIGIN).note + reply.body
    fork = built_log(300, seed=2)
    assert witness.add_checkpoint(request(fork, 100, 200)).status == 422
    ((origin, signed, before, _),) = store.evidence()
    assert origin == ORIGIN
    assert [open_checkpoint(one, KEYS)[0].size for one in (signed, before)] == [200, 100]


def test_a_witness_does_not_sign_with_the_key_of_a_log(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vouch for itself"):
        Witness(SqliteWitnessStore(tmp_path / "w.db", create=True), (LOG,), {ORIGIN: KEYS}, SystemClock())


async def test_the_witness_answers_over_http(tmp_path: Path, log: BuiltLog, aiohttp_client: object) -> None:
    client = await aiohttp_client(witness_app(a_witness(tmp_path)[0]))  # type: ignore[operator]
    assert (await client.get("/" + monitoring_path(ORIGIN))).status == 404
    answer = await client.post("/add-checkpoint", data=request(log, 0, 100))
    assert answer.status == 200 and (await answer.read()).startswith("— witness.procuratorate.test ".encode())
    answer = await client.post("/add-checkpoint", data=request(log, 0, 200))
    assert (answer.status, answer.headers["Content-Type"], await answer.text()) == (409, "text/x.tlog.size", "100\n")
    answer = await client.get("/" + monitoring_path(ORIGIN))
    assert open_checkpoint(await answer.read(), [*KEYS, WITNESS.key, WITNESS_PQ.key])[0].size == 100
    assert (await client.post("/add-checkpoint", data=b"x" * 70_000)).status == 413
    assert (await client.post("/add-checkpoint", data=b"junk")).status == 400


def test_a_witness_works_by_removable_medium(tmp_path: Path, log: BuiltLog) -> None:
    run, folder = CliRunner(), str(tmp_path / "witness")

    def call(*words: str) -> int:
        return run.invoke(main, ["witness", *words], catch_exceptions=False).exit_code

    made = run.invoke(main, ["witness", "init", folder, "--name", "witness.test"], catch_exceptions=False)
    keys = [parse_vkey(line) for line in made.output.split()]
    assert [key.type for key in keys] == [4, 6]
    assert (tmp_path / "witness" / "witness.ed25519.pem").stat().st_mode & 0o77 == 0
    assert call("init", folder, "--name", "witness.test") != 0, "keys are never overwritten"
    assert call("trust", folder, LOG.key.vkey, LOG_PQ.key.vkey) == 0
    asked, answered = tmp_path / "request", tmp_path / "reply"
    asked.write_bytes(request(log, 0, 100))
    assert call("cosign", folder, str(asked), str(answered)) == 0
    assert len(open_checkpoint(log.note(100, witnesses=()) + answered.read_bytes(), [*KEYS, *keys])[2]) == 4
    asked.write_bytes(request(log, 0, 200))
    assert call("cosign", folder, str(asked), str(answered)) == 1
    assert answered.read_bytes() == b"100\n"
    asked.write_bytes(request(built_log(300, seed=2), 100, 200))
    assert call("cosign", folder, str(asked), str(answered)) == 1
    shown = run.invoke(main, ["witness", "show", folder, "--json"], catch_exceptions=False)
    assert b64encode(log.tree.root(100)).decode() in shown.output and '"size": 100' in shown.output
