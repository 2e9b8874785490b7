"""What may two nodes not do to the same thing at the same moment?

Each group of writes takes the locks of all its requests before it looks at anything, in one order: first the epochs,
then the others by number, so that two groups never wait for each other in a circle. They are PostgreSQL's advisory
locks: they end with the transaction, and who waits is served in turn, so a withdrawal of consent is not kept waiting by
disclosures that keep coming (row locks in share mode would let them pass).

* epochs (policy, consent, directory): shared by whatever was prepared under them, exclusive for a change;
* idempotency and native-id keys, aliases, persons: by who creates or relies on them;
* lane and sender: by every move of a delivery, so that order and the sender's numbering hold;
* notice: by what adds deliveries to it or ends them all; its office's inbox is kept by row locks alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from gateway.engines.postgres.statements import Statements
from gateway.engines.sql.values import known_blob, text_of

if TYPE_CHECKING:
    from gateway.crypto.scatter import Scatter

_EPOCHS = ("policy", "consent", "directory")
_CHANGES = {
    "put-office": "directory",
    "change-policies": "policy",
    "put-consent": "consent",
    "put-pair": "consent",
    "forget": "consent",
}
_SHARED = {"disclose": _EPOCHS, "accept": ("directory",)}


def lock_number(what: str, name: bytes | str) -> int:
    """A lock as the 64-bit number that PostgreSQL wants; two names may share one, which costs a wait and no more."""
    raw = name.encode() if isinstance(name, str) else name
    return int.from_bytes(blake2b(what.encode() + b"\0" + raw, digest_size=8).digest(), "big", signed=True)


def take_locks(sql: Statements, kinds: Sequence[str], requests: Sequence[Any], scatter: Scatter) -> None:
    """Take what a group needs; waits for other groups, up to the session's lock timeout."""
    changing = {_CHANGES[kind] for kind in kinds if kind in _CHANGES}
    reading = {epoch for kind in kinds for epoch in _SHARED.get(kind, ())}
    if any(kind == "accept" and request.rests_on is not None for kind, request in zip(kinds, requests, strict=True)):
        reading.update(_EPOCHS)
    locks = [(lock_number("epoch", epoch), epoch in changing) for epoch in _EPOCHS if epoch in changing | reading]
    wanted = _Wanted()
    for kind, request in zip(kinds, requests, strict=True):
        _want(wanted, kind, request, scatter)
    numbers = wanted.numbers
    if wanted.deliveries:
        for lane, sender in sql.run("moved_by_deliveries", (list(wanted.deliveries),)).fetchall():
            numbers |= {lock_number("lane", lane), lock_number("sender", sender)}
    if wanted.notices:
        for lane, sender in sql.run("moved_by_notices", (list(wanted.notices),)).fetchall():
            numbers |= {lock_number("lane", lane), lock_number("sender", sender)}
    locks += [(number, True) for number in sorted(numbers)]
    if locks:
        sql.run("lock", tuple(map(list, zip(*locks, strict=True))))


class _Wanted:
    __slots__ = ("deliveries", "notices", "numbers")

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.deliveries: set[bytes] = set()  # in their ordered form
        self.notices: set[bytes] = set()

    def add(self, what: str, names: Iterable[bytes | str]) -> None:
        self.numbers.update(lock_number(what, name) for name in names)

    def add_notice(self, notice: str) -> None:
        blob = known_blob(notice)
        if blob is not None:
            self.notices.add(blob)
            self.add("notice", (blob,))


def _want(wanted: _Wanted, kind: str, request: Any, scatter: Scatter) -> None:
    if kind == "accept":
        wanted.add("key", (request.idempotency_key, request.native_id_key))
        wanted.add("lane", (new.lane for new in request.deliveries))
        for link in request.persons:
            wanted.add("alias", link.aliases)
            wanted.add("person", (link.person,))
        if request.supersedes:
            wanted.add_notice(request.supersedes)
        if request.reply is not None and (blob := known_blob(request.reply.delivery)):
            wanted.deliveries.add(scatter.gather(blob))
    elif kind in ("conclude", "disclose"):
        if blob := known_blob(request.delivery):
            wanted.deliveries.add(scatter.gather(blob))
    elif kind == "keep-leased":
        wanted.deliveries.update(scatter.gather(blob) for one, _ in request.leases if (blob := known_blob(one)))
    elif kind == "withdraw":
        wanted.add_notice(request.notice)
    elif kind == "grant-emergency":
        for notice, _ in request.deliveries:
            wanted.add_notice(notice)
    elif kind == "put-pair":
        wanted.add("person", (request.pair.first, request.pair.second))
    elif kind == "forget":
        wanted.add("person", (text_of(request.person),))
    elif kind == "retention" and request.query == "add_hold":
        wanted.add("person", (text_of(request.values[1]),))
    elif kind == "index":
        wanted.add("index", ("",))
