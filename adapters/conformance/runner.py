"""What must hold of every adapter (adapters/README.md, laws 1 to 7)?

Every check is a function of one `Trial`. They look at the adapter from outside, through the port alone; only the
manifest and reporter checks ask for what a `MappedAdapter` offers beyond it, and say so where it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.conformance.bodies import Body
from adapters.conformance.giving_out import determinism, manifest, reporter, round_trip, withheld
from adapters.conformance.report import Check
from adapters.conformance.taking_in import fuzz, holds, limits, outcomes, values
from adapters.conformance.trial import Judging, Releasing, Sample, Trial
from gateway.model.agency import Office
from gateway.model.identifiers import OfficeId, agency_of
from gateway.ports.translation import Adapter


def run(
    adapter: Adapter,
    releases: Releasing,
    bodies: Sequence[Body],
    samples: Sequence[Sample] = (),
    *,
    seed: int = 1,
    effort: int = 60,
    judge: Judging | None = None,
) -> list[Check]:
    """Try every check. Raises nothing: an adapter that raises has failed the check it raised in.

    `judge` says what intake has against a notice; without one that check is left out.
    """
    agency = str(adapter.agency or "community")
    office = Office(OfficeId(f"{agency}.440113"), "测试单位", adapter=adapter.name)
    conveyed = [body for body in bodies if body[0] in adapter.conveys]
    trial = Trial(adapter, office, releases, conveyed, tuple(samples), seed, effort, judge)
    outcome = []
    for name, zh, en, check_on in CHECKS:
        check = Check(name, zh, en)
        try:
            check_on(trial, check)
        except Exception as broken:  # noqa: BLE001 - whatever a foreign adapter raises is the finding
            check.find(name, f"raised {type(broken).__name__}")
        outcome.append(check)
    return outcome


def _declarations(trial: Trial, check: Check) -> None:
    adapter = trial.adapter
    check.tried = 5
    if not adapter.name or adapter.name != adapter.name.lower():
        check.find("name", "a name is lower case and not empty")
    if adapter.agency is not None and agency_of(trial.office.id) != adapter.agency:
        check.find("agency", "the agency is no part of an office id")
    if not adapter.media_types or any("/" not in kind for kind in adapter.media_types):
        check.find("media_types", "at least one media type, each of the form type/subtype")
    if not adapter.sends:
        check.find("sends", "an adapter that sends nothing has no use")
    known = {kind for kind, _ in trial.bodies}
    for kind in sorted(adapter.conveys - known):
        check.find(f"conveys {kind}", "no example body of this type could be tried")


CHECKS: Sequence[tuple[str, str, str, Callable[[Trial, Check], None]]] = (
    ("declares", "自述完整", "says what it is, sends and conveys", _declarations),
    ("three-outcomes", "三种结果，各有位置与改法", "accepts, accepts with gaps, or refuses with remedy", outcomes),
    ("holds", "报文为网关所接收", "intake takes what the samples say", holds),
    ("no-values-in-gaps", "缺口不含原值", "no value of a message in gaps and refusals", values),
    ("round-trip", "写出再读回不变", "decode(encode(x)) = x for every type it conveys", round_trip),
    ("withheld-is-absent", "不予提供即不出现", "a withheld field is absent", withheld),
    ("reporter-to-vault", "报告人只入保险库", "the reporter goes to the vault and nowhere else", reporter),
    ("deterministic", "同样输入同样输出", "equal input, equal output", determinism),
    ("fuzz", "损坏输入不抛错、不超时、不泄露", "no exception, no hang and nothing told on damaged bytes", fuzz),
    ("limits", "超限即拒", "what is too large or too deep is refused soon", limits),
    ("manifest", "损失清单属实", "loses only what its manifest lists", manifest),
)
