"""The root key is changed, and whatever kills the process, the old one or the new one opens all keys."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from gateway.engines.backup.copies import KEYS, ROOT, make_copy
from gateway.engines.files.key_file import create_key_store
from gateway.engines.files.keystore import open_key_store
from gateway.engines.files.root_change import FileRootKeys
from gateway.engines.files.root_key import RootKeyFile, RootPassphrase
from gateway.model.errors import InvalidDocument, Unavailable

# A child for each moment ends itself there with SIGKILL; another process opens what it left.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from gateway.engines.files import keystore, root_change
from gateway.engines.files.key_file import create_key_store
from gateway.engines.files.root_change import FileRootKeys, open_under_either
from gateway.engines.files.root_key import RootKeyFile

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def child(folder, root, moment):
    keys = open_under_either(folder, root)
    roots = FileRootKeys(keys, root)
    change = roots.prepare()
    if moment == "prepared":
        die()
    if moment == "before the commit":
        keys._connection.set_trace_callback(lambda sql: die() if sql == "COMMIT" else None)
    if moment == "after the commit":
        keystore.empty_journal = die
    if moment == "before the name":
        root_change._take_its_place = die
    if moment == "after the name":
        root_change.sync_folder = die
    roots.change(change)

for moment in sys.argv[2:]:
    folder = Path(sys.argv[1]) / moment.replace(" ", "-")
    folder.mkdir(mode=0o700)
    root = RootKeyFile.create(folder / "root.key")
    create_key_store(folder, root)
    keys = open_under_either(folder, root)
    wanted = {key.id: key.secret for key in keys.take(3)}
    wanted["secret"] = keys.secret("cursors")
    keys.close()
    before = root.path.read_bytes()
    pid = os.fork()
    if pid == 0:
        child(folder, root, moment)
        os._exit(1)
    killed = os.waitpid(pid, 0)[1] == signal.SIGKILL
    keys = open_under_either(folder, root)
    found = {key: keys.open(key) for key in wanted if key != "secret"} | {"secret": keys.secret("cursors")}
    keys.close()
    new = root.path.with_name("root.key.new")
    again = open_under_either(folder, root)  # and the next change goes as any other
    roots = FileRootKeys(again, root)
    roots.change(roots.prepare())
    same = again.opens_with(root) and not new.exists()
    again.close()
    print(json.dumps([moment, killed, found == wanted, same, root.path.read_bytes() != before]))
"""
MOMENTS = ("prepared", "before the commit", "after the commit", "before the name", "after the name")


def test_a_change_that_is_killed_leaves_a_store_that_opens_with_everything_in_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *MOMENTS], capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told == [[moment, True, True, True, True] for moment in MOMENTS]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "keys"
    made.mkdir(mode=0o700)
    return made


def test_after_a_change_the_new_file_alone_opens_and_is_private(folder, tmp_path):
    root = RootKeyFile.create(folder / "root.key")
    create_key_store(folder, root)
    keys = open_key_store(folder, root)
    (tmp_path / "old.key").write_bytes(root.path.read_bytes())
    (tmp_path / "old.key").chmod(0o600)
    roots = FileRootKeys(keys, root)
    change = roots.prepare()
    with pytest.raises(Unavailable, match="another node"):
        FileRootKeys(keys, root).prepare()
    roots.change(change)
    assert change.before != change.after == roots.prepare().before
    keys.close()
    assert stat.S_IMODE(root.path.stat().st_mode) == 0o600
    with pytest.raises(InvalidDocument, match="root key"):
        open_key_store(folder, RootKeyFile(tmp_path / "old.key"))
    open_key_store(folder, root).close()


def test_a_copy_of_the_keys_holds_no_root_key_half_way_through_a_change_either(folder, tmp_path):
    root = RootKeyFile.create(folder / "root.key")
    create_key_store(folder, root)
    keys = open_key_store(folder, root)
    roots = FileRootKeys(keys, root)
    change = roots.prepare()
    assert set(make_copy(folder, tmp_path / "copy", KEYS, datetime.now(UTC)).files) == {"keys.db"}
    assert set(make_copy(folder, tmp_path / "root", ROOT, datetime.now(UTC)).files) == {"root.key", "root.key.new"}
    roots.drop(change)
    keys.close()


def test_a_passphrase_is_not_changed_since_it_opens_the_keys_of_the_log_too(folder):
    root = RootPassphrase("long enough to be one")
    create_key_store(folder, root)
    keys = open_key_store(folder, root)
    with pytest.raises(InvalidDocument, match="cannot be changed"):
        FileRootKeys(keys, root).prepare()
    assert keys.opens_with(root)
    keys.close()
