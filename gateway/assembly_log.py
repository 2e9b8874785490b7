"""How is the exchange log signed and witnessed here? The part of the composition root that belongs to the log's proof.

Note keys and guard lie in the key directory, apart from the data: a copy of the data that is put back
meets a guard that remembers more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from gateway.audit.findings import Unreadable
from gateway.audit.trust import TrustPolicy, parse_trust_policy
from gateway.config import Settings
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.files.hold_journals import FileHoldJournals
from gateway.engines.files.note_keys import NoteSigningKey, ensure_note_keys, load_note_keys, make_note_keys
from gateway.engines.http_witness import HttpWitness
from gateway.http.admin_log import LogAdmin
from gateway.model.agency import Office
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId, OfficeId
from gateway.policy.vocabulary import Vocabulary
from gateway.ports.clock import Clock, Ids, TimeInDoubt
from gateway.ports.keys import KeyStore
from gateway.ports.log_storage import LogStorage
from gateway.ports.store import Store
from gateway.services.attachments import Attachments
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.erase import Erase, LegalHolds
from gateway.services.guardian_may_know import Clearings, GuardianMayKnow
from gateway.services.hold import Generation, LogHold
from gateway.services.hold_journal import JournalOfHolds
from gateway.services.keep import Keeper
from gateway.services.log_desk import LogDesk
from gateway.services.log_reports import LogReports
from gateway.services.people import People
from gateway.services.prove import Prover
from gateway.services.publish import Publisher
from gateway.services.retain import Retain
from gateway.services.roles import StaffDirectory
from gateway.services.stay_joined import StayJoined
from gateway.services.tell import Teller
from gateway.services.travelling_witness import TravellingWitness
from gateway.services.watch import Watch

GUARD = "log.guard"
NOTE_KEYS = "log"
HOLDS, HOLD_KEYS = "holds", "hold"
RETAIN_EVERY = timedelta(minutes=15)
WATCH_EVERY = timedelta(minutes=1)
INDEX_EVERY = timedelta(seconds=2)
INDEX_STEP = 4000
QUIET_RECORDS = 500  # in one beat: more, and the exchange has the disk to itself
MOST_UNINDEXED = 200_000  # a search then waits about ten seconds: from here on indexing cannot be put off


@dataclass(frozen=True, slots=True)
class LogProof:
    """What signs, watches and proves the log of one node."""

    publisher: Publisher
    hold: LogHold
    prover: Prover
    generation: Generation


def create_log_keys(settings: Settings) -> None:
    """Make the note keys and the guard, once."""
    make_note_keys(settings.key_directory, NOTE_KEYS, _passphrase(settings))
    make_note_keys(settings.key_directory, HOLD_KEYS, _passphrase(settings))
    FileCheckpointGuard.create(settings.key_directory / GUARD)


def origin_of(settings: Settings, number: int) -> str:
    """The log's name in its n-th generation."""
    return f"{settings.name}/exchange/{number}"


def journals_of(settings: Settings) -> FileHoldJournals:
    """The journals of holds, beside the keys and apart from the data, under keys and names of their own.

    A gateway that is older than these keys makes them here.
    """
    ensure_note_keys(settings.key_directory, HOLD_KEYS, _passphrase(settings))

    def signers(number: int) -> tuple[str, Sequence[NoteSigningKey]]:
        origin = f"{settings.name}/hold/{number}"
        return origin, load_note_keys(settings.key_directory, HOLD_KEYS, origin, _passphrase(settings), is_log=True)

    return FileHoldJournals(settings.key_directory / HOLDS, signers)


def generation_of(settings: Settings, number: int) -> Generation:
    """Name, signers and trust policy of one generation. InvalidDocument with the line for a trust policy that does not hold."""
    origin = origin_of(settings, number)
    signers = load_note_keys(settings.key_directory, NOTE_KEYS, origin, _passphrase(settings), is_log=True)
    return Generation(origin, signers, _trust(settings, signers))


def trust_text(settings: Settings, signers: Sequence[NoteSigningKey]) -> bytes:
    """A tlog-policy file for readers of this log: its own keys, then the witnesses of the settings."""
    lines = "".join(f"log {one.key.vkey}\n" for one in signers).encode()
    path = settings.log.trust_policy
    if path is None:
        return lines + b"quorum none\n"
    try:
        return lines + path.read_bytes()
    except OSError as missing:
        raise InvalidDocument("the trust policy cannot be read", remedy="check log.trust_policy") from missing


@asynccontextmanager
async def open_log_proof(
    settings: Settings, log: LogStorage, teller: Teller, staff: StaffDirectory, clock: Clock, ids: Ids
) -> AsyncIterator[LogProof]:
    """Compare the log with what was signed, and be ready to sign, or to hold."""
    guard = FileCheckpointGuard(settings.key_directory / GUARD, is_shared=settings.is_clustered)
    generation = generation_of(settings, guard.generation)
    async with aiohttp.ClientSession() as session:
        publisher = Publisher(
            log,
            generation.origin,
            generation.signers,
            guard,
            generation.trust,
            clock,
            tuple(
                HttpWitness(name, generation.trust.urls[name], session, settings.log.witness_seconds)
                for name in generation.trust.witnesses
                if name in generation.trust.urls
            ),
            recosign_after=timedelta(minutes=settings.log.recosign_minutes),
            grace=timedelta(minutes=settings.log.witness_grace_minutes),
        )
        hold = LogHold(
            publisher=publisher,
            journal=JournalOfHolds(journals_of(settings), log, clock),
            log=log,
            teller=teller,
            staff=staff,
            clock=clock,
            ids=ids,
            generation=lambda number: generation_of(settings, number),
            number=lambda: guard.generation,
        )
        await hold.begin()
        yield LogProof(publisher, hold, Prover(log, publisher), generation)


