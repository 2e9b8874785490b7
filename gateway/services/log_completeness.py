"""Is the log complete, as far as the gateway itself can tell? (DOMAIN 8.4)

What decides comes first: the tree, the signature over it, the witnesses, no hold. What each witness last did is told beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage
from gateway.services.publish import Publisher
from gateway.services.verify_log import verify_tree


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether the log is shown to be complete, and each check: what was looked at, whether it holds, the figure."""

    is_shown: bool
    checks: list[tuple[str, bool, str]]


async def completeness_of(log: LogStorage, publisher: Publisher, clock: Clock) -> Completeness:
    latest = await publisher.settled()
    tree, hold, now = await verify_tree(log), publisher.hold, clock.now()
    signed = 0 if latest is None else latest.checkpoint.size
    signed_root_holds = latest is not None and await publisher.tree.root(signed) == latest.checkpoint.root
    is_met = latest is not None and latest.is_witnessed
    seen_at = publisher.quorum_at
    seen = "从未 never" if seen_at is None else seen_at.isoformat(timespec="seconds")
    waiting = "" if is_met else "；等待见证 awaited"
    witnessed = latest is not None and (is_met or publisher.is_within_patience(now))
    checks: list[tuple[str, bool, str]] = [
        ("全部记录重算的根与树头一致 the entries give the head's root", tree.is_verified, f"{tree.size}"),
        ("已签名检查点包含于现有日志 the signed checkpoint is in the tree", signed_root_holds, f"{signed}"),
        ("见证签名足够 enough witnesses", witnessed, seen + waiting),
        ("无取证冻结 no forensic hold", hold is None, "" if hold is None else hold.why),
    ]  # fmt: skip
    complete = all(holds for _, holds, _ in checks)
    for name, key in publisher.trust.witnesses.items():
        last = await log.last_cosigned(key.label)
        told = "从未 never" if last is None else f"{last[1]}；{last[0].isoformat(timespec='seconds')}"
        checks.append((f"见证方 {name} 曾签名 witness has cosigned", last is not None, told))
    return Completeness(complete, checks)
