"""What does a node need of its store as a whole? One object for each storage port, however many nodes share it."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from gateway.crypto.scatter import Scatter
from gateway.ports.emergency_storage import EmergencyStorage
from gateway.ports.file_storage import FileStorage
from gateway.ports.log_storage import LogStorage
from gateway.ports.person_storage import PersonStorage
from gateway.ports.registry_storage import ConsentStorage, DirectoryStorage, PolicyStorage, StaffStorage
from gateway.ports.relay_storage import RelayStorage
from gateway.ports.retention_storage import RetentionStorage
from gateway.ports.storage import DeliveryStorage, NoticeStorage


class Store(Protocol):
    @property
    def delivery_ids(self) -> Scatter:
        """Makes delivery ids that are ordered inside and random outside."""
        ...

    @property
    def notices(self) -> NoticeStorage: ...

    @property
    def deliveries(self) -> DeliveryStorage: ...

    @property
    def directory(self) -> DirectoryStorage: ...

    @property
    def policies(self) -> PolicyStorage: ...

    @property
    def staff(self) -> StaffStorage: ...

    @property
    def consents(self) -> ConsentStorage: ...

    @property
    def persons(self) -> PersonStorage: ...

    @property
    def emergencies(self) -> EmergencyStorage: ...

    @property
    def log(self) -> LogStorage: ...

    @property
    def retention(self) -> RetentionStorage: ...

    @property
    def files(self) -> FileStorage: ...

    @property
    def relays(self) -> RelayStorage: ...

    async def clock_difference(self) -> timedelta:
        """By how much the clock that all nodes of this store have in common is ahead of ours. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Commit what waits, then end. A second call does nothing."""
        ...
