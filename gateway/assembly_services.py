"""Which use case is joined to which engine? That part of the composition root."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.amqp.desk import SubmissionDesk
from gateway.assembly_engines import Documents, Engines
from gateway.assembly_log import (
    LogServices,
    join_log_services,
)
from gateway.config import Settings
from gateway.crypto.detached import CurrentSigner
from gateway.crypto.scatter import Scatter
from gateway.http.settings import HttpSettings
from gateway.model.consent import ConsentRules
from gateway.model.delivery import Delivery
from gateway.model.identifiers import NoticeId, NoticeType
from gateway.model.routing import NO_CASE
from gateway.policy.compile import Policy
from gateway.policy.decide import Decider
from gateway.policy.route import route
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.scrub import scrub
from gateway.privacy.segments import Layout, join
from gateway.services.acknowledge import Acknowledge
from gateway.services.administer_policies import AdministerPolicies
from gateway.services.admit import Admission
from gateway.services.analyse_policies import AnalysePolicies
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
from gateway.services.gateway_keys import GatewayKeys
from gateway.services.gateway_notices import GatewayNotices
from gateway.services.govern import Policies
from gateway.services.join_persons import JoinPersons
from gateway.services.keep import Keeper
from gateway.services.kin import Kin
from gateway.services.pass_on import PassOn
from gateway.services.people import People
from gateway.services.preview import Preview
from gateway.services.propose_joining import ProposeJoining
from gateway.services.pull import Pull
from gateway.services.push import Push
from gateway.services.recall import Recall
from gateway.services.receipts import ReceiptMaker
from gateway.services.record_consent import CONSENT_TYPE, RecordConsent
from gateway.services.record_use import RecordUse
from gateway.services.relay import Relay
from gateway.services.release_held import ReleaseHeld
from gateway.services.replay import Replays
from gateway.services.roles import LocalStaff
from gateway.services.sealed_questions import QUERY
from gateway.services.show_consent import ShowConsent
from gateway.services.submit import Submit
from gateway.services.tell import Teller
from gateway.services.withdraw import Withdraw
from gateway.validation.catalogue import Catalogue, fields_in
from gateway.validation.validate import validate


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case of one node, joined to its engines."""

    proof: LogServices
    directories: Directories
    policies: Policies
    staff: LocalStaff
    administer_policies: AdministerPolicies
    analyse_policies: AnalysePolicies
    replays: Replays
    preview: Preview
    submit: Submit
    bulk: BulkFiles
    attachments: Attachments
    fetch_attachment: FetchAttachment
    pass_on: PassOn
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
    gateway_keys: GatewayKeys
    join_persons: JoinPersons
    propose_joining: ProposeJoining
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


