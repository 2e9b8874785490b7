"""The snapshot of the directory never goes back to what an overtaken look had read."""

import asyncio
from dataclasses import replace

from gateway.geography.divisions import DivisionTree
from gateway.model.agency import Office, OfficeState
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
