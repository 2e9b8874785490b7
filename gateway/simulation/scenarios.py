"""Which messages does a synthetic case consist of, and in which formats?

Case K under a seed is always the same: a scenario of DOMAIN 7 by turn (S1, S2, S4, S10, and S11 with one edge
after the other), its family, and the messages of the agencies that take part, each in its own native format. Every case
of S11 is told by all eight agencies; in the others those speak that speak in the story. Health writes HL7 v2, and the same
report once more as FHIR and CDA through the adapters' own writers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from adapters.health import ADAPTER as HEALTH
from adapters.kit.adapter import Outgoing
from gateway.model.identifiers import NoticeType
from gateway.simulation import native_government, native_registers
from gateway.simulation.families import S11_EDGES, TODAY, Edge, Family, Individual, make_family, with_state
from gateway.simulation.telling import CHINA, Caller, Event, NativeFile, Telling

WRITERS: Mapping[str, Callable[[Telling], NativeFile]] = {
    "civil_affairs": native_government.civil_affairs,
    "police": native_government.police,
    "education": native_registers.education,
    "health": native_registers.health,
    "judiciary": native_government.judiciary,
    "courts": native_government.courts,
    "procuratorate": native_government.procuratorate,
    "womens_federation": native_registers.womens_federation,
}

# Per scenario: who says what, in the order of the story.
STORIES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "S1": (
        ("health", "MR"), ("police", "CZ"), ("civil_affairs", "LSJH"), ("courts", "RSBHL"), ("judiciary", "FY_JG"),
        ("education", "强制报告"), ("womens_federation", "登记"), ("procuratorate", "DCJH"), ("courts", "CXPJ"),
    ),
    "S2": (
        ("civil_affairs", "LED_ADD"), ("education", "缺课"), ("police", "WCNRTB"), ("civil_affairs", "WTZH"),
        ("womens_federation", "登记"), ("procuratorate", "JCJY"),
    ),
    "S4": (
        ("judiciary", "JHR_ZY"), ("civil_affairs", "LED_CHG"), ("police", "WCNRTB"), ("education", "转学"), ("health", "LED"),
        ("judiciary", "JHR_SF"), ("procuratorate", "CXJH"),
    ),
    "S10": (("police", "WCNRTB"), ("health", "MR"), ("civil_affairs", "LSJH"), ("procuratorate", "SFJZ"), ("womens_federation", "登记")),
    "S11": (
        ("health", "MR"), ("police", "WCNRTB"), ("civil_affairs", "LED_ADD"), ("education", "强制报告"),
        ("womens_federation", "登记"), ("judiciary", "JHR_JD"), ("courts", "RSBHL"), ("procuratorate", "QZBG"),
    ),
}  # fmt: skip
_TURNS = ("S11", "S1", "S11", "S2", "S11", "S4", "S11", "S10")
_MATTERS = ("家暴", "家暴、心理", "监护、教育")
_NARRATIVES = {
    "S1": "接诊时见躯干及四肢多处新旧瘀伤，陪同人说法前后不一。",
    "S2": "与祖辈同住，祖母患病，连续九天未到校。",
    "S4": "母亲服刑、父亲失联，由邻居临时照看。",
    "S10": "列车站候车室发现，身边无人，无法说明身份。",
    "S11": "邻居多次听到哭喊，入户见儿童独自在家。",
}
_FACTS = {  # harm flag, difficulty, urgency, risk
    "S1": ("M4", "D21", 2, "红"),
    "S2": ("M6", "D31", 1, "黄"),
    "S4": ("M6", "D11", 0, "蓝"),
    "S10": ("M7", "D0", 2, "红"),
    "S11": ("M4", "D21", 1, "黄"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One native file of a case. `name` is unique under its seed."""

    case: int
    scenario: str
    edge: Edge
    agency: str
    kind: str
    name: str
    file: NativeFile