async def join_services(settings: Settings, documents: Documents, engines: Engines, url: str) -> Services:
    """Join use cases to engines. Reads directory and policy; starts nothing."""
    store, keys, clock, ids = engines.store, engines.keys, engines.clock, engines.ids
    catalogue = documents.catalogue
    teller = Teller(keys, ids)
    directories = Directories(store.directory, documents.tree, documents.jurisdictions)
    await directories.refresh()
    policies = policies_of(settings, catalogue, engines, teller)
    await policies.refresh()
    directories.follow_policies(policies.refresh)
    kin = Kin(store.persons)
    await kin.refresh()
    directories.follow_findings(kin.refresh)
    layout = Layout(catalogue.fields.values())
    keeper = Keeper(keys, ids, layout.split, join)
    cases = Cases(store.notices, store.deliveries, keys, ids)
    receipts = ReceiptMaker(lambda: keys.signing_key("receipts"), settings.name)
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
        pause=pause,
        clock=clock,
        idempotency_secret=keys.secret("idempotency"),
    )
    staff = LocalStaff(storage=store.staff, teller=teller, clock=clock)

    async def settle(why: str) -> None:
        """Until nothing decided before can leave any more."""
        await pause(timedelta(seconds=settings.delivery.ticket_seconds))
        await recall.everyone(why)

    people = People(
        notices=store.notices, retention=store.retention, keeper=keeper, keys=keys, teller=teller, kin=kin
    )  # fmt: skip
    clear_conflict = ClearConflict(
        storage=store.consents,
        retention=store.retention,
        notices=store.notices,
        people=people,
        keys=keys,
        ids=ids,
        teller=teller,
        staff=staff,
        directories=directories,
        clock=clock,
        settle=lambda: settle("conflict-reversed"),
    )
    conflicts = ConflictsOnRecord(store.notices, keeper.open, clear_conflict.covers, kin)

    def consent_rules() -> ConsentRules:
        return policies.current().document.consent

    consents = Consents(store.consents, keys, ids, conflicts, kin, consent_rules)

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
        rules=consent_rules,
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
        kin=kin,
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
        signer=CurrentSigner(lambda: keys.signing_key("releases"), {"typ": "hutong-release"}),
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
        pause=pause,
        report=lambda error: engines.events.error("submission_failed", error),
    )
    administer_policies = AdministerPolicies(
        storage=store.policies,
        policies=policies,
        staff=staff,
        teller=teller,
        clock=clock,
        pause=pause,
        ticket_life=timedelta(seconds=settings.delivery.ticket_seconds),
    )
    replays = Replays(
        log=store.log,
        notices=store.notices,
        keeper=keeper,
        policies=policies,
        staff=staff,
        teller=teller,
        clock=clock,
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
            people=people,
            conflicts=conflicts,
            clearings=clear_conflict.for_notice,
            fields=catalogue.fields,
            offices=lambda: directories.current.offices,
            vocabulary=lambda: policies.current().vocabulary,
            teller=teller,
            staff=staff,
            clock=clock,
            ids=ids,
        ),
        directories=directories,
        policies=policies,
        staff=staff,
        administer_policies=administer_policies,
        analyse_policies=AnalysePolicies(
            administer=administer_policies,
            policies=policies,
            replays=replays,
            fields=catalogue.fields,
            staff=staff,
            clock=clock,
        ),
        replays=replays,
        preview=Preview(
            duty_of=lambda agency: documents.routing.duties.get(agency),
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
            pause=pause,
            trouble=lambda name: engines.events.write("background_trouble", signal=name),
        ),
        attachments=attachments,
        fetch_attachment=FetchAttachment(
            attachments=attachments, deliveries=store.deliveries, enforce=enforce, clock=clock
        ),
        pass_on=PassOn(
            settings=settings,
            relays=store.relays,
            deliveries=store.deliveries,
            cases=cases,
            directories=directories,
            enforce=enforce,
            submit=submit,
            log=store.log,
            teller=teller,
            clock=clock,
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
            record=record_consent,
            keys=keys,
            purposes=lambda: _purpose_titles(policies.current()),
            rules=consent_rules,
        ),
        record_use=RecordUse(deliveries=store.deliveries, log=store.log, receipts=receipts, teller=teller, clock=clock),
        clear_conflict=clear_conflict,
        gateway_keys=GatewayKeys(keys=keys, log=store.log, staff=staff, teller=teller, clock=clock),
        join_persons=JoinPersons(
            storage=store.persons,
            kin=kin,
            people=people,
            teller=teller,
            staff=staff,
            directories=directories,
            clock=clock,
            settle=lambda: settle("persons-found"),
        ),
        propose_joining=ProposeJoining(
            storage=store.persons,
            kin=kin,
            people=people,
            notices=store.notices,
            keeper=keeper,
            staff=staff,
            log=store.log,
            teller=teller,
            clock=clock,
        ),
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
            silent_since=conflicts.silent_since,
            is_draining=is_draining.is_set,
            cursors=Scatter(keys.secret("cursors")),
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
            pause=pause,
            cut_off=recall.cut_off,
        ),
        release_held=release_held,
        dead_letters=DeadLetters(
            deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock, pause=pause
        ),
        expire=Expire(deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock),
        authenticate=authenticate,
        broker_access=BrokerAccess(authenticate=authenticate, directories=directories, vhosts=engines.broker.vhosts),
        teller=teller,
        drain=is_draining.set,
        trouble=lambda name: engines.events.write("background_trouble", signal=name),
    )


def policies_of(settings: Settings, catalogue: Catalogue, engines: Engines, teller: Teller) -> Policies:
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


async def pause(time: timedelta) -> None:
    await asyncio.sleep(time.total_seconds())
