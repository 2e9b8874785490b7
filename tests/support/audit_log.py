"""A whole exchange log in memory, with keys, witnesses and files, for tests."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gateway.audit.bundle import Claim, make_bundle, make_report, record_proof
from gateway.audit.checkpoint import Checkpoint, sign_checkpoint, signed_note
from gateway.audit.export import first_line, record_line
from gateway.audit.merkle import Edge
from gateway.audit.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, NoteKey, signature_line
from gateway.audit.opening import disclose, open_slot, read_opening
from gateway.audit.proof import Tree
from gateway.audit.record import committed_names, link_bytes, next_link, prepare
from gateway.audit.tiles import ENTRIES, WIDTH, encode_bundle, tile_path, tiles_of
from gateway.audit.witness import Advance, Seen, consider, request_bytes
from gateway.model.audit import FIRST_LINK, EventName, Link, LogEvent, LogRecord
from gateway.model.audit_events import EVENTS
from tests.support.log_events import event_of

ORIGIN = "gateway.test/exchange/2026"
T0 = 1_772_300_000  # POSIX seconds, 2026-02-28


@dataclass(frozen=True)
class Signer:
    """A note key with its private half."""

    key: NoteKey
    private: Ed25519PrivateKey | MLDSA44PrivateKey

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def line(self, checkpoint: Checkpoint, at: int = 0) -> bytes:
        return sign_checkpoint(checkpoint, self.key, self.sign, at)


def ed25519_signer(name: str, kind: int = ED25519, seed: int = 0) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(random.Random(f"{name}/{kind}/{seed}").randbytes(32))
    return Signer(NoteKey(name, kind, private.public_key().public_bytes_raw()), private)


def mldsa_signer(name: str, seed: int = 0) -> Signer:
    private = MLDSA44PrivateKey.from_seed_bytes(random.Random(f"{name}/{seed}").randbytes(32))
    return Signer(NoteKey(name, COSIGNATURE_MLDSA44, private.public_key().public_bytes_raw()), private)


LOG = ed25519_signer(ORIGIN)
LOG_PQ = mldsa_signer(ORIGIN)
WITNESS = ed25519_signer("witness.procuratorate.test", COSIGNATURE_ED25519)
WITNESS_PQ = mldsa_signer("witness2.procuratorate.test")
KEYS: Sequence[NoteKey] = (LOG.key, LOG_PQ.key)

POLICY = f"""# keys that the reader trusts
log {LOG.key.vkey}
log {LOG_PQ.key.vkey}
witness procuratorate {WITNESS.key.vkey}
witness second {WITNESS_PQ.key.vkey} https://witness2.test/
group any-one any procuratorate second
quorum any-one
""".encode()


@dataclass
class BuiltLog:
    """Events appended one after another, each person's chain kept as a writer keeps it."""

    events: list[LogEvent] = field(default_factory=list)
    records: list[LogRecord] = field(default_factory=list)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    edge: Edge = field(default_factory=Edge)
    heads: dict[str, Link] = field(default_factory=dict)

    def add(self, event: LogEvent) -> LogRecord:
        prepared = prepare(event)
        links = [self.heads.get(subject, FIRST_LINK) for subject in prepared.subjects]
        record = prepared.finish(links)
        for subject, link in zip(prepared.subjects, links, strict=True):
            self.heads[subject] = next_link(record, link)
        for tile in self.edge.append(record.leaf_hash):
            self.tiles[tile.level, tile.index] = tile.data
        self.events.append(event)
        self.records.append(record)
        return record

    def read_tile(self, level: int, index: int) -> bytes:
        return self.tiles.get((level, index)) or self.edge.partial(level)

    @property
    def size(self) -> int:
        return self.edge.size

    @property
    def tree(self) -> Tree:
        return Tree(self.read_tile)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = self.size if size is None else size
        return Checkpoint(ORIGIN, size, self.tree.root(size))

    def note(self, size: int | None = None, at: int = T0, witnesses: Sequence[Signer] = (WITNESS, WITNESS_PQ)) -> bytes:
        checkpoint = self.checkpoint(size)
        lines = [LOG.line(checkpoint), LOG_PQ.line(checkpoint, at), *(one.line(checkpoint, at) for one in witnesses)]
        return signed_note(checkpoint, lines)

    def write(self, folder: Path) -> None:
        """The log's files in tlog-tiles layout, with a cosigned checkpoint and the records as an export."""
        for level, index, width in tiles_of(self.size):
            put(folder / tile_path(level, index, width), self.read_tile(level, index))
            if level == 0:
                part = self.records[index * WIDTH : index * WIDTH + width]
                put(folder / tile_path(ENTRIES, index, width), encode_bundle(record.entry for record in part))
        put(folder / "checkpoint", self.note())
        put(folder / "policy", POLICY)
        put(folder / "records.jsonl", self.export())

    def secrets(self, index: int, erased: frozenset[str] = frozenset()) -> dict[int, bytes]:
        """The secrets of the record's slots by slot number, those of erased subjects left out."""
        event = self.events[index]
        first = 1 if event.officer is None else 2
        found = {first + n: slot.secret for n, slot in enumerate(event.persons) if slot.subject not in erased}
        return found if event.officer is None else {1: event.officer.secret, **found}

    def export(self, erased: frozenset[str] = frozenset()) -> bytes:
        lines = [first_line({f"{name}/{schema.version}": committed_names(schema) for name, schema in EVENTS.items()})]
        for index, record in enumerate(self.records):
            opening = read_opening(record.opening)
            opened: dict[int, dict[str, Any]] = {}
            for number, secret in self.secrets(index, erased).items():
                slot = open_slot(opening, number, secret)
                link = {} if slot.link is None else {"link": json.loads(link_bytes(slot.link))}
                opened[number] = {"salts": b64encode(slot.salts).decode(), "values": dict(slot.values), **link}
            lines.append(record_line(index, record.opening, opened))
        return b"".join(lines)

    def proof_of(self, index: int, subject: str | None = None, **shows: Any) -> dict[str, Any]:
        """One record for a bundle, with the slot of `subject` opened and no other."""
        opening = read_opening(self.records[index].opening)
        first = 1 if self.events[index].officer is None else 2
        slots = [
            open_slot(opening, first + n, slot.secret)
            for n, slot in enumerate(self.events[index].persons)
            if slot.subject == subject
        ]
        return record_proof(index, self.tree.inclusion(index, self.size), disclose(opening, slots, **shows))

    def about(self, subject: str) -> list[int]:
        return [n for n, record in enumerate(self.records) if any(s.subject == subject for s in record.person_slots)]

    def bundle(self, indices: Sequence[int], **shows: Any) -> bytes:
        return make_bundle(self.note(), [self.proof_of(index, **shows) for index in indices])

    def claim(self, subject: str) -> Claim:
        head = self.checkpoint()
        indices = self.about(subject)
        if not indices:
            return Claim(head.origin, head.size, head.root, 0)
        newest = self.records[indices[-1]]
        return Claim(head.origin, head.size, head.root, len(indices), newest.event_id, newest.root)

    def report(self, subject: str, indices: Sequence[int] | None = None, claim: Claim | None = None) -> bytes:
        text = (claim or self.claim(subject)).text
        note = text + b"\n" + signature_line(LOG.key.name, LOG.key.key_id, LOG.sign(text))
        chosen = self.about(subject) if indices is None else indices
        return make_report(self.note(), note, [self.proof_of(index, subject) for index in chosen])


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def built_log(size: int, seed: int = 1, subjects: int = 3) -> BuiltLog:
    """A log of `size` random events about up to two of `subjects` persons each. Person n's secret is the same in every record."""
    rng = random.Random(seed)
    log = BuiltLog()
    names = list(EventName)
    for _ in range(size):
        people = rng.sample(range(subjects), rng.randrange(3))
        pairs = tuple((f"subject-{n}", secret_of(n)) for n in people)
        log.add(event_of(rng.choice(names), rng, people=pairs, officer=rng.random() < 0.3))
    return log


def secret_of(subject: int) -> bytes:
    return random.Random(f"secret {subject}").randbytes(32)


def request(log: BuiltLog, old: int, size: int) -> bytes:
    """What a witness is asked to cosign that saw the log at `old`."""
    return request_bytes(old, log.tree.consistency(old, size), log.note(size, witnesses=()))


def seen(log: BuiltLog, size: int) -> Seen:
    """What a witness remembers that was first asked at `size`."""
    found = consider(request(log, 0, size), KEYS, Seen())
    assert isinstance(found, Advance)
    return found.seen
