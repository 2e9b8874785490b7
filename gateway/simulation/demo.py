"""Eight agencies exchange scenario S1 against a real gateway: who saw what, in which form, and why?

The answer is not what the story expects but what the exchange log says was
disclosed, beside what each system read in its own format. A promise that does not hold
makes the demo fail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.simulation.agency_system import AgencySystem
from gateway.simulation.scenario_s1 import STEPS, Step


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One `disclosure_decided` record of the log: fields with their forms, and the rules that granted them."""

    office: str
    notice: str
    type: str
    forms: Mapping[str, str]
    rules: Sequence[str]
    limits: Sequence[str]


@dataclass(slots=True)
class Outcome:
    """What the demo shows. `failures` is empty when every promise held."""

    systems: Mapping[str, AgencySystem]
    disclosures: list[Disclosure] = field(default_factory=list)
    is_log_verified: bool = False
    log_size: int = 0
    log_root: str = ""
    failures: list[str] = field(default_factory=list)


async def play(
    systems: Mapping[str, AgencySystem], tell: Callable[[Step, Mapping[str, Any]], None], start: datetime
) -> None:
    """Play the story: before each step its office fetches what waits for it, so that it answers what it got."""
    for number, step in enumerate(STEPS, 1):
        system = systems[step.office]
        await system.fetch()
        data = dict(step.data)
        subject = ""
        if step.answers:
            answered = system.last(step.answers)
            data[step.link] = answered.reference
            subject = answered.case
        at = start + timedelta(minutes=number)
        receipt = await system.send(
            step.name, step.type, data, number=f"S1-{step.office.split('.')[0]}-{number:02d}", subject=subject, at=at
        )
        tell(step, receipt)
    for system in systems.values():
        await system.fetch()


async def judge(
    outcome: Outcome,
    search: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]],
    verify: Callable[[], Awaitable[tuple[bool, int, str]]],
) -> None:
    """Read the log, verify it, and hold the story's promises against it and against what each system received."""
    types = {
        system.sent[step.name]["notice"]: step.type
        for step in STEPS
        for system in [outcome.systems[step.office]]
        if step.name in system.sent
    }
    for record in await search("disclosure_decided"):
        envelope = record["envelope"]
        outcome.disclosures.append(
            Disclosure(
                office=envelope["recipient"],
                notice=envelope["notice"],
                type=types.get(envelope["notice"], ""),
                forms=dict(envelope.get("fields", ())),
                rules=envelope.get("because", ()),
                limits=envelope.get("limits", ()),
            )
        )
    outcome.disclosures.reverse()
    outcome.is_log_verified, outcome.log_size, outcome.log_root = await verify()
    outcome.failures += list(_broken_promises(outcome))


def _broken_promises(outcome: Outcome) -> Sequence[str]:
    """S1's *must not see* and *prove*, as facts about bytes and log."""
    broken = []
    if not outcome.is_log_verified:
        broken.append("the log does not verify")
    told = {disclosure.office for disclosure in outcome.disclosures}
    for office, system in outcome.systems.items():
        took_part = bool(system.sent) and (office in told or bool(system.received))
        if not took_part:
            broken.append(f"{office} sent or received nothing")

    def saw(office: str, needle: str) -> bool:
        return any(
            needle.encode() in item.native or needle in str(item.data) for item in outcome.systems[office].received
        )

    if not saw("police.440113", "999999201503010016"):
        broken.append("the police did not get the child's identity with the report")
    for office, needle, what in (
        ("education.440113", "瘀伤", "the school side saw injuries"),
        ("education.440113", "李测甲", "the school side saw the suspect"),
        ("education.440113", "保护中心测试地址", "the school side saw the placement address"),
        ("womens_federation.440113", "999999201503010016", "the women's federation saw an identity number"),
        ("womens_federation.440113", "保护中心测试地址", "the women's federation saw the placement address"),
        ("judiciary.440113", "瘀伤", "the justice bureau saw injuries"),
    ):
        if saw(office, needle):
            broken.append(what)
    return broken


def document(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON: per agency what it received, in which forms, by which rules; and the log."""
    agencies = {}
    for office, system in outcome.systems.items():
        received = [
            {
                "type": item.type,
                "reference": item.reference,
                "content_type": item.content_type,
                "bytes": len(item.native),
            }
            for item in system.received
        ]
        disclosed = [
            {"type": one.type, "fields": dict(one.forms), "rules": list(one.rules), "limits": list(one.limits)}
            for one in outcome.disclosures
            if one.office == office
        ]
        agencies[office.split(".")[0]] = {
            "office": office,
            "name": system.office.name_zh,
            "sent": [step.type for step in STEPS if step.name in system.sent],
            "received": received,
            "disclosed": disclosed,
        }
    return {
        "scenario": "S1",
        "agencies": agencies,
        "log": {"verified": outcome.is_log_verified, "size": outcome.log_size, "root": outcome.log_root},
        "failures": outcome.failures,
    }
