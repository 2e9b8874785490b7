"""Every suite of the ports of a store, each once: an engine's module takes them all, so that it leaves none out.

Beside that module an engine gives three fixtures: `clock` (a `SetClock`), `store` (an open, empty store), and `units` (a
`Units` whose ids the store takes).
"""

from tests.contracts.storage.checkpoint_suite import CheckpointSuite
from tests.contracts.storage.delivery_suite import DeliverySuite
from tests.contracts.storage.emergency_suite import EmergencySuite
from tests.contracts.storage.file_suite import FileSuite
from tests.contracts.storage.lease_suite import LeaseSuite
from tests.contracts.storage.log_suite import LogSuite
from tests.contracts.storage.notice_suite import NoticeSuite
from tests.contracts.storage.person_suite import PersonSuite
from tests.contracts.storage.registry_suite import RegistrySuite
from tests.contracts.storage.relay_suite import RelaySuite
from tests.contracts.storage.retention_suite import RetentionSuite
from tests.contracts.storage.watch_suite import WatchSuite

SUITES = {
    "TestCheckpoints": CheckpointSuite,
    "TestDeliveries": DeliverySuite,
    "TestEmergencies": EmergencySuite,
    "TestFiles": FileSuite,
    "TestLeases": LeaseSuite,
    "TestLog": LogSuite,
    "TestNotices": NoticeSuite,
    "TestPersons": PersonSuite,
    "TestRegistry": RegistrySuite,
    "TestRelays": RelaySuite,
    "TestRetention": RetentionSuite,
    "TestWatch": WatchSuite,
}


def classes() -> dict[str, type]:
    """The test classes of one engine's module."""
    return {name: type(name, (suite,), {}) for name, suite in SUITES.items()}
