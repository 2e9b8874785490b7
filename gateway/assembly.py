"""The composition root: the one place that names concrete engines, agencies and settings.

`running` opens everything in order and closes it in the reverse order. Starting
after a crash is the same path: what was accepted is in the store, leases that were live
lapse, and the outbox is the deliveries themselves.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from aiohttp import web
from prometheus_client import CollectorRegistry

from gateway.assembly_amqp import BrokerMetrics, begin_relay
from gateway.assembly_engines import ROOT_KEY, Documents, Engines, EventLogMetrics, open_engines, root_key
from gateway.assembly_ground import pause, policies_of
from gateway.assembly_log import (
    create_log_keys,
    index_for_ever,
    log_admin,
    publish_for_ever,
    retain_for_ever,
    watch_for_ever,
)
from gateway.assembly_services import Services, join_services
from gateway.assembly_store import (
    begin_duties,
    begin_following,
    create_record,
)
from gateway.config import Settings
from gateway.engines.files.key_file import create_key_store
from gateway.engines.files.packs import pack_files
from gateway.engines.files.root_key import RootKeyFile
from gateway.engines.system.logs import Stream
from gateway.http.admin import AdminServices, make_admin_app
from gateway.http.admin_analysis import analysis_routes
from gateway.http.admin_conflicts import conflict_routes
from gateway.http.admin_emergency import emergency_routes
from gateway.http.admin_keys import key_routes
from gateway.http.admin_log import log_routes
from gateway.http.admin_persons import PersonServices, person_routes
from gateway.http.admin_policies import PolicyServices, policy_routes
from gateway.http.admin_retention import RetentionServices, retention_routes
from gateway.http.app import make_app
from gateway.http.services import ApiServices, LogReading
from gateway.http.serving import Edge as HttpEdge
from gateway.http.serving import server_tls
from gateway.http.settings import HttpSettings
from gateway.model.errors import Unavailable
from gateway.ports.clock import Clock
from gateway.ports.log_storage import Head
from gateway.services.administer_policies import keep_in_force
from gateway.services.directory import Directories
from gateway.services.emergency import EmergencyAccess
from gateway.services.expire import Expire
from gateway.services.release_held import ReleaseHeld
from gateway.services.roles import LocalStaff, Role
from gateway.services.stale_grants import StaleGrants
from gateway.services.tell import Teller
from gateway.services.verify_log import Verified
from gateway.services.verify_signed import verify_everything

ADMIN_SOCKET = "admin.sock"
EXPIRE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, for those who live in the same process: command line, demo, tests."""

    settings: Settings
    url: str
    documents: Documents
    engines: Engines
    services: Services
    background: asyncio.Task[None]  # everything that happens by itself; it ends by an error alone, and the node with it


