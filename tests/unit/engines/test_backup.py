"""A backup is whole and checked, or none; data and keys stay apart; nothing is ever put over something."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from gateway.engines.backup import copies
from gateway.engines.backup.copies import DATA, KEYS, KEYS_LIFE, MANIFEST, ROOT, make_copy, put_back, read_copy
from gateway.model.errors import InvalidDocument, Tampered, Unavailable

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "data"
    (folder / "objects").mkdir(parents=True)
    (folder / "objects" / "one").write_bytes(b"sealed")
    (folder / "owner.lock").write_text("1")
    return folder


@pytest.fixture
def writing(source):
    """A database somebody writes to meanwhile: one commit in its journal, one row not committed."""
    connection = sqlite3.connect(source / "store.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE log_head (one, size)")
    connection.execute("INSERT INTO log_head VALUES (1, 7)")
    connection.execute("BEGIN")
    connection.execute("UPDATE log_head SET size = 8")
    yield connection
    connection.close()


def test_a_copy_made_while_somebody_writes_is_one_commit_and_comes_back_the_same(tmp_path, source, writing):
    made = make_copy(source, tmp_path / "backup", DATA, NOW)
    assert set(made.files) == {"store.db", "objects/one"}
    assert made.log_size == 7
    assert read_copy(tmp_path / "backup") == made
    put_back(tmp_path / "backup", tmp_path / "again", DATA)
    assert (tmp_path / "again" / "objects" / "one").read_bytes() == b"sealed"
    rows = sqlite3.connect(tmp_path / "again" / "store.db").execute("SELECT size FROM log_head").fetchall()
    assert rows == [(7,)]
    assert (tmp_path / "again" / "store.db").stat().st_mode & 0o777 == 0o600


def test_the_root_key_is_in_no_copy_but_its_own_and_comes_back_beside_the_keys(tmp_path, source):
    (source / "root.key").write_bytes(b"opens everything")
    (source / "keys.txt").write_bytes(b"wrapped")
    keys = make_copy(source, tmp_path / "keys", KEYS, NOW)
    root = make_copy(source, tmp_path / "root", ROOT, NOW)
    assert "root.key" not in keys.files
    assert set(root.files) == {"root.key"}
    assert b"opens everything" not in b"".join(
        one.read_bytes() for one in (tmp_path / "keys").rglob("*") if one.is_file()
    )
    for order in ((KEYS, ROOT), (ROOT, KEYS)):
        again = tmp_path / "-".join(order)
        for kind in order:
            put_back(tmp_path / ("keys" if kind == KEYS else "root"), again, kind)
            with pytest.raises(InvalidDocument):
                put_back(tmp_path / ("keys" if kind == KEYS else "root"), again, kind)
        assert (again / "root.key").read_bytes() == b"opens everything"
        assert (again / "keys.txt").read_bytes() == b"wrapped"


def test_a_document_kept_while_it_is_copied_is_in_the_copy(tmp_path, source, monkeypatch):
    uploads, kept = source / "objects" / "uploads", source / "objects" / "kept"
    for folder in (uploads, kept):
        folder.mkdir()
    (uploads / "a").write_bytes(b"first")
    (uploads / "b").write_bytes(b"second")
    copy_file = copies._copy_file

    def keep_meanwhile(path, target):
        copy_file(path, target)
        if path == uploads / "a":
            (uploads / "b").replace(kept / "b")

    monkeypatch.setattr(copies, "_copy_file", keep_meanwhile)
    made = make_copy(source, tmp_path / "backup", DATA, NOW)
    assert {"objects/uploads/a", "objects/kept/b"} <= set(made.files)
    assert "objects/uploads/b" not in made.files


def test_a_changed_missing_or_unfinished_copy_is_refused(tmp_path, source, writing):
    for change, error in (
        (lambda folder: (folder / "objects" / "one").write_bytes(b"changed"), Tampered),
        (lambda folder: (folder / "store.db").unlink(), Tampered),
        (lambda folder: (folder / MANIFEST).write_text("{"), Tampered),
        (
            lambda folder: (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace("objects/", "../")),
            Tampered,
        ),
        (lambda folder: (folder / MANIFEST).unlink(), InvalidDocument),
    ):
        folder = tmp_path / f"backup-{len(list(tmp_path.iterdir()))}"
        make_copy(source, folder, DATA, NOW)
        change(folder)
        with pytest.raises(error):
            put_back(folder, tmp_path / "again", DATA)
        assert not (tmp_path / "again").exists()


def test_nothing_is_put_over_something_and_keys_are_not_data(tmp_path, source, writing):
    make_copy(source, tmp_path / "backup", DATA, NOW)
    with pytest.raises(InvalidDocument):
        make_copy(source, tmp_path / "backup", DATA, NOW)
    with pytest.raises(InvalidDocument):
        put_back(tmp_path / "backup", source, DATA)
    with pytest.raises(InvalidDocument):
        put_back(tmp_path / "backup", tmp_path / "again", KEYS)
    with pytest.raises(Unavailable):
        make_copy(tmp_path / "nowhere", tmp_path / "other", DATA, NOW)


def test_a_copy_of_the_keys_says_by_when_it_must_be_destroyed(tmp_path, source):
    made = make_copy(source, tmp_path / "keys", KEYS, NOW)
    assert made.keep_until == NOW + KEYS_LIFE == NOW + timedelta(days=7)
    assert read_copy(tmp_path / "keys").keep_until == made.keep_until