@dataclass(frozen=True, slots=True)
class LogServices:
    """Use cases of retention and proof."""

    people: People
    erase: Erase
    legal_holds: LegalHolds
    retain: Retain
    desk: LogDesk
    watch: Watch


def join_log_services(
    *,
    settings: Settings,
    proof: LogProof,
    store: Store,
    keys: KeyStore,
    keeper: Keeper,
    attachments: Attachments,
    people: People,
    conflicts: ConflictsOnRecord,
    clearings: Clearings,
    fields: Mapping[FieldId, FieldSpec],
    offices: Callable[[], Mapping[OfficeId, Office]],
    vocabulary: Callable[[], Vocabulary],
    teller: Teller,
    staff: StaffDirectory,
    clock: Clock,
    time: TimeInDoubt,
    ids: Ids,
) -> LogServices:
    return LogServices(
        people=people,
        erase=Erase(
            people=people,
            retention=store.retention,
            notices=store.notices,
            keeper=keeper,
            attachments=attachments,
            stay_joined=StayJoined(storage=store.persons, people=people, teller=teller, clock=clock),
            keys=keys,
            log=store.log,
            staff=staff,
            teller=teller,
            clock=clock,
            ids=ids,
        ),
        legal_holds=LegalHolds(
            people=people, retention=store.retention, staff=staff, teller=teller, clock=clock, ids=ids
        ),
        retain=Retain(
            retention=store.retention,
            attachments=attachments,
            keys=keys,
            log=store.log,
            teller=teller,
            clock=clock,
            time=time,
        ),
        desk=LogDesk(
            log=store.log,
            publisher=proof.publisher,
            prover=proof.prover,
            reports=LogReports(
                log=store.log,
                publisher=proof.publisher,
                notices=store.notices,
                keeper=keeper,
                fields=fields,
                offices=offices,
                vocabulary=vocabulary,
                clock=clock,
            ),
            people=people,
            notices=store.notices,
            guardian_may_know=GuardianMayKnow(
                people=people,
                notices=store.notices,
                retention=store.retention,
                keeper=keeper,
                conflicts=conflicts,
                clearings=clearings,
                clock=clock,
            ),
            staff=staff,
            teller=teller,
            clock=clock,
        ),
        watch=Watch(settings=settings.log, log=store.log, teller=teller, clock=clock),
    )


def log_admin(settings: Settings, log: LogStorage, proof: LogProof, services: LogServices) -> LogAdmin:
    """What the admin socket is joined to."""

    def trust() -> bytes:
        signers = load_note_keys(
            settings.key_directory, NOTE_KEYS, proof.publisher.origin, _passphrase(settings), is_log=True
        )
        return trust_text(settings, signers)

    travelling = TravellingWitness(log, proof.publisher)
    return LogAdmin(proof.hold, services.desk, lambda reader: services.desk.export(reader, trust()), trust, travelling)


async def index_for_ever(log: LogStorage) -> None:
    """Keep the search index near the head, without taking from the exchange: a busy log is indexed when it is quiet."""
    before = (await log.head()).size
    while True:
        await asyncio.sleep(INDEX_EVERY.total_seconds())
        with suppress(Unavailable):
            head = (await log.head()).size
            left = await log.index(0)
            if head - before < QUIET_RECORDS or left > MOST_UNINDEXED:
                await log.index(INDEX_STEP)
            before = head


async def watch_for_ever(watch: Watch) -> None:
    """Look for anomalies once a minute."""
    while True:
        await asyncio.sleep(WATCH_EVERY.total_seconds())
        with suppress(Unavailable):
            await watch()


async def retain_for_ever(retain: Retain) -> None:
    """Destroy what is over, every quarter of an hour."""
    while True:
        with suppress(Unavailable):  # the store is away, or a reader stands in the way: the next beat finds the same
            await retain()
        await asyncio.sleep(RETAIN_EVERY.total_seconds())


async def publish_for_ever(proof: LogProof, seconds: float, *, again: bool = False) -> None:
    """Sign on a steady beat, so that the time of a checkpoint tells nothing about the time of an event.

    `again`: another node may have signed before, so first everything that was signed is looked at once more.
    """
    if again:
        while True:
            with suppress(Unavailable, OSError):
                await proof.hold.begin()
                break
            await asyncio.sleep(seconds)
    while True:
        await proof.hold.beat()
        await asyncio.sleep(seconds)


def _trust(settings: Settings, signers: Sequence[NoteSigningKey]) -> TrustPolicy:
    try:
        return parse_trust_policy(trust_text(settings, signers))
    except Unreadable as wrong:
        raise InvalidDocument(
            f"the trust policy does not hold: {wrong}", remedy="list witnesses and quorum, no log"
        ) from wrong


def _passphrase(settings: Settings) -> bytes | None:
    return settings.key_passphrase.encode() if settings.key_passphrase else None
