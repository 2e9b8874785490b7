"""The key store in a file keeps the promises of the port, and those about files."""

import os
import stat
from datetime import UTC, datetime

import pytest

from gateway.crypto.signing import new_signing_key
from gateway.engines.backup.copies import KEYS, make_copy, put_back
from gateway.engines.files.key_file import create_key_store
from gateway.engines.files.keystore import open_key_store
from gateway.engines.files.root_key import RootKeyFile, RootPassphrase
from gateway.model.errors import InvalidDocument, Unavailable
from tests.contracts.keys_suite import KeyStoreSuite


@pytest.fixture
def root(tmp_path):
    return RootKeyFile.create(tmp_path / "root.key")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def opened():
    made = []
    yield made
    for store in made:
        store.close()


@pytest.fixture
def keys(root, folder, opened):
    create_key_store(folder, root)
    opened.append(open_key_store(folder, root))
    return opened[0]


@pytest.fixture
def reopen(root, folder, opened):
    def again(how):
        store = opened.pop()
        if how == "closed":
            store.close()
        else:
            store.testing_only_abandon()
        opened.append(open_key_store(folder, root))
        return opened[0]

    return again


class TestKeyStoreInAFile(KeyStoreSuite):
    pass


def bytes_of(folder):
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def test_secrets_are_in_no_file_in_the_clear(keys, folder):
    taken = keys.take(50)
    named, signing = keys.secret("aliases"), keys.signing_key("log").private_bytes()
    there = bytes_of(folder)
    assert not any(key.secret in there for key in taken)
    assert named not in there
    assert signing not in there
    assert signing[-32:] not in there


async def test_no_copy_of_a_destroyed_key_is_left_in_file_or_journal(keys, folder):
    (key,) = keys.take(1)
    (row,) = keys._connection.execute("SELECT wrapped FROM data_key WHERE id = ?", (bytes.fromhex(key.id),))
    assert row[0] in bytes_of(folder)
    await keys.destroy([key.id])
    there = bytes_of(folder)
    assert row[0] not in there
    assert row[0][12:44] not in there
    assert (folder / "keys.db-wal").stat().st_size == 0


async def test_a_replaced_signing_key_leaves_no_private_part(keys, folder):
    keys.signing_key("log")
    (row,) = keys._connection.execute("SELECT wrapped FROM signing_key")
    keys.use_signing_key("log", new_signing_key())
    assert row[0] not in bytes_of(folder)


def test_every_file_is_closed_to_others(keys, folder, tmp_path):
    keys.take(1)
    for file in (*folder.iterdir(), folder, tmp_path / "root.key"):
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name


@pytest.mark.parametrize("what", ["folder", "file", "root"])
@pytest.mark.parametrize("mode", [0o004, 0o040, 0o002])
def test_what_is_open_to_others_is_refused(root, folder, what, mode):
    create_key_store(folder, root)
    path = {"folder": folder, "file": folder / "keys.db", "root": root.path}[what]
    os.chmod(path, path.stat().st_mode | mode)
    with pytest.raises(InvalidDocument, match="open to others"):
        open_key_store(folder, root)


def test_another_root_key_opens_nothing(root, folder, tmp_path):
    create_key_store(folder, root)
    with pytest.raises(InvalidDocument, match="root key"):
        open_key_store(folder, RootKeyFile.create(tmp_path / "other.key"))


def test_a_passphrase_is_a_root_key_too(folder):
    create_key_store(folder, RootPassphrase("long enough to be one"))
    store = open_key_store(folder, RootPassphrase("long enough to be one"))
    store.close()
    with pytest.raises(InvalidDocument, match="root key"):
        open_key_store(folder, RootPassphrase("long enough to be wrong"))
    with pytest.raises(InvalidDocument, match="passphrase"):
        RootPassphrase("short")
    assert "long enough" not in repr(RootPassphrase("long enough to be one"))


def test_after_a_change_of_the_root_key_only_the_new_one_opens(keys, root, folder, tmp_path, opened):
    (key,) = keys.take(1)
    new = RootKeyFile.create(tmp_path / "new.key")
    keys.change_root(new, bytes(16))
    opened.pop().close()
    with pytest.raises(InvalidDocument, match="root key"):
        open_key_store(folder, root)
    store = open_key_store(folder, new)
    opened.append(store)
    assert store.open(key.id) == key.secret


def test_what_is_put_back_of_a_closed_store_hands_out_no_key_that_the_store_handed_out_since(
    keys, root, folder, tmp_path, opened
):
    before = keys.take(1)
    opened.pop().close()
    make_copy(folder, tmp_path / "copy", KEYS, datetime.now(UTC))
    store = open_key_store(folder, root)
    since = {key.id for key in store.take(100)}
    store.close()
    put_back(tmp_path / "copy", tmp_path / "again", KEYS)
    opened.append(open_key_store(tmp_path / "again", root))
    assert not since & {key.id for key in opened[0].take(100)}
    assert opened[0].open(before[0].id) == before[0].secret


def test_one_process_owns_the_keys(keys, root, folder):
    with pytest.raises(Unavailable, match=str(os.getpid())):
        open_key_store(folder, root)


def test_a_key_store_is_never_made_by_accident(root, folder, keys):
    with pytest.raises(InvalidDocument, match="already"):
        create_key_store(folder, root)
    with pytest.raises(Unavailable, match="not there"):
        open_key_store(folder.with_name("elsewhere"), root)
    assert not folder.with_name("elsewhere").exists()


def test_taking_keys_never_touches_the_disk(keys):
    keys._turn.acquire()  # as if the disk were busy for ever
    try:
        assert len(keys.take(100)) == 100
    finally:
        keys._turn.release()


def test_what_was_left_at_a_clean_end_is_used_first(keys, reopen):
    (first,) = keys.take(1)
    left = keys.stock
    keys = reopen("closed")
    assert keys.stock == left
    (second,) = keys.take(1)
    assert int(second.id, 16) == int(first.id, 16) + 1
