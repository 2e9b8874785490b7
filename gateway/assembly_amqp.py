"""The message broker's part of the composition root: RabbitMQ where the settings name one, else what one process needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.amqp.desk import SubmissionDesk
from gateway.config import Settings
from gateway.engines.embedded_broker.doorbell import EmbeddedDoorbell
from gateway.engines.embedded_broker.no_queues import NoQueues
from gateway.engines.rabbitmq.address import addresses
from gateway.ports.agency_queues import AgencyQueues
from gateway.ports.broker import Doorbell
from gateway.services.relay import BELL, Relay

if TYPE_CHECKING:
    from gateway.engines.rabbitmq.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Broker:
    """Bells and queues. `publisher` is None on a gateway without RabbitMQ."""

    doorbell: Doorbell
    queues: AgencyQueues
    vhosts: frozenset[str] = frozenset()
    publisher: Publisher | None = None


def open_broker(settings: Settings, signal: Callable[[str], None], report: Callable[[BaseException], None]) -> Broker:
    """Read the addresses; connects nothing yet."""
    known = addresses(settings.rabbitmq)
    if not known:
        return Broker(EmbeddedDoorbell(), NoQueues())
    # the client library is loaded only where there is a broker: a gateway without one starts sooner
    from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
    from gateway.engines.rabbitmq.management import Management
    from gateway.engines.rabbitmq.publisher import Publisher
    from gateway.engines.rabbitmq.queues import RabbitQueues

    limits = settings.rabbitmq
    publisher = Publisher(known, limits.window, limits.heartbeat_seconds, signal)
    doorbell = RabbitDoorbell(publisher, BELL)
    management = Management(limits.management, known[0])
    queues = RabbitQueues(known, limits, publisher, doorbell, management, signal, report)
    return Broker(doorbell, queues, frozenset(address.vhost for address in known), publisher)


def begin_relay(tasks: asyncio.TaskGroup, broker: Broker, relay: Relay, desk: SubmissionDesk) -> None:
    """What happens by itself at the message broker. Without one, nothing does."""
    if broker.publisher is None:
        return
    tasks.create_task(broker.publisher.run(), name="amqp-publish")
    tasks.create_task(broker.queues.run(desk), name="amqp-queues")
    tasks.create_task(relay.run(), name="amqp-relay")


class BrokerMetrics(Collector):
    """Whether the broker is there. A node without its broker stays ready: it accepts, hands out and keeps everything."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if self._broker.publisher is not None:
            up = GaugeMetricFamily("hutong_rabbitmq_up", "1 while this node can publish to and consume from RabbitMQ")
            up.add_metric([], float(self._broker.queues.is_up))
            yield up

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()
