"""What has one agency's system to say about a synthetic case, before it is written in any format?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from gateway.simulation.families import Family

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who told the agency. Belongs into the reporter vault, nowhere else."""

    name: str
    phone: str
    relation: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the family, in the words and codes of DOMAIN 2.0. `months` are a custody's first and last."""

    happened: datetime
    m_flag: str
    difficulty: str
    urgency: int
    matter: str
    narrative: str
    caller: Caller
    months: tuple[str, str]
    risk: str


@dataclass(frozen=True, slots=True)
class Telling:
    """One message to be written: `kind` is the native kind, `number` the sender's message number, `at` when it is sent."""

    family: Family
    event: Event
    agency: str
    kind: str
    number: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NativeFile:
    """Bytes as an agency's system sends them. `ending` is what the file is called after its name."""

    body: bytes
    media_type: str
    ending: str
