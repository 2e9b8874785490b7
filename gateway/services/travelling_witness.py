"""How does a witness cosign whom no network reaches?

A request is written to a removable medium, the witness cosigns it (`hutong witness cosign`) and writes its reply beside it,
and both come back. The same bytes go over HTTP elsewhere. What comes back is checked like any cosignature, so the medium need not be trusted;
it counts from when the witness signed. Whoever makes a request learns sizes and roots, which auditors have anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.audit.findings import Unreadable, Wrong, decimal
from gateway.audit.witness import parse_request
from gateway.model.errors import InvalidDocument, NotFound
from gateway.ports.log_storage import LogStorage
from gateway.services.publish import Publisher


@dataclass(frozen=True, slots=True)
class Travelling:
    """A request on its way: from which size to which, and the bytes for the medium."""

    old_size: int
    size: int
    raw: bytes


class TravellingWitness:
    def __init__(self, log: LogStorage, publisher: Publisher) -> None:
        self._log, self._publisher = log, publisher

    async def request(self, witness: str, old_size: int | None = None) -> Travelling:
        """For a witness by its name in the trust policy. It is asked to go on from what it last cosigned of this log, as far as
        came back; where it stands elsewhere it says so, and `old_size` is what it said. Raises NotFound, InvalidDocument, Unavailable."""
        key = self._publisher.trust.witnesses.get(witness)
        if key is None:
            names = "、".join(self._publisher.trust.witnesses) or "none"
            raise NotFound("the trust policy has no witness of this name", remedy=f"one of: {names}")
        if old_size is None:
            last = await self._log.last_cosigned(key.label)
            old_size = 0 if last is None else last[1]
        latest = await self._publisher.settled()
        if latest is not None and not 0 <= old_size <= latest.checkpoint.size:
            raise InvalidDocument(
                "the witness cannot stand beyond what is signed", remedy=f"at most {latest.checkpoint.size}"
            )
        raw = await self._publisher.request(old_size)
        return Travelling(old_size, parse_request(raw).checkpoint.size, raw)

    async def take(self, request: bytes, reply: bytes) -> int:
        """Keep what the witness wrote; returns how many lines were good and known. InvalidDocument for anything else."""
        try:
            asked = parse_request(request)
        except (Unreadable, Wrong) as wrong:
            raise InvalidDocument(f"this is no request to a witness: {wrong}") from wrong
        if asked.checkpoint.origin != self._publisher.origin:
            raise InvalidDocument("the request is about another log, or an earlier generation of this one")
        try:
            stands = decimal(reply.removesuffix(b"\n"))
        except Unreadable:
            pass
        else:
            raise InvalidDocument(
                f"the witness stands at {stands}, not at {asked.old_size}",
                remedy=f"ask again from there: --old {stands}",
            )
        try:
            kept = await self._publisher.take_cosignatures(asked.checkpoint.size, reply, are_brought=True)
        except (Unreadable, Wrong) as wrong:
            raise InvalidDocument(f"the reply does not hold: {wrong}") from wrong
        if not kept:
            raise InvalidDocument(
                "no line of a witness of the trust policy", remedy="compare the keys: hutong log trust"
            )
        return kept
