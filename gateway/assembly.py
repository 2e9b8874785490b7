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
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO

from aiohttp import web
from prometheus_client import CollectorRegistry

from adapters.registry import load_adapters
from gateway.amqp.desk import SubmissionDesk
from gateway.assembly_amqp import Broker, BrokerMetrics, begin_relay, open_broker
from gateway.assembly_log import (
    LogProof,
    LogServices,
    create_log_keys,
    index_for_ever,
    join_log_services,
    log_admin,
    open_log_proof,
    publish_for_ever,
    retain_for_ever,
    watch_for_ever,
)
from gateway.assembly_store import (
    begin_duties,
    begin_following,
    cluster_doorbell,
    create_record,
    open_keys,
    open_record,
)
from gateway.config import Settings
from gateway.crypto.detached import DetachedSigner
from gateway.engines.files.documents import default_catalogue, default_codes, default_rules
from gateway.engines.files.geography import read_divisions, read_jurisdictions, read_routing
from gateway.engines.files.keystore import FileKeyStore, create_key_store
from gateway.engines.files.objects import FileObjects
from gateway.engines.files.packs import disclosure_files, safeguards_text
from gateway.engines.files.root_key import RootKey, RootKeyFile, RootPassphrase
from gateway.engines.http_courier.courier import CourierSettings, HttpCourier
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.engines.system.logs import EventLog
from gateway.geography.divisions import DivisionTree
from gateway.http.admin import AdminServices, make_admin_app
from gateway.http.admin_conflicts import conflict_routes
from gateway.http.admin_emergency import emergency_routes
from gateway.http.admin_log import log_routes
from gateway.http.admin_policies import PolicyServices, policy_routes
from gateway.http.admin_retention import RetentionServices, retention_routes
from gateway.http.app import make_app
from gateway.http.services import ApiServices, LogReading
from gateway.http.serving import Edge as HttpEdge
from gateway.http.serving import server_tls
from gateway.http.settings import HttpSettings
from gateway.model.delivery import Delivery
from gateway.model.errors import Unavailable
from gateway.model.geography import Jurisdiction
from gateway.model.identifiers import NoticeId, NoticeType
from gateway.model.routing import NO_CASE
from gateway.policy.compile import Policy
from gateway.policy.decide import Decider
from gateway.policy.route import route
from gateway.policy.routing_rules import RoutingTables
from gateway.policy.safeguards import Safeguards, load_safeguards
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock, Ids
from gateway.ports.object_storage import ObjectStorage
from gateway.ports.store import Store
from gateway.ports.translation import Adapter
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.scrub import scrub
from gateway.privacy.segments import Layout, join
from gateway.services.acknowledge import Acknowledge
from gateway.services.administer_policies import AdministerPolicies, keep_in_force
from gateway.services.admit import Admission
from gateway.services.answer_access import AnswerAccess
from gateway.services.answer_question import AnswerQuestion
from gateway.services.attachments import Attachments
from gateway.services.attempt import Attempt
from gateway.services.authenticate import Authenticate, TokenSettings
from gateway.services.broker_access import BrokerAccess
from gateway.services.bulk import BulkFiles
from gateway.services.cases import Cases
from gateway.services.clear_conflict import ClearConflict
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.consents import Consents
from gateway.services.dead_letters import DeadLetters
from gateway.services.directory import Directories
from gateway.services.emergency import EmergencyAccess
from gateway.services.enforce import Enforce
from gateway.services.enrol import Enrol
from gateway.services.expire import Expire
from gateway.services.facts import FactGatherer, china_day
from gateway.services.fetch_attachment import FetchAttachment
from gateway.services.follow import Follow
from gateway.services.formats import Formats
from gateway.services.gateway_notices import GatewayNotices
from gateway.services.govern import Policies
from gateway.services.keep import Keeper
from gateway.services.people import People
from gateway.services.preview import Preview
from gateway.services.pull import Pull
from gateway.services.push import Push
from gateway.services.recall import Recall
from gateway.services.receipts import ReceiptMaker
from gateway.services.record_consent import CONSENT_TYPE, RecordConsent
from gateway.services.record_use import RecordUse
from gateway.services.relay import Relay
from gateway.services.release_held import ReleaseHeld
from gateway.services.replay import Replays
from gateway.services.roles import LocalStaff, Role
from gateway.services.sealed_questions import QUERY
from gateway.services.show_consent import ShowConsent
from gateway.services.stale_grants import StaleGrants
from gateway.services.submit import Submit
from gateway.services.tell import Teller
from gateway.services.verify_log import verify_log
from gateway.services.withdraw import Withdraw
from gateway.validation.catalogue import Catalogue, fields_in
from gateway.validation.codes import CodeTables
from gateway.validation.validate import Rules, validate

