"""The journal of a hold: signed under its own name, whole after a crash, refused when changed, continued or left as evidence."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.record import prepare
from gateway.audit.verifier import main
from gateway.engines.files import hold_journals
from gateway.engines.files.hold_journals import FileHoldJournal, FileHoldJournals
from gateway.engines.files.note_keys import NoteSigningKey, load_note_keys, make_note_keys
from gateway.engines.system.clock import SystemClock
from gateway.model.audit import EventName
from gateway.model.errors import Tampered
from gateway.ports.log_storage import Head
from gateway.services.hold_journal import JournalOfHolds
from tests.faults.log.signing import create, log, open_store
from tests.support.log_events import START, event_of

SIZES = (1, 3, 252, 1, 255, 60)


@pytest.fixture
def journals(tmp_path: Path) -> FileHoldJournals:
    make_note_keys(tmp_path, "hold")

    def signers(number: int) -> tuple[str, Sequence[NoteSigningKey]]:
        origin = f"hutong.example/hold/{number}"
        return origin, load_note_keys(tmp_path, "hold", origin, is_log=True)

    return FileHoldJournals(tmp_path / "holds", signers)


def records(count: int, seed: int) -> tuple[list[bytes], list[bytes]]:
    rng, names = random.Random(seed), list(EventName)
    made = [prepare(event_of(rng.choice(names), rng)).finish() for _ in range(count)]
    return [one.entry for one in made], [one.opening for one in made]


def grown(journal: FileHoldJournal, sizes: Sequence[int] = SIZES) -> Head:
    head = journal.head()
    for seed, size in enumerate(sizes):
        head = journal.extend(head.size, *records(size, seed), START)
    return head


def verdict(journal: FileHoldJournal) -> tuple[int, dict[str, object]]:
    """What the offline verifier says of the folder, with the journal's public keys alone."""
    keys = [part for key in journal.vkeys for part in ("--key", key)]
    with redirect_stdout(StringIO()) as told:
        code = main(["--json", "log", journal.place, "--records", f"{journal.place}/records.jsonl", *keys])
    return code, json.loads(told.getvalue())


def test_a_journal_is_a_log_of_its_own_that_a_stranger_verifies(journals: FileHoldJournals) -> None:
    assert journals.following()[0] == "hutong.example/hold/1"
    journal = journals.begin(700)
    assert (journal.start, journal.head()) == (700, Head(0, EMPTY_ROOT))
    head = grown(journal)
    assert head.size == sum(SIZES)
    [again] = journals.all()
    assert (again.head(), again.origin, again.vkeys) == (head, "hutong.example/hold/1", journal.vkeys)
    code, told = verdict(again)
    assert code == 0, told
    assert (told["records_opened"], told["leaves_without_record"]) == (head.size, 0)
    assert {path.name for path in Path(again.place).rglob("*.p/*")} <= {str(head.size % 256), "2"}, (
        "no tile of older notes"
    )
    holds = Path(again.place).parent
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in (holds, *holds.rglob("*")) if path == holds or path.is_file()
    )
    assert journals.following()[0] == "hutong.example/hold/2"


def test_who_adds_behind_another_node_adds_nothing(journals: FileHoldJournals) -> None:
    journal = journals.begin(0)
    head = grown(journal, (5,))
    assert journals.all()[0].extend(0, *records(7, 9), START) == head
    assert journal.head() == head


@pytest.mark.parametrize("is_after", [False, True])
def test_a_crash_at_any_durable_step_signs_nothing_or_all_and_the_next_beat_goes_on(
    journals: FileHoldJournals, monkeypatch: pytest.MonkeyPatch, is_after: bool
) -> None:
    write, steps = hold_journals.write_durably, list[Path]()

    def crash_at(number: int) -> Callable[[Path, bytes], None]:
        def crash(path: Path, body: bytes) -> None:
            steps.append(path)
            if is_after:
                write(path, body)
            if len(steps) == number:
                raise OSError(5, "input/output error")
            if not is_after:
                write(path, body)

        return crash

    journal, number = journals.begin(0), 0
    while True:
        number += 1
        before, new = journal.head(), records(254, number)
        steps.clear()
        with monkeypatch.context() as patched:
            patched.setattr(hold_journals, "write_durably", crash_at(number))
            try:
                journal.extend(before.size, *new, START)
                break
            except OSError:
                pass
        signed = journals.all()[0].head()
        assert signed.size in ((before.size,) if not is_after else (before.size, before.size + 254))
        after = journal.extend(signed.size, *records(1, 1000 + number), START)
        assert after.size == signed.size + 1
        assert verdict(journal)[0] == 0
    assert number > 4


CHANGES: dict[str, Callable[[Path], None]] = {
    "entry": lambda folder: flip(folder / "tile/entries/000", 70),
    "hash": lambda folder: flip(folder / "tile/0/000", 70),
    "size of the note": lambda folder: flip(folder / "checkpoint", 23),
    "signature of the note": lambda folder: flip(folder / "checkpoint", 150),
    "tile gone": lambda folder: (folder / "tile/1/000.p/2").unlink(),
}


def flip(path: Path, at: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_journal_is_refused_and_named(journals: FileHoldJournals, what: str) -> None:
    journal = journals.begin(0)
    grown(journal)
    CHANGES[what](Path(journal.place))
    with pytest.raises(Tampered):
        journals.all()[0].head()
    assert verdict(journal)[0] in (1, 2)


async def test_a_database_restored_once_more_gets_a_new_journal_and_the_old_one_stays(
    journals: FileHoldJournals, tmp_path: Path
) -> None:
    create(tmp_path / "g")
    store = open_store(tmp_path / "g")
    rng = random.Random(1)
    await log(store, rng, 10)
    keeper = JournalOfHolds(journals, store.log, SystemClock())
    await log(store, rng, 6)
    await keeper.follow(10)
    keeper.forget()
    await log(store, rng, 300)
    await keeper.follow(999)
    [journal] = journals.all()
    first = journal.head()
    assert (journal.start, first.size) == (10, 306), "the same database goes on in the same journal"

    create(tmp_path / "other")
    other = open_store(tmp_path / "other")
    await log(other, rng, 12)
    again = JournalOfHolds(journals, other.log, SystemClock())
    await again.follow(11)
    assert [(one.start, one.head().size) for one in journals.all()] == [(10, 306), (11, 1)]
    assert [one.name for one, _ in await again.unjoined()] == ["hold-1", "hold-2"]
    await store.close()
    await other.close()


@pytest.mark.parametrize("torn", [b"", b'{"format":"hut', b'{"format":"x"}\n{"leaf":0'])
def test_a_first_write_that_was_cut_short_is_written_anew(journals: FileHoldJournals, torn: bytes) -> None:
    journal = journals.begin(0)
    (Path(journal.place) / "records.jsonl").write_bytes(torn)
    head = grown(journal, (3, 2))
    code, told = verdict(journal)
    assert code == 0, told
    assert (told["records_opened"], told["leaves_without_record"]) == (head.size, 0)
