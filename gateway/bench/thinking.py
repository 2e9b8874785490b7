"""What do the pure rooms cost beside the parser that every notice passes anyway?

The shipped policy pack and one report of 2.5 KB: decide without memory, project, put into an envelope, for one recipient and
for eight; compile and prove the pack; compare two packs; prepare a log record; append to the tree.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import Edge, leaf_hash
from gateway.bench.measuring import Effort, Row, alternated, at_most, cpu_each
from gateway.bench.samples import report_data
from gateway.engines.files.documents import default_catalogue
from gateway.engines.files.packs import pack_files
from gateway.model.access import Decision
from gateway.model.identifiers import DeliveryId, NoticeType, OfficeId
from gateway.policy.compiled import Policy
from gateway.policy.decide import Decider, decide
from gateway.policy.diff import diff
from gateway.policy.facts import Facts, facts
from gateway.policy.load import load_policy
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.release import ReleaseContext, release
from gateway.privacy.running import Run
from gateway.simulation.pilot_area import EVERY_OBLIGATION

_DAY = date(2026, 11, 1)
_AT = datetime(2026, 11, 1, tzinfo=UTC)
# Eight offices of the agency that sees the most.
_EIGHT = tuple(OfficeId(f"police.44011{number}") for number in range(8))


def _facts(policy: Policy, agency: str) -> Facts:
    """What is known about a report for one recipient."""
    known = {
        "recipient_agency": agency, "recipient_level": "county", "recipient_role": "competent", "relation_to_place": "own", "purpose": "P01",
        "legal_basis_kind": "statutory_duty", "notice_type": "RPT-M", "category": "violence", "urgency": "1",
        "age_band": "8-11", "conflict": "none", "consent": "not_needed", "agreement": "in_force", "contract": "none",
        "own_subject": "no", "track": "PARENTAL", "suspended": "no", "sealed": "none", "approval": "none", "emergency": "no",
    }  # fmt: skip
    fitting = {name: value for name, value in known.items() if name in policy.vocabulary.facts}
    persons = {
        "p1": {"person.minor": "yes", "person.conflict": "no"},
        "p2": {"person.minor": "no", "person.conflict": "no"},
        "p3": {"person.minor": "no", "person.conflict": "yes"},
    }
    return facts(policy.vocabulary, fitting, accepts=frozenset(EVERY_OBLIGATION), persons=persons)


def _context(recipient: OfficeId, secret: ReleaseSecret) -> ReleaseContext:
    return ReleaseContext(
        delivery=DeliveryId("018f0000-0000-7000-8000-000000000001"), recipient=recipient,
        type=NoticeType("RPT-M"), case_handle="case-1", purpose="P01", time=_AT, expires_at=_AT + timedelta(days=180),
        as_of=_DAY, secret=secret,
    )  # fmt: skip


class Thinking:
    """The shipped pack, compiled, with everything a release needs."""

    def __init__(self) -> None:
        catalogue = default_catalogue()
        self.fields, self.files = catalogue.fields, pack_files(None)
        self.policy = load_policy(self.files, self.fields, _DAY)
        self.projector = Projector({kind: catalogue.fields_of(kind) for kind in catalogue.notice_types}, {})
        self.secret = ReleaseSecret(os.urandom(32))
        self.raw = orjson.dumps(report_data(1))
        self.facts = _facts(self.policy, "police")
        self.decider = Decider()
        self.contexts = {one: _context(one, self.secret) for one in _EIGHT}

    def gather(self) -> None:
        _facts(self.policy, "police")

    def decide(self) -> Decision:
        return decide(self.facts, self.policy)

    def projects(self, recipients: Sequence[OfficeId]) -> None:
        """As the gateway does it, whose decider remembers its answers; nothing is remembered of a projection."""
        body = self.projector.body(NoticeType("RPT-M"), orjson.loads(self.raw))
        for recipient in recipients:
            decision, context = self.decider(self.facts, self.policy), self.contexts[recipient]
            program, elements = self.projector.program(context.type, decision)
            run = Run(context.as_of, context.link, context.relay, context.references)
            orjson.dumps(program.run(body, run, elements))

    def release(self) -> None:
        """All of it, uncached, into the recipient's own envelope, with keys and digests made anew."""
        release(orjson.loads(self.raw), self.decide(), _context(_EIGHT[0], self.secret), self.projector)

    def parse(self) -> None:
        orjson.dumps(orjson.loads(self.raw))


async def deciding(effort: Effort) -> Sequence[Row]:
    """decide, release for one, releases for eight, each against loads + dumps of the same notice."""
    ours = Thinking()
    rows: list[Row] = []
    works: Sequence[tuple[str, str, str, Callable[[], Any], float | None, float | None]] = (
        ("decide", "裁决一次，无缓存", "decide once, uncached", ours.decide, 1.2, 0.8),
        ("release-1", "解析、裁决、投影、序列化：一家", "loads, decide, project, dumps: one", lambda: ours.projects(_EIGHT[:1]), 3, 2),
        ("release-8", "同上：八家", "the same for eight recipients", lambda: ours.projects(_EIGHT), 20, 12),
        ("release-whole", "同上：一家，含信封、摘要与密钥，无缓存", "the same for one with envelope, digest and keys, uncached", ours.release, None, None),
    )  # fmt: skip
    for name, zh, en, work, gate, ambition in works:
        effort.tell(name)
        rounds, us, yard = alternated(work, ours.parse, effort)
        raw = {"us": us, "loads_dumps_us": yard, "facts_us": cpu_each(ours.gather, 0.05) * 1e6}
        rows.append(Row(name, zh, en, "orjson loads + dumps", at_most(gate, ambition), rounds, raw))
    return rows


async def policy(effort: Effort) -> Sequence[Row]:
    """Seconds to load, compile and prove the shipped pack, and to compare it with one that has a rule less."""
    ours = Thinking()
    loads, diffs = [], []
    other = load_policy({**ours.files}, ours.fields, _DAY + timedelta(days=1))
    for _ in range(effort.rounds):
        begin = time.process_time()
        load_policy(ours.files, ours.fields, _DAY)
        loads.append(time.process_time() - begin)
        diffs.append(cpu_each(lambda: diff(ours.policy, other), 0.02))
    return (
        Row("policy-load", "策略包：装载、证明、编译（秒）", "pack: load, prove, compile, seconds", "1 s", at_most(5, 1), loads),
        Row("policy-diff", "策略比较（秒）", "pack: diff, seconds", "1 s", at_most(1, 0.1), diffs),
    )  # fmt: skip


async def log(effort: Effort) -> Sequence[Row]:
    """Appending to the tree against the bare hashes of leaf and node (goal 1 of the audit anchors)."""
    entries = [entry_bytes(os.urandom(32)) for _ in range(2_000 if effort.is_quick else 20_000)]
    ready, left, right = [b"\x00" + entry for entry in entries], os.urandom(32), os.urandom(32)

    def ours() -> None:
        edge = Edge()
        for start in range(0, len(entries), 1000):
            edge.extend([leaf_hash(entry) for entry in entries[start : start + 1000]])
        edge.root()

    def floor() -> None:
        for one in ready:
            sha256(one).digest()
            sha256(b"\x01" + left + right).digest()

    rounds, us, yard = alternated(ours, floor, effort)
    raw = {"leaf_us": us / len(entries), "two_hashes_us": yard / len(entries)}
    return (
        Row(
            "log-append",
            "日志追加叶子",
            "append leaves to the log's tree",
            "two hashes",
            at_most(1.25),
            rounds,
            raw,
        ),
    )
