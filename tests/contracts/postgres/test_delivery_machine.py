"""The clustered store's deliveries under random orders of everything."""

import pytest
from hypothesis import HealthCheck, Phase, settings

from gateway.engines.postgres.store import PostgresStore
from tests.contracts.storage.delivery_machine import DeliveryMachine

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", autouse=True)
def server(postgres):
    PostgresDeliveryMachine.server = postgres


class PostgresDeliveryMachine(DeliveryMachine):
    def open_store(self, clock):
        async def opened():
            self.url = await self.server.make_database()
            await PostgresStore.create(self.url)
            return await PostgresStore.open(self.url, clock, readers=1)

        return self.loop.run_until_complete(opened())

    def teardown(self):
        loop = self.loop
        close, loop.close = loop.close, lambda: None
        super().teardown()
        loop.run_until_complete(self.server.drop_database(self.url))
        close()


TestPostgresDeliveryMachine = PostgresDeliveryMachine.TestCase
TestPostgresDeliveryMachine.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