ADMIN_SOCKET = "admin.sock"
ROOT_KEY = "root.key"
EXPIRE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Documents:
    """What is read once from files: schemas, codes, divisions, routing, adapters."""

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
        codes = default_codes()
        return cls(
            catalogue=default_catalogue(),
            codes=codes,
            rules=default_rules(),
            tree=read_divisions(None if own is None else own / "directory" / "divisions.csv"),
            jurisdictions=read_jurisdictions(None if own is None else own / "directory" / "jurisdictions.csv"),
            routing=read_routing(None if own is None else own / "routing"),
            adapters=load_adapters(),
            safeguards=load_safeguards(
                safeguards_text(own), questions=codes.codes("question"), answers=codes.codes("answer")
            ),
        )


@dataclass(frozen=True, slots=True)
class Engines:
    """What touches the world."""

    clock: Clock
    ids: Ids
    keys: FileKeyStore
    store: Store
    objects: ObjectStorage
    proof: LogProof
    broker: Broker
    courier: HttpCourier
    events: EventLog

    @property
    def doorbell(self) -> Doorbell:
        return self.broker.doorbell


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case of one node, joined to its engines."""

    proof: LogServices
    directories: Directories
    policies: Policies
    staff: LocalStaff
    administer_policies: AdministerPolicies
    replays: Replays
    preview: Preview
    submit: Submit
    bulk: BulkFiles
    attachments: Attachments
    fetch_attachment: FetchAttachment
    pull: Pull
    push: Push
    relay: Relay
    recall: Recall
    desk: SubmissionDesk
    acknowledge: Acknowledge
    show_consent: ShowConsent
    record_use: RecordUse
    emergency: EmergencyAccess
    clear_conflict: ClearConflict
    follow: Follow
    access: AnswerAccess
    enrol: Enrol
    release_held: ReleaseHeld
    dead_letters: DeadLetters
    expire: Expire
    authenticate: Authenticate
    broker_access: BrokerAccess
    teller: Teller
    drain: Callable[[], None]
    trouble: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, for those who live in the same process: command line, demo, tests."""

    settings: Settings
    url: str
    documents: Documents
    engines: Engines
    services: Services


