"""The message broker's part of the composition root: RabbitMQ where the settings name one, else what one process needs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
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
    from gateway.engines.rabbitmq.repairs import Signal

SIGNALS = (
    "connected", "connection-lost", "queues-lost", "queues-trouble", "queue-unread", "queue-stranded", "queue-made-anew",
    "queue-not-formed", "office-disconnected", "submission-set-aside",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Broker:
    """Bells and queues. `publisher` is None on a gateway without RabbitMQ."""

    doorbell: Doorbell
    queues: AgencyQueues
    vhosts: frozenset[str] = frozenset()
    publisher: Publisher | None = None
    heard: Mapping[str, int] = field(default_factory=dict)  # how often the engine signalled what


def open_broker(settings: Settings, signal: Signal, report: Callable[[BaseException], None]) -> Broker:
    """Read the addresses; connects nothing yet."""
    known = addresses(settings.rabbitmq)
    if not known:
        return Broker(EmbeddedDoorbell(), NoQueues())
    heard = Counter[str]()

    def hear(name: str, /, **about: str | int) -> None:
        heard[name] += 1
        signal(name, **about)

    # the client library is loaded only where there is a broker: a gateway without one starts sooner
    from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
    from gateway.engines.rabbitmq.management import Management
    from gateway.engines.rabbitmq.publisher import Publisher
    from gateway.engines.rabbitmq.queues import RabbitQueues

    limits = settings.rabbitmq
    publisher = Publisher(known, limits.window, limits.heartbeat_seconds, hear)
    doorbell = RabbitDoorbell(publisher, BELL)
    management = Management(limits.management, known[0])
    queues = RabbitQueues(known, limits, publisher, doorbell, management, hear, report)
    return Broker(doorbell, queues, frozenset(address.vhost for address in known), publisher, heard)


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

    def collect(self) -> Iterator[Metric]:
        if self._broker.publisher is not None:
            up = GaugeMetricFamily("hutong_rabbitmq_up", "1 while this node can publish to and consume from RabbitMQ")
            up.add_metric([], float(self._broker.queues.is_up))
            yield up
            text = "What happened at RabbitMQ and to its queues, by the signal of the event log"
            signals = CounterMetricFamily("hutong_rabbitmq_signals", text, labels=("signal",))
            for name in SIGNALS:
                signals.add_metric((name,), self._broker.heard.get(name, 0))
            yield signals

    def describe(self) -> Iterable[Metric]:
        return ()
