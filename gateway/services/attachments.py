"""Where are the documents that notices name, and how long do they live?

The sender uploads a document under its digest, before the notice that names it or after; who may fetch it is decided
elsewhere (`fetch_attachment`).

Durable steps: 1. an upload is stored, encrypted under a key of its own: crash before its record, and it lapses or is
uploaded again; 2. it is logged; 3. the notice that names it keeps it, before the notice is committed: a crash in between
keeps a document nobody names, and the sender's retry names it. What nobody names lapses after
`retention.upload_days`, its key destroyed.

What is erased goes in two steps: its key is destroyed, then its file removed; a file that a crash, a restored backup or
an older release has left behind is found by `sweep`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives import hashes

from gateway.crypto.sealing import keyed_digest
from gateway.model.agency import Caller
from gateway.model.audit import EventName, LogValue
from gateway.model.errors import InvalidDocument, TooLarge, Unavailable
from gateway.model.identifiers import KeyId, OfficeId
from gateway.model.notice import JsonObject, SubmittedNotice
from gateway.ports.clock import Clock
from gateway.ports.keys import KeyStore
from gateway.ports.log_storage import LogStorage
from gateway.ports.object_storage import ObjectName, ObjectStorage
from gateway.services.documents import documents_in, is_digest
from gateway.services.tell import Teller

MISSING = "attachment-missing"
DOCUMENTS = "documents"  # the member of a notice's header that lists them
SWEPT_AT_ONCE = 2000
LIVES_IN_COPIES = timedelta(days=8)  # a day longer than a copy of the key store (DESIGN 3)
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"sha256": hashes.SHA256, "sm3": hashes.SM3}


@dataclass(frozen=True, slots=True)
class Uploaded:
    digest: str
    size: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Named:
    """What a notice names, as the store calls it; and a flag when something of it has not come yet."""

    names: tuple[ObjectName, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A document, decrypted as it is read; reading raises Tampered where it was changed."""

    size: int
    content: AsyncIterator[bytes]


def names_in(header: JsonObject) -> list[ObjectName]:
    """The documents that a notice names, by its own header."""
    return [ObjectName(name) for name in header.get(DOCUMENTS, ())]


