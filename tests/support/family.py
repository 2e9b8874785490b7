"""Composed persons with identities nobody has: area prefix 999999, valid check digits, ages as of today."""

from __future__ import annotations

import json
from datetime import date, timedelta

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def identity(born: date, serial: int = 2) -> str:
    """A citizen's number of 18 places (GB 11643)."""
    body = f"999999{born:%Y%m%d}{serial:03}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def born(years: int) -> date:
    """The birthday of somebody who became so many years old about half a year ago."""
    day = date.today() - timedelta(days=180)
    return date(day.year - years, day.month, min(day.day, 28))


def person(ref: str, *roles: str, years: int, name: str, serial: int = 2, **said) -> dict:
    birth = born(years)
    return {
        "ref": ref,
        "roles": list(roles),
        "name": name,
        "id_type": "ID",
        "id_no": identity(birth, serial),
        "birth_date": birth.isoformat(),
        "sex": str(1 + (serial + 1) % 2),
        **said,
    }


def notice(kind: str, sender: str, number: object, data: dict, subject: str = "") -> bytes:
    """A canonical notice as its sender writes it."""
    event = {
        "specversion": "1.0",
        "id": f"n-{number}",
        "source": f"urn:hutong:office:{sender}",
        "type": f"hutong.notice.{kind}.v1",
        "data": data,
    }
    if subject:
        event["subject"] = subject
    return json.dumps(event, ensure_ascii=False).encode()
