"""What touches the world, and the documents it works by: how they are opened. That part of the composition root."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from adapters.registry import load_adapters
from gateway.assembly_amqp import Broker, open_broker
from gateway.assembly_log import (
    LogProof,
    open_log_proof,
)
from gateway.assembly_store import (
    cluster_doorbell,
    open_keys,
    open_record,
)
from gateway.config import Settings
from gateway.engines.backup.copies import ROOT_KEY_FILE
from gateway.engines.files.documents import default_catalogue, default_codes, default_rules
from gateway.engines.files.geography import read_divisions, read_jurisdictions, read_routing
from gateway.engines.files.keystore import FileKeyStore
from gateway.engines.files.objects import FileObjects
from gateway.engines.files.packs import safeguards_text
from gateway.engines.files.root_change import FileRootKeys
from gateway.engines.files.root_key import RootKey, RootKeyFile, RootPassphrase
from gateway.engines.http_courier.courier import CourierSettings, HttpCourier
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.engines.system.logs import EventLog, Stream
from gateway.engines.system.steady_clock import SteadyClock, TrustedClock
from gateway.geography.divisions import DivisionTree
from gateway.model.geography import Jurisdiction
from gateway.policy.routing_rules import RoutingTables
from gateway.policy.safeguards import Safeguards, load_safeguards
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock, Ids, TimeInDoubt
from gateway.ports.keys import RootKeys
from gateway.ports.log_storage import LogQuery
from gateway.ports.object_storage import ObjectStorage
from gateway.ports.store import Store
from gateway.ports.translation import Adapter
from gateway.services.roles import LocalStaff
from gateway.services.tell import Teller
from gateway.validation.catalogue import Catalogue
from gateway.validation.codes import CodeTables
from gateway.validation.validate import Rules

ROOT_KEY = ROOT_KEY_FILE


@dataclass(frozen=True, slots=True)
class Documents:
    """What is read once from files: schemas, codes, divisions, adapters. Routing and safeguards hold only until a pack in force says them."""

    catalogue: Catalogue
    codes: CodeTables
    rules: Rules
    tree: DivisionTree
    jurisdictions: tuple[Jurisdiction, ...]
    routing: RoutingTables
    adapters: Mapping[str, Adapter]
    safeguards: Safeguards

    @classmethod
    def read(cls, settings: Settings) -> Documents:
        own = settings.policy_directory
        return cls(
            catalogue=default_catalogue(),
            codes=default_codes(),
            rules=default_rules(),
            tree=read_divisions(None if own is None else own / "directory" / "divisions.csv"),
            jurisdictions=read_jurisdictions(None if own is None else own / "directory" / "jurisdictions.csv"),
            routing=read_routing(None if own is None else own / "routing"),
            adapters=load_adapters(),
            safeguards=load_safeguards(safeguards_text(own)),
        )


@dataclass(frozen=True, slots=True)
class Engines:
    """What touches the world."""

    clock: Clock
    time: TimeInDoubt
    ids: Ids
    keys: FileKeyStore
    root: RootKeys
    store: Store
    objects: ObjectStorage
    proof: LogProof
    broker: Broker
    courier: HttpCourier
    events: EventLog

    @property
    def doorbell(self) -> Doorbell:
        return self.broker.doorbell


class EventLogMetrics(Collector):
    """Whether a node's own lines are read at all."""

    def __init__(self, events: EventLog) -> None:
        self._events = events

    def collect(self) -> Iterator[CounterMetricFamily]:
        text = "Lines of the event log that nobody took in time"
        yield CounterMetricFamily("hutong_event_lines_lost", text, self._events.lost)


@asynccontextmanager
async def open_engines(settings: Settings, log_stream: Stream, clock: Clock | None = None) -> AsyncIterator[Engines]:
    wall = SystemClock()
    clock = clock or (wall if settings.is_clustered else steady_clock(settings, wall, wall.since_boot))
    time: TimeInDoubt = clock if isinstance(clock, SteadyClock) else TrustedClock(clock)
    async with AsyncExitStack() as stack:
        root = root_key(settings)
        keys = open_keys(settings, root)
        stack.callback(keys.close)
        store = await open_record(settings, clock)
        stack.push_async_callback(store.close)
        if isinstance(clock, SteadyClock):
            newest = await store.log.search(LogQuery(), None, 1)
            clock.begin_after(newest[0].at if newest else None)
        courier = HttpCourier(
            clock,
            CourierSettings(
                connections_per_office=settings.delivery.max_in_flight_per_office,
                is_plain_loopback_allowed=settings.delivery.webhook_plain_loopback,
            ),
        )
        stack.push_async_callback(courier.close)
        ids = SystemIds(clock, store.delivery_ids)
        teller = Teller(keys, ids)
        staff = LocalStaff(storage=store.staff, teller=teller, clock=clock)
        proof = await stack.enter_async_context(open_log_proof(settings, store.log, teller, staff, clock, ids))
        events = EventLog(log_stream, clock)
        broker = open_broker(
            settings,
            lambda name, /, **about: events.write("rabbitmq", signal=name, **about),
            lambda error: events.error("rabbitmq_failed", error),
        )
        if (bells := cluster_doorbell(settings)) is not None:
            broker = replace(broker, doorbell=bells)
        yield Engines(
            clock,
            time,
            ids,
            keys,
            FileRootKeys(keys, root),
            store,
            FileObjects(settings.objects, settings.limits.disk_reserve_bytes),
            proof,
            broker,
            courier,
            events,
        )


def steady_clock(settings: Settings, wall: Clock, elapsed: Callable[[], float] | None = None) -> SteadyClock:
    """The time of a node that has no database's clock to be held to."""
    limits = settings.limits
    tolerance, longest_gap = timedelta(seconds=limits.clock_skew_seconds), timedelta(hours=limits.clock_gap_hours)
    return SteadyClock(wall, tolerance, longest_gap, elapsed)


def root_key(settings: Settings) -> RootKey:
    """What opens the key store: a passphrase from the environment where one is set, else a file beside it."""
    if settings.key_passphrase:
        return RootPassphrase(settings.key_passphrase)
    return RootKeyFile(settings.key_directory / ROOT_KEY)