class Attachments:
    def __init__(
        self,
        *,
        objects: ObjectStorage,
        keys: KeyStore,
        log: LogStorage,
        teller: Teller,
        clock: Clock,
        max_bytes: int,
        upload_life: timedelta,
    ) -> None:
        self._objects, self._keys = objects, keys
        self._log, self._teller, self._clock = log, teller, clock
        self._max_bytes, self._upload_life = max_bytes, upload_life
        self._secret = keys.secret("attachments")
        self._swept: ObjectName | None = None
        self._owed: set[ObjectName] = set()  # named by reports while the documents were out of reach: still to be kept

    async def upload(self, caller: Caller, digest: str, content: AsyncIterable[bytes]) -> Uploaded:
        """Store what an office will name, or named, by this digest.

        Raises InvalidDocument for no digest of ours and for bytes that are not those of the digest, TooLarge; then
        nothing is stored. Uploading again what is there changes nothing.
        """
        algorithm = self._algorithm(digest)
        name = self.name(caller.office.id, digest)
        found = await self._objects.find(name)
        if found is not None and self._keys.open(found.key) is not None:
            size = 0
            async for part in self._checked(content, digest, algorithm):
                size += len(part)
            return Uploaded(digest, size, is_new=False)
        key = self._keys.take(1)[0]
        stored = await self._objects.put(name, key, self._checked(content, digest, algorithm))
        told: dict[str, LogValue | None] = {"attachment": name, "bytes": stored.size}
        record = self._teller.event(
            EventName.ATTACHMENT_STORED, self._clock.now(), told, actor=caller.office.id, officer=caller.officer
        )
        await self._log.append([record])
        return Uploaded(digest, stored.size, is_new=True)

    async def opened(self, sender: OfficeId, digest: str) -> Opened | None:
        """The document a sender stored under this digest; None where there is none, or its key is destroyed."""
        found = await self._objects.find(self.name(sender, digest))
        secret = None if found is None else self._keys.open(found.key)
        return None if found is None or secret is None else Opened(found.size, self._objects.read(found, secret))

    async def keep_named(self, sender: OfficeId, notice: SubmittedNotice, *, is_report: bool) -> Named:
        """Let what a notice names not lapse, now or when it comes: also what only its sealed or reporter parts name.

        Raises Unavailable when the documents are out of reach, but for a report: that never waits for them. What it names
        counts as missing then, and is kept before anything lapses.
        """
        digests = sorted(documents_in(notice.data, notice.sealed, notice.reporter))
        names = tuple(self.name(sender, digest) for digest in digests)
        there = []
        for name in names:
            try:
                there.append(await self._objects.keep(name))
            except Unavailable:
                if not is_report:
                    raise
                self._owed.add(name)
                there.append(False)
        return Named(names, () if all(there) else (MISSING,))

    async def keys_of(self, header: JsonObject) -> tuple[KeyId, ...]:
        """What the documents of a notice are encrypted under, by the notice's own header: for whoever erases."""
        found = [await self._objects.find(name) for name in names_in(header)]
        return tuple(one.key for one in found if one is not None)

    async def remove(self, names: Iterable[ObjectName]) -> None:
        """Remove documents whose keys are destroyed, and what marks them as kept: nothing is to be read of them, and
        they take no room. Doing it again does nothing. Raises Unavailable."""
        for name in sorted(set(names)):
            await self._objects.delete(name)

    async def sweep(self) -> int:
        """Remove kept documents that no key opens any more, some at each call; returns how many.

        Younger ones are passed over: a key store that was put back from a copy, which lives at most seven days, may lack
        the keys of what came after it, and they may still be found.
        """
        before = self._clock.now() - LIVES_IN_COPIES
        page = await self._objects.kept(self._swept, SWEPT_AT_ONCE, before)
        self._swept = page[-1].name if len(page) == SWEPT_AT_ONCE else None
        closed = [one.name for one in page if self._keys.open(one.key) is None]
        await self.remove(closed)
        if closed:
            await self._tell_disposed(len(closed))
        return len(closed)

    async def _tell_disposed(self, count: int) -> None:
        told: dict[str, LogValue | None] = {"kind": "attachment", "objects": count}
        await self._log.append([self._teller.event(EventName.PAYLOAD_DISPOSED, self._clock.now(), told)])

    async def lapse(self) -> int:
        """Destroy uploads that no notice named in time; returns how many."""
        for name in sorted(self._owed):
            await self._objects.keep(name)
            self._owed.discard(name)
        gone = await self._objects.lapse(self._clock.now() - self._upload_life)
        if gone:
            await self._keys.destroy([one.key for one in gone])
            await self._tell_disposed(len(gone))
        return len(gone)

    def name(self, sender: OfficeId, digest: str) -> ObjectName:
        """How the store and the log name what an office stored under a digest: keyed, so it tells nothing."""
        return ObjectName(keyed_digest(self._secret, sender.encode(), digest.encode()).hex())

    def _algorithm(self, digest: str) -> hashes.HashAlgorithm:
        if not is_digest(digest):
            raise InvalidDocument(
                "the name of an attachment is the digest of its bytes",
                remedy="use `sha256:` or `sm3:` and 64 small hexadecimal digits",
            )
        return _HASHES[digest.split(":", 1)[0]]()

    async def _checked(
        self, content: AsyncIterable[bytes], digest: str, algorithm: hashes.HashAlgorithm
    ) -> AsyncIterator[bytes]:
        """The content as it comes; at its end it was what the digest says, and not too large."""
        state, size = hashes.Hash(algorithm), 0
        async for part in content:
            size += len(part)
            if size > self._max_bytes:
                raise TooLarge(f"an attachment has at most {self._max_bytes} bytes", remedy="split the document")
            state.update(part)
            yield part
        if state.finalize().hex() != digest.split(":", 1)[1]:
            raise InvalidDocument(
                "the bytes are not those of the digest", remedy="hash the bytes as sent, and send them whole"
            )
