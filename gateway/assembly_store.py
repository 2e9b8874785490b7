"""Where is the record, and what do many nodes on one record do together? That part of the composition root.

Embedded: this process owns the store and does everything. Clustered: any node answers anything; what should happen once
(signing the log, clocks, retention, alarms) is done by the node that leads, and every node follows what the others change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gateway.config import Settings
from gateway.engines.files.keystore import FileKeyStore
from gateway.engines.files.root_change import open_under_either
from gateway.engines.files.root_key import RootKey
from gateway.engines.sqlite.store import SqliteStore
from gateway.model.errors import HutongError, Unavailable
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.store import Store
from gateway.services.directory import Directories
from gateway.services.hold import LogHold

if TYPE_CHECKING:
    from gateway.engines.postgres.doorbell import PostgresDoorbell
    from gateway.engines.postgres.leader import Leadership

# The engines of a cluster are loaded where one is asked for: an embedded gateway starts a third of a second sooner.

# Shorter than the two seconds after which a change is answered: every node knows it by then.
LOOK_EVERY = timedelta(seconds=0.5)
FOLLOW_EVERY = timedelta(seconds=2)

Duty = Callable[[], Coroutine[Any, Any, None]]


async def create_record(settings: Settings) -> None:
    """Make a new, empty store where the settings say. Raises InvalidDocument when there is something already."""
    if settings.is_clustered:
        from gateway.engines.postgres.store import PostgresStore

        await PostgresStore.create(settings.postgres.url)
    else:
        SqliteStore.create(settings.directory)


async def open_record(settings: Settings, clock: Clock) -> Store:
    """Open the store where the settings say. Raises as the engine's `open`."""
    if settings.is_clustered:
        from gateway.engines.postgres.store import PostgresStore

        return await PostgresStore.open(settings.postgres.url, clock, readers=settings.postgres.connections)
    return SqliteStore.open(settings.directory, clock)


async def migrate_record(settings: Settings, *, only_before: bool = False) -> int:
    """Bring the store to this code's shape; returns its version."""
    if settings.is_clustered:
        from gateway.engines.postgres.store import PostgresStore

        return await PostgresStore.migrate(settings.postgres.url, only_before=only_before)
    return SqliteStore.migrate(settings.directory, only_before=only_before)


def open_keys(settings: Settings, root: RootKey) -> FileKeyStore:
    return open_under_either(settings.key_directory, root, is_shared=settings.is_clustered)


def cluster_doorbell(settings: Settings) -> PostgresDoorbell | None:
    """Bells over the database, for a cluster without a message broker."""
    if not settings.is_clustered or settings.rabbitmq.addresses:
        return None
    from gateway.engines.postgres.doorbell import PostgresDoorbell

    return PostgresDoorbell(settings.postgres.url)


def begin_duties(
    tasks: asyncio.TaskGroup, settings: Settings, clock: Clock, duties: Sequence[tuple[str, Duty]]
) -> Leadership | None:
    """What is done by one node alone. Embedded, that is this one."""
    if not settings.is_clustered:
        for name, duty in duties:
            tasks.create_task(duty(), name=name)
        return None

    async def lead() -> None:
        async with asyncio.TaskGroup() as led:
            for name, duty in duties:
                led.create_task(duty(), name=name)

    from gateway.engines.postgres.leader import Leadership

    allowed_skew = timedelta(seconds=settings.limits.clock_skew_seconds)
    leadership = Leadership(settings.postgres.url, clock, allowed_skew)
    tasks.create_task(leadership.lead_for_ever(lead), name="lead")
    return leadership


def begin_following(
    tasks: asyncio.TaskGroup,
    leadership: Leadership | None,
    doorbell: Doorbell,
    directories: Directories,
    hold: LogHold,
    report: Callable[[Exception], None],
) -> None:
    """What every node of a cluster does to know what the others did."""
    if leadership is None:
        return
    from gateway.engines.postgres.doorbell import PostgresDoorbell

    if isinstance(doorbell, PostgresDoorbell):
        tasks.create_task(doorbell.run(), name="bells")
    tasks.create_task(follow_changes(directories, report), name="follow-changes")
    tasks.create_task(_follow_log(leadership, hold), name="follow-log")


async def follow_changes(
    directories: Directories,
    report: Callable[[Exception], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """See offices, policies and consents change on other nodes.

    What another node stored and this one cannot read (a pack of a newer release, a changed row) is told once, and looked at
    again: meanwhile this node has the epochs of before, under which nothing that it decides can be claimed.
    """
    told = ""
    while True:
        try:
            await directories.refresh()
            told = ""
        except Unavailable as away:  # without the store nothing is decided, so nothing is missed
            unread = away.__cause__
            if isinstance(unread, HutongError) and told != str(unread):
                told = str(unread)
                report(unread)
        await pause(LOOK_EVERY.total_seconds())


async def _follow_log(leadership: Leadership, hold: LogHold) -> None:
    """See what the leading node signed, while this one does not lead."""
    while True:
        if not leadership.is_leading:
            await hold.follow()
        await asyncio.sleep(FOLLOW_EVERY.total_seconds())