async def create(settings: Settings, *, by: str) -> None:
    """Make store and key store where the settings say, and put the shipped policy in force. Refuses to touch what exists."""
    for directory in (settings.directory, settings.key_directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not settings.key_passphrase:
        RootKeyFile.create(settings.key_directory / ROOT_KEY)
    create_key_store(settings.key_directory, _root_key(settings))
    create_log_keys(settings)
    await create_record(settings)
    async with _open_engines(settings, sys.stderr.buffer) as engines:
        teller = Teller(engines.keys, engines.ids)
        policies = _policies(settings, default_catalogue(), engines, teller)
        await policies.install(disclosure_files(settings.policy_directory), by=by)
        staff = LocalStaff(storage=engines.store.staff, teller=teller, clock=engines.clock)
        await staff.grant(by, Role.SECURITY_ADMINISTRATOR, by=by)


@asynccontextmanager
async def running(
    settings: Settings, *, log_stream: BinaryIO | None = None, port: int | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """Open everything, serve, and close everything in the reverse order.

    `port` overrides the settings' (0: any free one), `clock` the system's.
    """
    documents = Documents.read(settings)
    async with AsyncExitStack() as stack:
        engines = await stack.enter_async_context(_open_engines(settings, log_stream or sys.stderr.buffer, clock))
        listener = socket.create_server(
            (settings.server.host, settings.server.port if port is None else port), backlog=1024, reuse_port=False
        )
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
        yield Gateway(settings, url, documents, engines, services)


async def join_services(settings: Settings, documents: Documents, engines: Engines, url: str) -> Services:
    """Join use cases to engines. Reads directory and policy; starts nothing."""
    store, keys, clock, ids = engines.store, engines.keys, engines.clock, engines.ids
    catalogue = documents.catalogue
    teller = Teller(keys, ids)
    directories = Directories(store.directory, documents.tree, documents.jurisdictions)
    await directories.refresh()
    policies = _policies(settings, catalogue, engines, teller)
    await policies.refresh()
    directories.follow_policies(policies.refresh)
    layout = Layout(catalogue.fields.values())
    keeper = Keeper(keys, ids, layout.split, join)
    cases = Cases(store.notices, store.deliveries, keys, ids)
    receipts = ReceiptMaker(keys.signing_key("receipts"), settings.name)
    formats = Formats(documents.adapters)
    is_draining = threading.Event()
    authenticate = Authenticate(
        settings=TokenSettings.of(settings, url),
        directories=directories,
        storage=store.directory,
        keys=keys,
        clock=clock,
        ids=ids,
    )
    recall = Recall(
        queues=engines.broker.queues,
        deliveries=store.deliveries,
        directories=directories,
        teller=teller,
        doorbell=engines.doorbell,
        clock=clock,
        ticket_life=timedelta(seconds=settings.delivery.ticket_seconds),
        signal=lambda name: engines.events.write("queue_trouble", signal=name),
    )
    admission = Admission(
        settings=settings,
        cases=cases,
        keeper=keeper,
        teller=teller,
        receipts=receipts,
        route=lambda valid, finder, case, on: route(valid, documents.routing, finder, case, on),
        scrub=lambda data, reporter: scrub(
            data, reporter, catalogue.fields.values(), reporter_is_child=reporter.get("relation") == "01"
        ),
        set_apart=layout.set_apart,
        sealed=documents.safeguards.sealed,
        notices=store.notices,
        directories=directories,
        keys=keys,
        ids=ids,
    )
    then: dict[NoticeType, Callable[[NoticeId], Awaitable[bool]]] = {}
    attachments = Attachments(
        objects=engines.objects,
        keys=keys,
        log=store.log,
        teller=teller,
        clock=clock,
        max_bytes=settings.limits.max_attachment_bytes,
        upload_life=timedelta(days=settings.retention.upload_days),
    )
    submit = Submit(
        settings=settings,
        directories=directories,
        adapter_for=formats.reader,
        validate=lambda submitted, now: validate(submitted, documents.rules, china_day(now)),
        admission=admission,
        attachments=attachments,
        withdraw=Withdraw(notices=store.notices, teller=teller, recall=recall),
        notices=store.notices,
        doorbell=engines.doorbell,
        is_on_hold=lambda: engines.proof.hold.is_on,
        then=then,
        recall=recall,
        pause=_pause,
        clock=clock,
        idempotency_secret=keys.secret("idempotency"),
    )
    staff = LocalStaff(storage=store.staff, teller=teller, clock=clock)

    async def settle() -> None:
        """Until nothing decided before can leave any more."""
        await _pause(timedelta(seconds=settings.delivery.ticket_seconds))
        await recall.everyone("conflict-reversed")

    clear_conflict = ClearConflict(
        storage=store.consents,
        retention=store.retention,
        notices=store.notices,
        people=People(notices=store.notices, retention=store.retention, keeper=keeper, keys=keys, teller=teller),
        keys=keys,
        ids=ids,
        teller=teller,
        staff=staff,
        directories=directories,
        clock=clock,
        settle=settle,
    )
    conflicts = ConflictsOnRecord(store.notices, keeper.open, clear_conflict.covers)
    consents = Consents(store.consents, keys, ids, conflicts)

    gateway_notices = GatewayNotices(settings.region, submit.on_behalf)
    record_consent = RecordConsent(
        storage=store.consents,
        consents=consents,
        conflicts=conflicts,
        notices=store.notices,
        keeper=keeper,
        keys=keys,
        directories=directories,
        teller=teller,
        clock=clock,
        tell=gateway_notices,
        consent_bases=lambda: frozenset(
            code for code, basis in policies.current().vocabulary.legal_bases.items() if basis.kind == "consent"
        ),
    )
    answer_question = AnswerQuestion(
        rules=documents.safeguards.sealed, notices=store.notices, keeper=keeper, tell=gateway_notices
    )

    async def consent_said(notice: NoticeId) -> bool:
        return (await record_consent.from_notice(notice)).ended

    then[CONSENT_TYPE] = consent_said
    then[QUERY] = answer_question

    async def emergency_in_force(delivery: Delivery, now: datetime) -> bool:
        return await store.emergencies.in_force(delivery.recipient, delivery.case, now) is not None

    gather = FactGatherer(
        policy=policies.current,
        directories=directories,
        notices=store.notices,
        conflicts=conflicts,
        consents=consents,
        emergencies=emergency_in_force,
        clearings=clear_conflict.for_notice,
        teller=teller,
    )
    decider = Decider()
    projector = Projector(
        {kind: catalogue.fields_of(kind) for kind in catalogue.notice_types}, _coarse_codes(documents)
    )
    enforce = Enforce(
        settings=settings,
        notices=store.notices,
        deliveries=store.deliveries,
        log=store.log,
        directories=directories,
        keeper=keeper,
        cases=cases,
        gather=gather,
        decide=lambda gathered: decider(gathered.facts, policies.current()),
        projector=projector,
        release_secret=ReleaseSecret(keys.secret("release-names")),
        schema_uri=catalogue.schema_uri,
        fields_in=lambda data, kind: fields_in(catalogue, data, kind),
        adapter_named=formats.writer,
        teller=teller,
        signer=DetachedSigner(keys.signing_key("releases"), {"typ": "hutong-release"}),
        doorbell=engines.doorbell,
        waits=engines.proof.hold.waits,
        clock=clock,
    )
    attempt = Attempt(
        enforce=enforce,
        deliveries=store.deliveries,
        teller=teller,
        doorbell=engines.doorbell,
        clock=clock,
        report=lambda error: engines.events.error("delivery_parked", error),
    )
    acknowledge = Acknowledge(
        settings=settings,
        deliveries=store.deliveries,
        receipts=receipts,
        teller=teller,
        doorbell=engines.doorbell,
        clock=clock,
        ids=ids,
    )
    relay = Relay(
        settings=settings,
        queues=engines.broker.queues,
        directories=directories,
        deliveries=store.deliveries,
        attempt=attempt,
        acknowledge=acknowledge,
        recall=recall,
        teller=teller,
        doorbell=engines.doorbell,
        clock=clock,
        signal=lambda name: engines.events.write("queue_trouble", signal=name),
    )
    desk = SubmissionDesk(
        submit=submit,
        acknowledge=acknowledge,
        relay=relay,
        recall=recall,
        authenticate=authenticate,
        directories=directories,
        settings=HttpSettings.of(settings),
        clock=clock,
        pause=_pause,
        report=lambda error: engines.events.error("submission_failed", error),
    )
    administer_policies = AdministerPolicies(
        storage=store.policies,
        policies=policies,
        staff=staff,
        teller=teller,
        clock=clock,
        pause=_pause,
        ticket_life=timedelta(seconds=settings.delivery.ticket_seconds),
    )
    release_held = ReleaseHeld(deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock)
    return Services(
        proof=join_log_services(
            settings=settings,
            proof=engines.proof,
            store=store,
            keys=keys,
            keeper=keeper,
            attachments=attachments,
            conflicts=conflicts,
            fields=catalogue.fields,
            offices=lambda: directories.current.offices,
            consent_bases=lambda: frozenset(
                code for code, one in policies.current().vocabulary.legal_bases.items() if one.kind == "consent"
            ),
            teller=teller,
            staff=staff,
            clock=clock,
            ids=ids,
        ),
        directories=directories,
        policies=policies,
        staff=staff,
        administer_policies=administer_policies,
        replays=Replays(
            log=store.log,
            notices=store.notices,
            keeper=keeper,
            policies=policies,
            staff=staff,
            teller=teller,
            clock=clock,
        ),
        preview=Preview(
            adapter_for=formats.reader,
            validate=lambda submitted, now: validate(submitted, documents.rules, china_day(now)),
            routes=lambda valid, now: {
                one.office: (one.purpose, one.legal_basis, one.rule, one.role)
                for one in route(valid, documents.routing, directories.current.finder, NO_CASE, now).recipients
            },
            directories=directories,
            gather=gather,
            projector=projector,
            fields_in=lambda data, kind: fields_in(catalogue, data, kind),
            notices=store.notices,
            keeper=keeper,
            staff=staff,
            teller=teller,
            log=store.log,
            clock=clock,
            ids=ids,
        ),
        submit=submit,
        bulk=BulkFiles(
            settings=settings,
            files=store.files,
            submit=submit,
            adapter_for=formats.reader,
            directories=directories,
            receipts=receipts,
            teller=teller,
            keys=keys,
            clock=clock,
            ids=ids,
            pause=_pause,
            trouble=lambda name: engines.events.write("background_trouble", signal=name),
        ),
        attachments=attachments,
        fetch_attachment=FetchAttachment(
            attachments=attachments, deliveries=store.deliveries, enforce=enforce, clock=clock
        ),
        pull=Pull(
            settings=settings,
            deliveries=store.deliveries,
            attempt=attempt,
            media_type_for=formats.wanted,
            doorbell=engines.doorbell,
            clock=clock,
            is_draining=is_draining.is_set,
        ),
        push=Push(
            settings=settings,
            directories=directories,
            deliveries=store.deliveries,
            attempt=attempt,
            acknowledge=acknowledge,
            courier=engines.courier,
            doorbell=engines.doorbell,
            clock=clock,
            signal=lambda name: engines.events.write("push_trouble", signal=name),
        ),
        relay=relay,
        recall=recall,
        desk=desk,
        acknowledge=acknowledge,
        show_consent=ShowConsent(
            record=record_consent, keys=keys, purposes=lambda: _purpose_titles(policies.current())
        ),
        record_use=RecordUse(deliveries=store.deliveries, log=store.log, receipts=receipts, teller=teller, clock=clock),
        clear_conflict=clear_conflict,
        emergency=EmergencyAccess(
            rules=documents.safeguards.emergency,
            reasons=documents.codes.codes("emergency_reason"),
            storage=store.emergencies,
            notices=store.notices,
            cases=cases,
            keeper=keeper,
            keys=keys,
            log=store.log,
            teller=teller,
            doorbell=engines.doorbell,
            clock=clock,
            ids=ids,
            tell=gateway_notices,
            policy_hash=lambda: policies.current().hash,
        ),
        follow=Follow(
            settings=settings,
            notices=store.notices,
            deliveries=store.deliveries,
            receipts=receipts,
            doorbell=engines.doorbell,
            clock=clock,
            is_draining=is_draining.is_set,
        ),
        access=AnswerAccess(policy=policies.current, log=store.log, teller=teller, clock=clock),
        enrol=Enrol(
            settings=settings,
            storage=store.directory,
            directories=directories,
            adapters=documents.adapters,
            release_held=release_held,
            teller=teller,
            clock=clock,
            pause=_pause,
            cut_off=recall.cut_off,
        ),
        release_held=release_held,
        dead_letters=DeadLetters(
            deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock, pause=_pause
        ),
        expire=Expire(deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock),
        authenticate=authenticate,
        broker_access=BrokerAccess(authenticate=authenticate, directories=directories, vhosts=engines.broker.vhosts),
        teller=teller,
        drain=is_draining.set,
        trouble=lambda name: engines.events.write("background_trouble", signal=name),
    )


@asynccontextmanager
async def _open_engines(settings: Settings, log_stream: BinaryIO, clock: Clock | None = None) -> AsyncIterator[Engines]:
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        keys = open_keys(settings, _root_key(settings))
        stack.callback(keys.close)
        store = await open_record(settings, clock)
        stack.push_async_callback(store.close)
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
        broker = open_broker(settings, lambda name: events.write("rabbitmq", signal=name))
        if (bells := cluster_doorbell(settings)) is not None:
            broker = replace(broker, doorbell=bells)
        yield Engines(
            clock,
            ids,
            keys,
            store,
            FileObjects(settings.objects),
            proof,
            broker,
            courier,
            events,
        )


def _root_key(settings: Settings) -> RootKey:
    """What opens the key store: a passphrase from the environment where one is set, else a file beside it."""
    if settings.key_passphrase:
        return RootPassphrase(settings.key_passphrase)
    return RootKeyFile(settings.key_directory / ROOT_KEY)


def _policies(settings: Settings, catalogue: Catalogue, engines: Engines, teller: Teller) -> Policies:
    return Policies(
        storage=engines.store.policies,
        fields=catalogue.fields,
        region=settings.region,
        teller=teller,
        clock=engines.clock,
    )


def _purpose_titles(policy: Policy) -> dict[str, dict[str, str]]:
    return {code: {"zh": one.title.zh, "en": one.title.en} for code, one in policy.vocabulary.purposes.items()}


def _coarse_codes(documents: Documents) -> dict[str, dict[str, str]]:
    """For each table of codes: every code with the coarser code that stands for it."""
    return {
        name: {code: parent for code in documents.codes.codes(name) if (parent := documents.codes.parent(name, code))}
        for name in documents.codes.tables
    }


def _api(settings: Settings, engines: Engines, services: Services) -> ApiServices:
    async def readiness() -> Mapping[str, str]:
        await engines.store.log.head()
        services.policies.current()
        return {"store": "ok", "policy": "ok"}

    registry = CollectorRegistry()
    registry.register(services.proof.watch.metrics)
    registry.register(BrokerMetrics(engines.broker))
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
        attachments=services.attachments,
        fetch_attachment=services.fetch_attachment,
        authenticate=services.authenticate,
        directories=services.directories,
        readiness=readiness,
        clock=engines.clock,
        log=engines.events,
        log_reading=LogReading(engines.proof.publisher, services.proof.desk),
        registry=registry,
        broker_access=None if engines.broker.publisher is None else services.broker_access,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    server = settings.server
    if not server.tls_certificate:
        return None
    return server_tls(server.tls_certificate, server.tls_key, server.tls_client_authorities or None)


async def _serve_admin(stack: AsyncExitStack, settings: Settings, engines: Engines, services: Services) -> None:
    """The operator's socket: a file of the gateway's own account, mode 0600."""
    log = engines.store.log

    app = make_admin_app(
        AdminServices(
            enrol=services.enrol,
            dead_letters=services.dead_letters,
            release_held=services.release_held,
            notices=engines.store.notices,
            verify=lambda: verify_log(log),
        ),
        [
            *log_routes(log_admin(settings, engines.proof, services.proof)),
            *retention_routes(RetentionServices(services.proof.erase, services.proof.legal_holds)),
            *emergency_routes(services.emergency, services.staff),
            *conflict_routes(services.clear_conflict),
            *policy_routes(
                PolicyServices(
                    services.administer_policies,
                    services.policies,
                    services.replays,
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
            [
                ("publish", lambda: publish_for_ever(proof, seconds, again=settings.is_clustered)),
                ("retain", lambda: retain_for_ever(services.proof.retain)),
                ("index", lambda: index_for_ever(engines.store.log)),
                ("watch", lambda: watch_for_ever(services.proof.watch)),
                ("expire", lambda: _expire_for_ever(services.expire)),
                ("bulk", services.bulk.run),
            ],
        )
        begin_following(tasks, leadership, engines.doorbell, services.directories, proof.hold)
        tasks.create_task(services.push.run(), name="push")
        begin_relay(tasks, engines.broker, services.relay, services.desk)
        tasks.create_task(_tell_of_emergencies(services.emergency), name="after-notices")
        tasks.create_task(
            keep_in_force(services.administer_policies, services.policies, _pause, services.trouble), name="policies"
        )


async def _tell_of_emergencies(emergency: EmergencyAccess) -> None:
    """Send the after-notices that a crash may have swallowed; those that went out answer as repetitions."""
    while True:
        try:
            await emergency.tell_again()
        except Unavailable as away:
            await _pause(away.retry_after)
        else:
            return


async def _expire_for_ever(expire: Expire) -> None:
    while True:
        with suppress(Unavailable):  # the store is away: the next beat finds the same deliveries
            await expire()
        await _pause(EXPIRE_EVERY)


async def _leave(settings: Settings, edge: HttpEdge) -> None:
    """Still answer, but say on each answer and to the balancer that this node closes: nobody begins a request into nothing."""
    edge.begin_drain()
    await _pause(timedelta(seconds=settings.server.leave_seconds))


async def _pause(time: timedelta) -> None:
    await asyncio.sleep(time.total_seconds())


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
