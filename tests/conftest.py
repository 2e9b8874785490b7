"""Fixtures of the services that several rooms of tests use; each is started by the first test that asks for it.

Properties are tried with the same examples each time, unless somebody goes looking for new ones:
`HYPOTHESIS_PROFILE=explore` draws them (`make soak` does), and what it finds becomes an example of its own.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from tests.support import postgres as databases
from tests.support import rabbitmq as brokers

# Time on the wall is the machine's, not the property's: a busy one must not fail a test.
settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[brokers.Running]:
    """One RabbitMQ node: the one that the environment names, or one of this test run."""
    named = os.environ.get("HUTONG_TEST_AMQP")
    if named:
        yield brokers.Running.named(named, os.environ.get("HUTONG_TEST_AMQP_MANAGEMENT", ""))
        return
    if not brokers.IS_INSTALLED:
        pytest.skip("RabbitMQ is not installed; see ops/test-services.sh")
    cluster = brokers.Cluster(tmp_path_factory.mktemp("rabbitmq") / "one")
    try:
        yield brokers.Running.of(cluster.start().brokers[0])
    finally:
        cluster.stop()


@pytest.fixture
async def vhost(rabbitmq: brokers.Running) -> AsyncIterator[str]:
    """A world of its own at the broker, gone after the test."""
    name = await rabbitmq.make_vhost(f"test-{uuid4().hex[:12]}")
    yield name
    await rabbitmq.drop_vhost(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[databases.Server]:
    """One PostgreSQL server: the one that the environment names, or one of this test run."""
    named = os.environ.get("HUTONG_TEST_POSTGRES")
    if named:
        yield databases.Server(named)
        return
    if not databases.IS_INSTALLED:
        pytest.skip("PostgreSQL 15 or newer is not installed; see ops/test-services.sh")
    private = databases.PostgresServer(durable=False)
    try:
        yield private.start().server
    finally:
        private.stop()


@pytest.fixture
def durable_postgres() -> Iterator[databases.PostgresServer]:
    """A server of one test's own, that syncs what it commits and may be killed."""
    if not databases.IS_INSTALLED:
        pytest.skip("PostgreSQL 15 or newer is not installed; see ops/test-services.sh")
    private = databases.PostgresServer()
    try:
        yield private.start()
    finally:
        private.stop()
