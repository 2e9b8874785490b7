"""How does what an office sends come in here? The part of the composition root up to the receipt, and what a notice then does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.assembly_ground import Ground, pause
from gateway.model.errors import Problem
from gateway.model.identifiers import NoticeId, NoticeType
from gateway.model.notice import SubmittedNotice, ValidNotice
from gateway.policy.route import route
from gateway.privacy.scrub import scrub
from gateway.services.accept import Accept
from gateway.services.admit import Admission
from gateway.services.answer_question import AnswerQuestion
from gateway.services.attachments import Attachments
from gateway.services.bulk import BulkFiles
from gateway.services.facts import china_day
from gateway.services.gateway_notices import GatewayNotices
from gateway.services.record_consent import CONSENT_TYPE, RecordConsent
from gateway.services.sealed_questions import QUERY
from gateway.services.submit import Submit
from gateway.services.withdraw import Withdraw
from gateway.validation.validate import validate


@dataclass(frozen=True, slots=True)
class Intake:
    submit: Submit
    accept: Accept
    bulk: BulkFiles
    attachments: Attachments
    record_consent: RecordConsent
    gateway_notices: GatewayNotices


def validator(ground: Ground) -> Callable[[SubmittedNotice, datetime], ValidNotice | tuple[Problem, ...]]:
    return lambda submitted, now: validate(submitted, ground.documents.rules, china_day(now))


def join_intake(ground: Ground) -> Intake:
    """Join what takes notices in. Starts nothing."""
    settings, engines = ground.settings, ground.engines
    store, keys, clock, ids = engines.store, engines.keys, engines.clock, engines.ids
    then: dict[NoticeType, Callable[[NoticeId], Awaitable[bool]]] = {}
    attachments = Attachments(
        objects=engines.objects,
        keys=keys,
        log=store.log,
        teller=ground.teller,
        clock=clock,
        max_bytes=settings.limits.max_attachment_bytes,
        upload_life=timedelta(days=settings.retention.upload_days),
    )
    admission = _admission(ground)
    accept = Accept(
        directories=ground.directories,
        admission=admission,
        withdraw=Withdraw(notices=store.notices, teller=ground.teller, recall=ground.recall),
        attachments=attachments,
        notices=store.notices,
        doorbell=engines.doorbell,
        is_on_hold=lambda: engines.proof.hold.is_on,
        recall=ground.recall,
        idempotency_secret=keys.secret("idempotency"),
    )
    submit = Submit(
        settings=settings,
        directories=ground.directories,
        adapter_for=ground.formats.reader,
        validate=validator(ground),
        admission=admission,
        accept=accept,
        then=then,
        recall=ground.recall,
        pause=pause,
        clock=clock,
        batch_receipt=ground.receipts.batch,
    )
    gateway_notices = GatewayNotices(settings.region, submit.on_behalf)
    record_consent = RecordConsent(
        storage=store.consents,
        consents=ground.consents,
        conflicts=ground.conflicts,
        notices=store.notices,
        keeper=ground.keeper,
        keys=keys,
        directories=ground.directories,
        teller=ground.teller,
        clock=clock,
        tell=gateway_notices,
        rules=ground.consent_rules,
        consent_bases=lambda: frozenset(
            code for code, basis in ground.vocabulary().legal_bases.items() if basis.kind == "consent"
        ),
    )

    async def consent_said(notice: NoticeId) -> bool:
        return (await record_consent.from_notice(notice)).ended

    then[CONSENT_TYPE] = consent_said
    then[QUERY] = AnswerQuestion(
        rules=lambda: ground.policies.safeguards().sealed,
        notices=store.notices,
        keeper=ground.keeper,
        tell=gateway_notices,
    )
    bulk = BulkFiles(
        settings=settings,
        files=store.files,
        submit=submit,
        adapter_for=ground.formats.reader,
        directories=ground.directories,
        receipts=ground.receipts,
        teller=ground.teller,
        keys=keys,
        clock=clock,
        ids=ids,
        pause=pause,
        trouble=lambda name: ground.signal("background_trouble", name),
        report=lambda error: engines.events.error("bulk_file_set_aside", error),
    )
    return Intake(submit, accept, bulk, attachments, record_consent, gateway_notices)


def _admission(ground: Ground) -> Admission:
    documents, engines = ground.documents, ground.engines
    fields = documents.catalogue.fields
    return Admission(
        settings=ground.settings,
        cases=ground.cases,
        participants=ground.participants,
        keeper=ground.keeper,
        teller=ground.teller,
        receipts=ground.receipts,
        route=lambda valid, finder, case, on: route(valid, ground.policies.routing(), finder, case, on),
        scrub=lambda data, reporter: scrub(
            data, reporter, fields.values(), reporter_is_child=reporter.get("relation") == "01"
        ),
        set_apart=ground.layout.set_apart,
        sealed=lambda: ground.policies.safeguards().sealed,
        notices=engines.store.notices,
        directories=ground.directories,
        keys=engines.keys,
        ids=engines.ids,
    )
