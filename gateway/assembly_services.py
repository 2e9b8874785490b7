"""Which use case is joined to which engine? The part of the composition root that all others lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.amqp.desk import SubmissionDesk
from gateway.assembly_engines import Documents, Engines
from gateway.assembly_ground import Ground, lay_ground, pause
from gateway.assembly_handover import Handover, join_handover
from gateway.assembly_intake import Intake, join_intake
from gateway.assembly_log import LogServices, join_log_services
from gateway.assembly_policies import join_policies
from gateway.config import Settings
from gateway.crypto.scatter import Scatter
from gateway.policy.compiled import Policy
from gateway.services.acknowledge import Acknowledge
from gateway.services.administer_policies import AdministerPolicies
from gateway.services.analyse_policies import AnalysePolicies
from gateway.services.answer_access import AnswerAccess
from gateway.services.attachments import Attachments
from gateway.services.authenticate import Authenticate
from gateway.services.backlog import Backlogs
from gateway.services.broker_access import BrokerAccess
from gateway.services.bulk import BulkFiles
from gateway.services.clear_conflict import ClearConflict
from gateway.services.dead_letters import DeadLetters
from gateway.services.directory import Directories
from gateway.services.emergency import EmergencyAccess
from gateway.services.enrol import Enrol
from gateway.services.expire import Expire
from gateway.services.fetch_attachment import FetchAttachment
from gateway.services.follow import Follow
from gateway.services.gateway_keys import GatewayKeys
from gateway.services.govern import Policies
from gateway.services.join_persons import JoinPersons
from gateway.services.pass_on import PassOn
from gateway.services.preview import Preview
from gateway.services.propose_joining import ProposeJoining
from gateway.services.pull import Pull
from gateway.services.push import Push
from gateway.services.recall import Recall
from gateway.services.record_use import RecordUse
from gateway.services.relay import Relay
from gateway.services.release_held import ReleaseHeld
from gateway.services.replay import Replays
from gateway.services.replay_routing import ReplayRouting
from gateway.services.roles import LocalStaff
from gateway.services.show_consent import ShowConsent
from gateway.services.submit import Submit
from gateway.services.tell import Teller
from gateway.services.unmapped import UnmappedFields
from gateway.services.verify_order import VerifyOrder


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
    replay_routing: ReplayRouting
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
    backlogs: Backlogs
    expire: Expire
    authenticate: Authenticate
    verify_order: VerifyOrder
    broker_access: BrokerAccess
    teller: Teller
    unmapped: UnmappedFields
    drain: Callable[[], None]
    trouble: Callable[[str], None]


async def join_services(settings: Settings, documents: Documents, engines: Engines, url: str) -> Services:
    """Join use cases to engines. Reads directory and policy; starts nothing."""
    ground = await lay_ground(settings, documents, engines, url)
    intake = join_intake(ground)
    return _joined(ground, intake, join_handover(ground, intake))


def _joined(ground: Ground, intake: Intake, handover: Handover) -> Services:
    settings, documents, engines = ground.settings, ground.documents, ground.engines
    store, keys, clock, ids = engines.store, engines.keys, engines.clock, engines.ids
    teller, staff, directories, policies = ground.teller, ground.staff, ground.directories, ground.policies
    policy = join_policies(ground, handover)
    release_held = ReleaseHeld(deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock)
    return Services(
        proof=join_log_services(
            settings=settings,
            proof=engines.proof,
            store=store,
            keys=keys,
            keeper=ground.keeper,
            attachments=intake.attachments,
            people=ground.people,
            conflicts=ground.conflicts,
            clearings=ground.clear_conflict.for_notice,
            fields=documents.catalogue.fields,
            offices=lambda: directories.current.offices,
            vocabulary=ground.vocabulary,
            teller=teller,
            staff=staff,
            clock=clock,
            time=engines.time,
            ids=ids,
        ),
        directories=directories,
        policies=policies,
        staff=staff,
        administer_policies=policy.administer,
        analyse_policies=policy.analyse,
        replays=policy.replays,
        replay_routing=policy.replay_routing,
        preview=policy.preview,
        submit=intake.submit,
        bulk=intake.bulk,
        attachments=intake.attachments,
        fetch_attachment=handover.fetch_attachment,
        pass_on=handover.pass_on,
        pull=handover.pull,
        push=handover.push,
        relay=handover.relay,
        recall=ground.recall,
        desk=handover.desk,
        acknowledge=handover.acknowledge,
        show_consent=ShowConsent(
            record=intake.record_consent,
            keys=keys,
            purposes=lambda: _purpose_titles(policies.current()),
            rules=ground.consent_rules,
        ),
        record_use=RecordUse(
            deliveries=store.deliveries, log=store.log, receipts=ground.receipts, teller=teller, clock=clock
        ),
        clear_conflict=ground.clear_conflict,
        unmapped=UnmappedFields(log=store.log, notices=store.notices, keeper=ground.keeper, teller=teller, clock=clock),
        gateway_keys=GatewayKeys(keys=keys, root=engines.root, log=store.log, staff=staff, teller=teller, clock=clock),
        join_persons=JoinPersons(
            storage=store.persons,
            kin=ground.kin,
            people=ground.people,
            teller=teller,
            staff=staff,
            directories=directories,
            clock=clock,
            settle=lambda: ground.settle("persons-found"),
        ),
        propose_joining=ProposeJoining(
            storage=store.persons,
            kin=ground.kin,
            people=ground.people,
            notices=store.notices,
            keeper=ground.keeper,
            staff=staff,
            log=store.log,
            teller=teller,
            clock=clock,
        ),
        emergency=EmergencyAccess(
            rules=lambda: policies.safeguards().emergency,
            reasons=documents.codes.codes("emergency_reason"),
            storage=store.emergencies,
            notices=store.notices,
            cases=ground.cases,
            keeper=ground.keeper,
            keys=keys,
            log=store.log,
            teller=teller,
            doorbell=engines.doorbell,
            clock=clock,
            ids=ids,
            tell=intake.gateway_notices,
            policy_hash=lambda: policies.current().hash,
        ),
        follow=Follow(
            settings=settings,
            notices=store.notices,
            participants=ground.participants,
            deliveries=store.deliveries,
            receipts=ground.receipts,
            doorbell=engines.doorbell,
            clock=clock,
            silent_since=ground.conflicts.silent_since,
            is_draining=ground.is_draining.is_set,
            cursors=Scatter(keys.secret("cursors")),
        ),
        access=AnswerAccess(policy=policies.current, log=store.log, teller=teller, clock=clock),
        enrol=Enrol(
            settings=settings,
            storage=store.directory,
            directories=directories,
            seal=ground.seal,
            adapters=documents.adapters,
            release_held=release_held,
            teller=teller,
            clock=clock,
            pause=pause,
            cut_off=ground.recall.cut_off,
            take_back=lambda office, why: ground.recall([office], why),
            vocabulary=lambda: policies.current().vocabulary,
        ),
        release_held=release_held,
        dead_letters=DeadLetters(
            deliveries=store.deliveries, teller=teller, doorbell=engines.doorbell, clock=clock, pause=pause
        ),
        backlogs=Backlogs(store.deliveries, clock),
        expire=Expire(
            deliveries=store.deliveries,
            teller=teller,
            doorbell=engines.doorbell,
            clock=clock,
            time=engines.time,
            longest_pause=settings.longest_pause,
        ),
        authenticate=ground.authenticate,
        verify_order=VerifyOrder(
            settings=ground.authenticate.settings, directories=directories, storage=store.directory, clock=clock
        ),
        broker_access=BrokerAccess(
            authenticate=ground.authenticate, directories=directories, vhosts=engines.broker.vhosts
        ),
        teller=teller,
        drain=ground.is_draining.set,
        trouble=lambda name: ground.signal("background_trouble", name),
    )


def _purpose_titles(policy: Policy) -> dict[str, dict[str, str]]:
    return {code: {"zh": one.title.zh, "en": one.title.en} for code, one in policy.vocabulary.purposes.items()}
