"""Attachments as encrypted files: the port's suite, and what files alone can suffer."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from gateway.engines.files.objects import FileObjects
from gateway.model.errors import Tampered, Unavailable
from tests.contracts.objects_suite import ObjectsSuite, key, name, pieces, whole


@pytest.fixture
def objects(tmp_path):
    return FileObjects(tmp_path / "objects")


class TestFileObjects(ObjectsSuite):
    pass


def the_file(tmp_path):
    (path,) = [one for one in (tmp_path / "objects").rglob("*") if one.is_file()]
    return path


async def test_no_byte_of_the_content_stands_in_a_file(objects, tmp_path):
    await objects.put(name(), key(), pieces("王测乙的诊断证明".encode() * 20_000))
    assert "王测乙".encode() not in the_file(tmp_path).read_bytes()


async def test_any_changed_cut_or_swapped_piece_is_found(objects, tmp_path):
    content = os.urandom(150_000)
    stored = await objects.put(name(), key(), pieces(content))
    path = the_file(tmp_path)
    good = path.read_bytes()
    start = len(good) - 150_000 - 3 * 16
    sealed = 65_536 + 16
    first, second = good[start : start + sealed], good[start + sealed : start + 2 * sealed]
    last = good[start + 2 * sealed :]
    head = good[:start]
    for broken in (
        good[:-1], good + b"x", head + second + first + last, head + first + last, head + first + second, head,
        *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(start, len(good), 9_973)),
    ):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(Tampered):
            await whole(objects, stored, key().secret)
    path.write_bytes(good)
    with pytest.raises(Tampered):
        await whole(objects, stored, key(2).secret)
    path.rename(path.with_name(name(2)))
    moved = await objects.find(name(2))
    with pytest.raises(Tampered):
        await whole(objects, moved, key().secret)


async def test_a_crash_in_the_middle_leaves_a_file_that_nobody_reads_and_that_lapses(objects, tmp_path):
    uploads = tmp_path / "objects" / "uploads"
    (uploads / f"{name()}.0123456789abcdef.part").write_bytes(b"half of it")
    assert await objects.find(name()) is None
    assert await objects.lapse(datetime.now(UTC) + timedelta(minutes=1)) == []
    assert list(uploads.iterdir()) == []


async def test_a_stray_or_damaged_file_among_the_uploads_keeps_no_other_from_lapsing(objects, tmp_path):
    uploads = tmp_path / "objects" / "uploads"
    (uploads / ".nfs000017").write_bytes(b"of the file system")
    (uploads / "lost+found").mkdir()
    await objects.put(name(), key(), pieces(b"x"))
    assert [one.key for one in await objects.lapse(datetime.now(UTC) + timedelta(minutes=1))] == [key().id]
    assert {one.name for one in uploads.iterdir()} == {".nfs000017", "lost+found"}


async def test_a_volume_that_is_gone_is_out_of_reach(objects, tmp_path):
    shutil.rmtree(tmp_path / "objects")
    for call in (objects.keep(name()), objects.lapse(datetime.now(UTC)), objects.kept(None, 9, datetime.now(UTC))):
        with pytest.raises(Unavailable):
            await call


async def test_with_too_little_room_left_documents_wait(tmp_path):
    roomy = shutil.disk_usage(tmp_path).free
    for reserve, may in ((roomy * 2, False), (1, True)):
        objects = FileObjects(tmp_path / f"objects-{may}", reserve)
        if may:
            await objects.put(name(), key(), pieces(b"abc"))
        else:
            with pytest.raises(Unavailable):
                await objects.put(name(), key(), pieces(b"abc"))
        assert (await objects.find(name()) is not None) is may


async def test_a_file_of_another_kind_is_not_taken_for_one(objects, tmp_path):
    (tmp_path / "objects" / "uploads" / name()).write_bytes(b"something else entirely")
    with pytest.raises(Tampered):
        await objects.find(name())
