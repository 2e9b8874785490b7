"""The snapshot of the directory never goes back to what an overtaken look had read."""

import asyncio
from dataclasses import replace

import pytest

from gateway.assembly_store import follow_changes
from gateway.geography.divisions import DivisionTree
from gateway.model.agency import Office, OfficeState
from gateway.model.errors import Tampered, Unavailable
from gateway.ports.storage import Epochs
from gateway.services.directory import Directories
from tests.support.stored import POLICE

OFFICE = Office(POLICE, "某区公安分局")


class Slow:
    """A storage whose first answer to `offices` comes only when it is let go."""

    def __init__(self):
        self.version, self.state, self.asked, self.go = 1, OfficeState.ACTIVE, asyncio.Event(), asyncio.Event()

    async def epochs(self):
        return Epochs(0, 0, self.version)

    async def offices(self):
        found = [replace(OFFICE, state=self.state)]
        if not self.asked.is_set():
            self.asked.set()
            await self.go.wait()
        return found


class Unread(Slow):
    """A storage whose offices this node cannot read, until it can."""

    def __init__(self):
        super().__init__()
        self.asked.set()
        self.is_unread = True

    async def offices(self):
        if self.is_unread:
            raise Tampered("an office's entry cannot be read")
        return await super().offices()


async def test_what_another_node_stored_and_this_one_cannot_read_is_told_once_and_ends_nothing():
    storage, told, looks = Unread(), [], 0
    directories = Directories(storage, DivisionTree(()), holds=lambda office: True)

    async def pause(seconds):
        nonlocal looks
        looks += 1
        storage.is_unread = looks < 3
        if looks == 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await follow_changes(directories, told.append, pause)
    assert [type(one) for one in told] == [Tampered]
    assert directories.current.offices[POLICE].state is OfficeState.ACTIVE
    storage.version, storage.is_unread = 2, True
    with pytest.raises(Unavailable):
        await directories.refresh()
    assert directories.current.epochs.directory == 1


async def test_a_look_that_was_overtaken_does_not_bring_back_an_office_that_was_cut_off_meanwhile():
    storage = Slow()
    directories = Directories(storage, DivisionTree(()), holds=lambda office: True)
    overtaken = asyncio.create_task(directories.refresh())
    await storage.asked.wait()
    storage.version, storage.state = 2, OfficeState.COMPROMISED
    await directories.refresh()
    storage.go.set()
    assert (await overtaken).offices[POLICE].state is OfficeState.COMPROMISED
    assert directories.current.epochs.directory == 2
