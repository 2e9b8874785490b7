"""The embedded store keeps the promises of the storage ports."""

from tests.contracts.file_suite import FileStorageSuite
from tests.contracts.person_suite import PersonStorageSuite
from tests.contracts.storage_suite import (
    DeliveryStorageSuite,
    NoticeStorageSuite,
    RegistryStorageSuite,
    RelayStorageSuite,
    RetentionStorageSuite,
)


class TestNotices(NoticeStorageSuite):
    pass


class TestDeliveries(DeliveryStorageSuite):
    pass


class TestRelays(RelayStorageSuite):
    pass


class TestRegistry(RegistryStorageSuite):
    pass


class TestRetention(RetentionStorageSuite):
    pass


class TestFiles(FileStorageSuite):
    pass


class TestPersons(PersonStorageSuite):
    pass
