"""How does a notice go out here? The part of the composition root from the facts about a recipient to its acknowledgement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.amqp.desk import SubmissionDesk
from gateway.assembly_engines import Documents
from gateway.assembly_ground import Ground, pause
from gateway.assembly_intake import Intake
from gateway.crypto.detached import CurrentSigner
from gateway.http.settings import HttpSettings
from gateway.model.delivery import Delivery
from gateway.policy.decide import Decider, floors_alone
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.services.acknowledge import Acknowledge
from gateway.services.attempt import Attempt
from gateway.services.emergency import is_granted
from gateway.services.enforce import Enforce
from gateway.services.facts import FactGatherer
from gateway.services.fetch_attachment import FetchAttachment
from gateway.services.pass_on import PassOn
from gateway.services.pull import Pull
from gateway.services.push import Push
from gateway.services.relay import Relay
from gateway.validation.catalogue import fields_in


@dataclass(frozen=True, slots=True)
class Handover:
    gather: FactGatherer
    projector: Projector
    acknowledge: Acknowledge
    pull: Pull
    push: Push
    relay: Relay
    desk: SubmissionDesk
    fetch_attachment: FetchAttachment
    pass_on: PassOn


def join_handover(ground: Ground, intake: Intake) -> Handover:
    """Join what decides, projects and hands over. Starts nothing."""
    settings, engines = ground.settings, ground.engines
    store, clock = engines.store, engines.clock
    catalogue = ground.documents.catalogue
    gather = _gatherer(ground)
    projector = Projector(
        {kind: catalogue.fields_of(kind) for kind in catalogue.notice_types}, _coarse_codes(ground.documents)
    )
    enforce = _enforcement(ground, gather, projector)
    attempt = Attempt(
        enforce=enforce,
        deliveries=store.deliveries,
        teller=ground.teller,
        doorbell=engines.doorbell,
        clock=clock,
        report=lambda error: engines.events.error("delivery_parked", error),
    )
    acknowledge = Acknowledge(
        settings=settings,
        deliveries=store.deliveries,
        receipts=ground.receipts,
        teller=ground.teller,
        doorbell=engines.doorbell,
        clock=clock,
        ids=engines.ids,
    )
    relay = Relay(
        settings=settings,
        queues=engines.broker.queues,
        directories=ground.directories,
        deliveries=store.deliveries,
        attempt=attempt,
        acknowledge=acknowledge,
        recall=ground.recall,
        teller=ground.teller,
        doorbell=engines.doorbell,
        clock=clock,
        signal=lambda name: ground.signal("queue_trouble", name),
        report=lambda error: engines.events.error("queue_failed", error),
    )
    return Handover(
        gather=gather,
        projector=projector,
        acknowledge=acknowledge,
        pull=Pull(
            settings=settings,
            deliveries=store.deliveries,
            attempt=attempt,
            media_type_for=ground.formats.wanted,
            doorbell=engines.doorbell,
            clock=clock,
            is_draining=ground.is_draining.is_set,
        ),
        push=Push(
            settings=settings,
            directories=ground.directories,
            deliveries=store.deliveries,
            attempt=attempt,
            acknowledge=acknowledge,
            courier=engines.courier,
            doorbell=engines.doorbell,
            clock=clock,
            signal=lambda name: ground.signal("push_trouble", name),
            report=lambda error: engines.events.error("push_failed", error),
        ),
        relay=relay,
        desk=SubmissionDesk(
            submit=intake.submit,
            acknowledge=acknowledge,
            relay=relay,
            recall=ground.recall,
            authenticate=ground.authenticate,
            directories=ground.directories,
            settings=HttpSettings.of(settings),
            clock=clock,
            pause=pause,
            report=lambda error: engines.events.error("submission_failed", error),
        ),
        fetch_attachment=FetchAttachment(
            attachments=intake.attachments, deliveries=store.deliveries, enforce=enforce, clock=clock
        ),
        pass_on=PassOn(
            settings=settings,
            relays=store.relays,
            deliveries=store.deliveries,
            cases=ground.cases,
            directories=ground.directories,
            enforce=enforce,
            submit=intake.submit,
            accept=intake.accept,
            log=store.log,
            teller=ground.teller,
            clock=clock,
        ),
    )


def _gatherer(ground: Ground) -> FactGatherer:
    store = ground.engines.store

    async def emergency_in_force(delivery: Delivery, now: datetime) -> bool:
        grant = await store.emergencies.in_force(delivery.recipient, delivery.case, now)
        return grant is not None and is_granted(grant, ground.engines.keys)

    return FactGatherer(
        policy=ground.policies.current,
        directories=ground.directories,
        notices=store.notices,
        conflicts=ground.conflicts,
        consents=ground.consents,
        emergencies=emergency_in_force,
        clearings=ground.clear_conflict.for_notice,
        kin=ground.kin,
        teller=ground.teller,
    )


def _enforcement(ground: Ground, gather: FactGatherer, projector: Projector) -> Enforce:
    engines, catalogue = ground.engines, ground.documents.catalogue
    keys, decider = engines.keys, Decider()
    return Enforce(
        settings=ground.settings,
        notices=engines.store.notices,
        deliveries=engines.store.deliveries,
        log=engines.store.log,
        directories=ground.directories,
        keeper=ground.keeper,
        cases=ground.cases,
        gather=gather,
        decide=lambda gathered: decider(gathered.facts, ground.policies.current()),
        floors=lambda decision: floors_alone(decision, ground.policies.current()),
        projector=projector,
        release_secret=ReleaseSecret(keys.secret("release-names")),
        schema_uri=catalogue.schema_uri,
        fields_in=lambda data, kind: fields_in(catalogue, data, kind),
        adapter_named=ground.formats.writer,
        teller=ground.teller,
        signer=CurrentSigner(lambda: keys.signing_key("releases"), {"typ": "hutong-release"}),
        doorbell=engines.doorbell,
        waits=lambda delivery, now: engines.proof.hold.waits(delivery, now) or ground.policies.waits(delivery),
        clock=engines.clock,
        report=lambda error: engines.events.error("content_in_doubt", error),
    )


def _coarse_codes(documents: Documents) -> dict[str, dict[str, str]]:
    """For each table of codes: every code with the coarser code that stands for it."""
    return {
        name: {code: parent for code in documents.codes.codes(name) if (parent := documents.codes.parent(name, code))}
        for name in documents.codes.tables
    }
