"""Which logs are trusted, and how many witnesses must have seen a checkpoint? The C2SP tlog-policy file.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

Names refer to lines before; each may be in one group only, so that a witness
counts once. Keys come from this file, which comes from the reader, never from
what is being checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.audit.checkpoint import Checkpoint, Cosignature, open_checkpoint
from gateway.audit.findings import NotEnough, Unreadable, Wrong, decimal
from gateway.audit.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, Note, NoteKey, parse_vkey

_MOST = 256
NONE = "none"


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """`witnesses` by policy name; `groups` name their threshold and members; `urls` by policy name, or vkey for a log."""

    logs: tuple[NoteKey, ...]
    witnesses: Mapping[str, NoteKey]
    groups: Mapping[str, tuple[int, tuple[str, ...]]]
    quorum: str
    urls: Mapping[str, str]

    def is_met_by(self, cosigned: Iterable[NoteKey]) -> bool:
        seen = set(cosigned)

        def holds(name: str) -> bool:
            if name in self.witnesses:
                return self.witnesses[name] in seen
            threshold, members = self.groups[name]
            return sum(holds(member) for member in members) >= threshold

        return self.quorum == NONE or holds(self.quorum)

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        return (*self.logs, *self.witnesses.values())


def parse_trust_policy(raw: bytes) -> TrustPolicy:
    """Unreadable with the line number for anything the format does not allow."""
    if any((byte < 0x20 and byte not in (0x09, 0x0A)) or byte == 0x7F for byte in raw):
        raise Unreadable("a policy file with control characters")
    logs: list[NoteKey] = []
    witnesses: dict[str, NoteKey] = {}
    groups: dict[str, tuple[int, tuple[str, ...]]] = {}
    urls: dict[str, str] = {}
    used: set[str] = set()
    quorum: str | None = None
    for number, line in enumerate(raw.split(b"\n"), 1):
        words = [word.decode("utf-8", "surrogateescape") for word in re.split(rb"[ \t]+", line.strip(b" \t"))]
        try:
            match words:
                case [first, *_] if not first or first.startswith("#"):
                    continue
                case ["log", vkey, *url] if len(url) <= 1:
                    key = _key(vkey, (ED25519, COSIGNATURE_MLDSA44), logs)
                    logs.append(key)
                    urls.update({key.vkey: url[0]} if url else {})
                case ["witness", name, vkey, *url] if len(url) <= 1:
                    _fresh(name, witnesses, groups)
                    witnesses[name] = _key(vkey, (COSIGNATURE_ED25519, COSIGNATURE_MLDSA44), witnesses.values())
                    urls.update({name: url[0]} if url else {})
                case ["group", name, threshold, *members] if members:
                    _fresh(name, witnesses, groups)
                    if len(set(members)) != len(members) or used & set(members):
                        raise Unreadable("a name is a group's member twice")
                    if any(member not in witnesses and member not in groups for member in members):
                        raise Unreadable("a group of names not defined before")
                    least = {"all": len(members), "any": 1}.get(threshold) or decimal(threshold.encode())
                    if not 1 <= least <= len(members):
                        raise Unreadable("a threshold that no group of this size has")
                    used |= set(members)
                    groups[name] = least, tuple(members)
                case ["quorum", name] if quorum is None:
                    if name != NONE and name not in witnesses and name not in groups:
                        raise Unreadable("a quorum not defined before")
                    quorum = name
                case _:
                    raise Unreadable("not a line of a policy")
        except Unreadable as wrong:
            raise Unreadable(f"line {number} of the policy: {wrong}") from None
    if quorum is None:
        raise Unreadable("a policy without a quorum line")
    if max(len(logs), len(witnesses), len(groups)) > _MOST:
        raise Unreadable("a policy with too many lines")
    return TrustPolicy(tuple(logs), witnesses, groups, quorum, urls)


def _fresh(name: str, *taken: Mapping[str, object]) -> None:
    if name == NONE or any(name in names for names in taken):
        raise Unreadable("a name defined twice, or `none`")


def _key(vkey: str, types: tuple[int, ...], others: Iterable[NoteKey]) -> NoteKey:
    key = parse_vkey(vkey)
    if key.type not in types:
        raise Unreadable("a key of another type than its line asks for")
    if any(other.key == key.key for other in others):
        raise Unreadable("a key given twice")
    return key


def check_checkpoint(
    raw: bytes, policy: TrustPolicy, *, origin: str | None = None, not_before: int | None = None
) -> tuple[Checkpoint, Note, tuple[Cosignature, ...]]:
    """Read a checkpoint that a log of the policy signed and its quorum cosigned.

    Every log line present that the policy knows must hold. `not_before` is the
    oldest POSIX second a quorum's cosignatures may state. Wrong, Unreadable or
    NotEnough otherwise.
    """
    checkpoint, note, lines = open_checkpoint(raw, policy.keys)
    if origin is not None and checkpoint.origin != origin:
        raise Wrong("a checkpoint of another log")
    logs = set(policy.logs)
    if not any(line.key in logs and line.key.name == checkpoint.origin for line in lines):
        raise Wrong("no log of the policy signed this checkpoint")
    cosigned = [line for line in lines if line.key not in logs]
    if not policy.is_met_by(line.key for line in cosigned):
        raise NotEnough("too few witnesses of the policy cosigned this checkpoint")
    if not_before is not None:
        fresh = [line for line in cosigned if line.at is not None and line.at >= not_before]
        if not fresh or not policy.is_met_by(line.key for line in fresh):
            raise NotEnough("the cosignatures of this checkpoint are too old")
    return checkpoint, note, lines
