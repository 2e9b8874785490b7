"""What do all use cases of one node stand on? The first part of the composition root: whom we know, and under which policy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.assembly_engines import Documents, Engines
from gateway.config import Settings
from gateway.http.in_chinese import both
from gateway.model.agency import Office
from gateway.model.consent import ConsentRules
from gateway.policy.vocabulary import Vocabulary
from gateway.privacy.segments import Layout, join
from gateway.services.authenticate import Authenticate, TokenSettings
from gateway.services.cases import Cases
from gateway.services.clear_conflict import ClearConflict
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.consents import Consents
from gateway.services.directory import Directories
from gateway.services.directory_seal import DirectorySeal
from gateway.services.formats import Formats
from gateway.services.govern import AtStart, Policies
from gateway.services.guardianship import GuardianshipOnRecord
from gateway.services.keep import Keeper
from gateway.services.kin import Kin
from gateway.services.participants import Participants
from gateway.services.people import People
from gateway.services.policy_marks import PolicyMarks
from gateway.services.recall import Recall
from gateway.services.receipts import ReceiptMaker
from gateway.services.roles import LocalStaff
from gateway.services.tell import Teller


@dataclass(frozen=True, slots=True)
class Ground:
    settings: Settings
    documents: Documents
    engines: Engines
    teller: Teller
    directories: Directories
    seal: DirectorySeal
    policies: Policies
    staff: LocalStaff
    layout: Layout
    keeper: Keeper
    kin: Kin
    people: People
    cases: Cases
    participants: Participants
    clear_conflict: ClearConflict
    conflicts: ConflictsOnRecord
    consents: Consents
    receipts: ReceiptMaker
    formats: Formats
    authenticate: Authenticate
    recall: Recall
    is_draining: threading.Event
    consent_rules: Callable[[], ConsentRules]  # of the policy in force
    settle: Callable[[str], Awaitable[None]]  # until nothing decided before can leave any more, for the reason given

    def vocabulary(self) -> Vocabulary:
        """Of the policy in force."""
        return self.policies.current().vocabulary

    def signal(self, kind: str, name: str) -> None:
        """Tell the operator of trouble of one kind."""
        self.engines.events.write(kind, signal=name)


async def lay_ground(settings: Settings, documents: Documents, engines: Engines, url: str) -> Ground:
    """Reads directory, policy and findings; starts nothing."""
    store, keys, clock, ids = engines.store, engines.keys, engines.clock, engines.ids
    teller = Teller(keys, ids)
    seal = DirectorySeal(keys)
    await seal.begin(store.directory, teller, clock)

    def holds(office: Office) -> bool:
        if not (is_sound := seal.holds(office)):
            engines.events.write("office_in_doubt", office=office.id)
        return is_sound

    directories = Directories(store.directory, documents.tree, documents.jurisdictions, holds=holds)
    await directories.refresh()
    policies = policies_of(settings, documents, engines, teller)
    await policies.marks.begin(store.policies, settings.region)
    await policies.refresh()
    directories.follow_policies(policies.refresh)
    kin = Kin(store.persons)
    await kin.refresh()
    directories.follow_findings(kin.refresh)
    layout = Layout(documents.catalogue.fields.values())
    keeper = Keeper(keys, ids, layout.split, join)
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
    staff = LocalStaff(storage=store.staff, teller=teller, clock=clock)
    people = People(
        notices=store.notices, retention=store.retention, keeper=keeper, keys=keys, teller=teller, kin=kin
    )  # fmt: skip

    async def settle(why: str) -> None:
        await pause(timedelta(seconds=settings.delivery.ticket_seconds))
        await recall.everyone(why)

    def consent_rules() -> ConsentRules:
        return policies.current().document.consent

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
    return Ground(
        settings=settings,
        documents=documents,
        engines=engines,
        teller=teller,
        directories=directories,
        seal=seal,
        policies=policies,
        staff=staff,
        layout=layout,
        keeper=keeper,
        kin=kin,
        people=people,
        cases=Cases(store.notices, store.deliveries, keys, ids),
        participants=Participants(store.notices, policies.routing),
        clear_conflict=clear_conflict,
        conflicts=conflicts,
        consents=Consents(
            store.consents,
            keys,
            ids,
            conflicts,
            kin,
            GuardianshipOnRecord(store.notices, keeper.open, kin),
            consent_rules,
        ),
        receipts=ReceiptMaker(lambda: keys.signing_key("receipts"), settings.name, both),
        formats=Formats(documents.adapters),
        authenticate=Authenticate(
            settings=TokenSettings.of(settings, url),
            directories=directories,
            storage=store.directory,
            keys=keys,
            clock=clock,
            time=engines.time,
            ids=ids,
        ),
        recall=recall,
        is_draining=threading.Event(),
        consent_rules=consent_rules,
        settle=settle,
    )


def policies_of(settings: Settings, documents: Documents, engines: Engines, teller: Teller) -> Policies:
    return Policies(
        storage=engines.store.policies,
        at_start=AtStart(documents.routing, documents.safeguards),
        fields=documents.catalogue.fields,
        region=settings.region,
        teller=teller,
        clock=engines.clock,
        marks=PolicyMarks(engines.keys),
        doubt=lambda pack: engines.events.write("policy_in_doubt", policy=pack),
    )


async def pause(time: timedelta) -> None:
    await asyncio.sleep(time.total_seconds())
