"""The embedded store's deliveries under random orders of everything."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

from gateway.engines.sqlite.store import SqliteStore
from tests.contracts.storage.delivery_machine import DeliveryMachine


class SqliteDeliveryMachine(DeliveryMachine):
    def open_store(self, clock):
        self.folder = Path(tempfile.mkdtemp(prefix="store-"))
        SqliteStore.create(self.folder / "store")
        return SqliteStore.open(self.folder / "store", clock, cache_mib=1, reader_threads=1)

    def teardown(self):
        super().teardown()
        shutil.rmtree(self.folder, ignore_errors=True)


TestSqliteDeliveryMachine = SqliteDeliveryMachine.TestCase
TestSqliteDeliveryMachine.settings = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # every step is a commit: shrinking would take minutes
    suppress_health_check=list(HealthCheck),
)
