"""What every object storage must do: `gateway.ports.object_storage`."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.identifiers import KeyId
from gateway.ports.keys import DataKey
from gateway.ports.object_storage import ObjectName

SIZES = [0, 1, 65_535, 65_536, 65_537, 200_000]


def key(number: int = 1) -> DataKey:
    return DataKey(KeyId(f"{number:032x}"), bytes([number]) * 32)


def name(number: int = 1) -> ObjectName:
    return ObjectName(f"{number:064x}")


async def pieces(content: bytes, size: int = 10_000):
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def whole(objects, found, secret) -> bytes:
    return b"".join([piece async for piece in objects.read(found, secret)])


class ObjectsSuite:
    """`objects` is a fixture: an empty storage; `later` an instant after everything that was put."""

    @pytest.mark.parametrize("size", SIZES)
    async def test_what_was_put_is_read_again(self, objects, size):
        content = os.urandom(size)
        stored = await objects.put(name(), key(), pieces(content))
        assert stored.size == size
        assert await objects.find(name()) == stored
        assert await whole(objects, stored, key().secret) == content

    async def test_what_is_absent_is_not_found(self, objects):
        assert await objects.find(name(7)) is None

    async def test_content_that_breaks_off_leaves_nothing(self, objects):
        async def broken():
            yield b"x" * 100_000
            raise EOFError

        with pytest.raises(EOFError):
            await objects.put(name(), key(), broken())
        assert await objects.find(name()) is None

    async def test_an_upload_lapses_unless_it_is_kept(self, objects):
        for number in (1, 2):
            await objects.put(name(number), key(number), pieces(b"abc"))
        assert await objects.keep(name(2))
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert [one.key for one in await objects.lapse(later)] == [key(1).id]
        assert await objects.find(name(1)) is None
        kept = await objects.find(name(2))
        assert await whole(objects, kept, key(2).secret) == b"abc"

    async def test_nothing_lapses_before_its_time(self, objects):
        await objects.put(name(), key(), pieces(b"abc"))
        assert await objects.lapse(datetime.now(UTC) - timedelta(minutes=1)) == []
        assert await objects.find(name()) is not None

    async def test_what_is_kept_before_it_comes_is_kept_when_it_comes(self, objects):
        assert await objects.keep(name()) is False
        assert await objects.find(name()) is None
        await objects.put(name(), key(), pieces(b"abc"))
        assert await objects.lapse(datetime.now(UTC) + timedelta(minutes=1)) == []
        assert await objects.keep(name()) is True

    async def test_what_is_deleted_is_gone(self, objects):
        await objects.put(name(), key(), pieces(b"abc"))
        await objects.delete(name())
        await objects.delete(name())
        assert await objects.find(name()) is None

    async def test_what_is_kept_is_listed_page_by_page_once_it_is_old_enough(self, objects):
        for number in (3, 1, 2):
            await objects.keep(name(number))
            await objects.put(name(number), key(number), pieces(b"abc"))
        await objects.keep(name(4))
        await objects.put(name(5), key(5), pieces(b"nobody named it"))
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert [one.name for one in await objects.kept(None, 2, later)] == [name(1), name(2)]
        assert [one.key for one in await objects.kept(name(2), 2, later)] == [key(3).id]
        assert await objects.kept(None, 9, datetime.now(UTC) - timedelta(minutes=1)) == []
        await objects.delete(name(2))
        assert [one.name for one in await objects.kept(None, 9, later)] == [name(1), name(3)]