async def create(settings: Settings, *, by: str) -> None:
    """Make store and key store where the settings say, and put the shipped policy in force. Refuses to touch what exists."""
    for directory in (settings.directory, settings.key_directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not settings.key_passphrase:
        RootKeyFile.create(settings.key_directory / ROOT_KEY)
    create_key_store(settings.key_directory, root_key(settings))
    create_log_keys(settings)
    await create_record(settings)
    async with open_engines(settings, sys.stderr.buffer) as engines:
        teller = Teller(engines.keys, engines.ids)
        policies = policies_of(settings, Documents.read(settings), engines, teller)
        await policies.install(pack_files(settings.policy_directory), by=by)
        staff = LocalStaff(storage=engines.store.staff, teller=teller, clock=engines.clock)
        await staff.grant(by, Role.SECURITY_ADMINISTRATOR, by=by)


@asynccontextmanager
async def running(
    settings: Settings, *, log_stream: Stream, port: int | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """Open everything, serve, and close everything in the reverse order.

    `log_stream` is where the event log goes; `port` overrides the settings' (0: any free one), `clock` the system's.
    """
    documents = Documents.read(settings)
    async with AsyncExitStack() as stack:
        engines = await stack.enter_async_context(open_engines(settings, log_stream, clock))
        address = settings.server.host, settings.server.port if port is None else port
        try:
            listener = socket.create_server(address, backlog=1024, reuse_port=False)
        except OSError as refused:
            what = f"the gateway cannot listen on {address[0]}:{address[1]}: {os.strerror(refused.errno or 0)}"
            raise Unavailable(
                what, remedy="set server.host and server.port to what is free on this machine"
            ) from refused
        stack.callback(listener.close)
        scheme = "https" if settings.server.tls_certificate else "http"
        url = settings.server.public_url or f"{scheme}://{settings.server.host}:{listener.getsockname()[1]}"
        services = await join_services(settings, documents, engines, url)
        await services.proof.erase.resume()
        edge = HttpEdge(make_app(_api(settings, engines, services), HttpSettings.of(settings)))
        background = asyncio.create_task(_background(settings, engines, services), name="deliver")
        stack.push_async_callback(_end, background)
        await edge.start_on(listener, _tls(settings))
        stack.push_async_callback(edge.stop)
        await _serve_admin(stack, settings, engines, services)
        stack.callback(services.drain)
        if settings.is_clustered:
            stack.push_async_callback(_leave, settings, edge)
        yield Gateway(settings, url, documents, engines, services, background)


def _api(settings: Settings, engines: Engines, services: Services) -> ApiServices:
    async def readiness() -> Mapping[str, str]:
        await engines.store.log.head()
        services.policies.current()
        difference = await engines.store.clock_difference()
        is_right = abs(difference) <= timedelta(seconds=settings.limits.clock_skew_seconds)
        clock = "ok" if is_right else "differs-from-the-database"
        return {"store": "ok", "policy": "ok", "clock": clock, "time": engines.time.doubt() or "ok"}

    registry = CollectorRegistry()
    registry.register(services.proof.watch.metrics)
    registry.register(BrokerMetrics(engines.broker))
    registry.register(EventLogMetrics(engines.events))
    registry.register(services.backlogs)
    return ApiServices(
        submit=services.submit,
        bulk=services.bulk,
        pull=services.pull,
        acknowledge=services.acknowledge,
        follow=services.follow,
        access=services.access,
        show_consent=services.show_consent,
        record_use=services.record_use,
        emergency=services.emergency,
        webhooks=services.enrol,
        verify_order=services.verify_order,
        attachments=services.attachments,
        fetch_attachment=services.fetch_attachment,
        pass_on=services.pass_on,
        authenticate=services.authenticate,
        directories=services.directories,
        readiness=readiness,
        clock=engines.clock,
        log=engines.events,
        log_reading=LogReading(engines.proof.publisher, services.proof.desk),
        registry=registry,
        recount=services.backlogs.recount,
        broker_access=None if engines.broker.publisher is None else services.broker_access,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    server = settings.server
    if not server.tls_certificate:
        return None
    return server_tls(server.tls_certificate, server.tls_key, server.tls_client_authorities or None)


async def _serve_admin(stack: AsyncExitStack, settings: Settings, engines: Engines, services: Services) -> None:
    """The operator's socket: a file of the gateway's own account, mode 0600."""
    log, publisher = engines.store.log, engines.proof.publisher

    async def verify() -> Verified:
        latest = await publisher.settled()
        signed = None if latest is None else Head(latest.checkpoint.size, latest.checkpoint.root)
        return await verify_everything(log, publisher.origin, publisher.trust, signed)

    app = make_admin_app(
        AdminServices(
            enrol=services.enrol,
            dead_letters=services.dead_letters,
            backlogs=services.backlogs,
            release_held=services.release_held,
            notices=engines.store.notices,
            verify=verify,
            unmapped=services.unmapped,
            time=engines.time,
        ),
        [
            *log_routes(log_admin(settings, engines.store.log, engines.proof, services.proof)),
            *retention_routes(RetentionServices(services.proof.erase, services.proof.legal_holds)),
            *emergency_routes(services.emergency, services.staff),
            *conflict_routes(services.clear_conflict),
            *key_routes(services.gateway_keys),
            *person_routes(PersonServices(services.propose_joining, services.join_persons)),
            *analysis_routes(services.analyse_policies),
            *policy_routes(
                PolicyServices(
                    services.administer_policies,
                    services.policies,
                    services.replays,
                    services.replay_routing,
                    services.preview,
                    services.staff,
                    StaleGrants(
                        policy=services.policies.current,
                        log=engines.store.log,
                        teller=services.teller,
                        clock=engines.clock,
                    ),
                )
            ),
        ],
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    if settings.is_clustered:  # a node keeps nothing there but this, so that an empty volume will do
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.directory / ADMIN_SOCKET
    path.unlink(missing_ok=True)
    previous = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    finally:
        os.umask(previous)
    stack.callback(path.unlink, missing_ok=True)


async def _background(settings: Settings, engines: Engines, services: Services) -> None:
    """Everything that happens by itself, in one task group."""
    proof, seconds = engines.proof, settings.log.checkpoint_seconds
    async with asyncio.TaskGroup() as tasks:
        leadership = begin_duties(
            tasks,
            settings,
            engines.clock,
            [
                ("publish", lambda: publish_for_ever(proof, seconds, again=settings.is_clustered)),
                ("retain", lambda: retain_for_ever(services.proof.retain)),
                ("index", lambda: index_for_ever(engines.store.log)),
                ("watch", lambda: watch_for_ever(services.proof.watch)),
                ("expire", lambda: _expire_for_ever(services.expire)),
                ("bulk", services.bulk.run),
            ],
        )
        begin_following(
            tasks,
            leadership,
            engines.doorbell,
            services.directories,
            proof.hold,
            lambda error: engines.events.error("changes_not_followed", error),
        )
        tasks.create_task(services.push.run(), name="push")
        begin_relay(tasks, engines.broker, services.relay, services.desk)
        tasks.create_task(_tell_of_emergencies(services.emergency), name="after-notices")
        tasks.create_task(_let_go_what_waited(services.release_held, services.directories), name="held")
        tasks.create_task(
            keep_in_force(services.administer_policies, services.policies, pause, services.trouble), name="policies"
        )


async def _tell_of_emergencies(emergency: EmergencyAccess) -> None:
    """Send the after-notices that a crash may have swallowed, and any that is owed later; those that went out answer as
    repetitions."""
    while True:
        await _until_done(emergency.tell_again)
        await emergency.owes()


async def _let_go_what_waited(release_held: ReleaseHeld, directories: Directories) -> None:
    """Let go, once, what waits for offices that are enrolled: a node that ended between an entry and its release left it."""
    for office in list(directories.current.offices):
        await _until_done(partial(release_held.for_office, office))


async def _until_done(step: Callable[[], Awaitable[object]]) -> None:
    """Do one step, again for as long as what it needs is away."""
    while True:
        try:
            await step()
        except Unavailable as away:
            await pause(away.retry_after)
        else:
            return


async def _expire_for_ever(expire: Expire) -> None:
    while True:
        with suppress(Unavailable):  # the store is away: the next beat finds the same deliveries
            await expire()
        await pause(EXPIRE_EVERY)


async def _leave(settings: Settings, edge: HttpEdge) -> None:
    """Still answer, but say on each answer and to the balancer that this node closes; then let clients end their connections:
    nobody begins a request into nothing."""
    edge.begin_drain()
    await pause(timedelta(seconds=settings.server.leave_seconds))
    await edge.leave()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