def make_case(seed: int, number: int) -> tuple[str, Family, Event]:
    """The scenario, family and event of case `number`, counted from 0."""
    scenario = _TURNS[number % len(_TURNS)]
    edge = S11_EDGES[number // 2 % len(S11_EDGES)] if scenario == "S11" else Edge.NONE
    family = make_family(seed, number, edge, foundling=scenario == "S10")
    if scenario == "S4":
        family = replace(with_state(with_state(family, "52", "服刑"), "51", "失踪"), guardian=2)
    rng = random.Random(f"hutong-event:{seed}:{number}")  # noqa: S311 - as in `families`
    m_flag, difficulty, urgency, risk = _FACTS[scenario]
    happened = datetime.combine(TODAY, datetime.min.time(), CHINA) + timedelta(
        days=number % 250, minutes=rng.randrange(1440)
    )
    event = Event(
        happened=happened.replace(second=0),
        m_flag=m_flag,
        difficulty=difficulty,
        urgency=urgency,
        matter=_MATTERS[number % len(_MATTERS)],
        narrative=_NARRATIVES[scenario],
        caller=Caller(
            f"测试报告人{number}", f"1000001{rng.randrange(10_000):04d}", rng.choice(("邻居", "祖母", "老师"))
        ),
        months=(f"2025-{rng.randint(1, 12):02d}", f"2028-{rng.randint(1, 12):02d}"),
        risk=risk,
    )
    return scenario, family, event


def messages(seed: int, cases: int, agency: str | None = None) -> Iterator[Message]:
    """The native files of the first `cases` cases under a seed, of all agencies or of one."""
    for number in range(cases):
        scenario, family, event = make_case(seed, number)
        for step, (sender, kind) in enumerate(STORIES[scenario]):
            if agency is not None and sender != agency:
                continue
            at = event.happened + timedelta(minutes=30 * (step + 1))
            telling = Telling(family, event, sender, kind, f"{scenario}-{seed}-{number}-{step}", at)
            written = [WRITERS[sender](telling)]
            if (sender, kind) == ("health", "MR"):
                written += _other_health_formats(telling)
            for file in written:
                name = f"{number:05d}-{scenario}-{step:02d}{file.ending}"
                yield Message(number, scenario, family.edge, sender, kind, name, file)


def _other_health_formats(telling: Telling) -> Iterator[NativeFile]:
    data = hospital_report(telling.family, telling.event)
    for media_type, ending in (
        ("application/fhir+json", ".health.fhir.json"),
        ("application/cda+xml", ".health.cda.xml"),
    ):
        outgoing = Outgoing(NoticeType("RPT-M"), f"{telling.number}{ending[7:11]}", "", telling.at)
        written = HEALTH.write_native(data, outgoing, media_type, {"name": telling.event.caller.name})
        yield NativeFile(written.body, written.media_type, ending)


def hospital_report(family: Family, event: Event) -> dict[str, object]:
    """The canonical body of the hospital's report about the first child of the family."""
    child = {"ref": "p1", "roles": ["minor"], **_described(family.child)}
    child["residence"] = {"region": family.region[:9], "address": family.address}
    kin = [
        {"ref": f"p{n}", "roles": ["guardian"], "of": "p1", **_described(one)}
        for n, one in enumerate(family.kin[:2], 2)
    ]
    return {
        "urgency": event.urgency,
        "immediate_danger": event.urgency == 2,
        "discovered_at": event.happened.isoformat(),
        "persons": [child, *kin],
        "harm": {"m_flags": [event.m_flag], "injury": {"codes": ["T74.1"], "text": event.narrative}},
        "report": {"reporter_role": "doctor", "noticed_at": event.happened.isoformat()},
    }


def _described(one: Individual) -> dict[str, object]:
    is_sound = len(one.id_no) == 18 and one.id_no.isascii()
    known: dict[str, object] = {
        "name": one.name, "alias": one.alias, "sex": one.sex, "birth_date": one.born, "relation": one.relation, "phone": one.phone,
    }  # fmt: skip
    if is_sound:
        known |= {"id_type": "ID", "id_no": one.id_no.upper()}
    return {name: value for name, value in known.items() if value}


def write_all(folder: Path, seed: int, cases: int, agency: str | None = None) -> list[dict[str, object]]:
    """Write the files and `cases.json`, which says what each is; returns what it says."""
    folder.mkdir(parents=True, exist_ok=True)
    listed: list[dict[str, object]] = []
    for message in messages(seed, cases, agency):
        (folder / message.name).write_bytes(message.file.body)
        listed.append(
            {
                "file": message.name, "case": message.case, "scenario": message.scenario, "edge": message.edge.value,
                "agency": message.agency, "kind": message.kind, "media_type": message.file.media_type,
            }
        )  # fmt: skip
    document = json.dumps({"seed": seed, "cases": cases, "messages": listed}, ensure_ascii=False, indent=1)
    (folder / "cases.json").write_text(document + "\n", encoding="utf-8")
    return listed
