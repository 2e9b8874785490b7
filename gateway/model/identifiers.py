"""Which words name a thing, and what does a well-formed one look like?

Ids are opaque text to everyone but the engine that made them. An office id is
`<agency>.<division>[.<suffix>]`, for instance `police.440113` or
`education.440113.zhongxin-school`; its URN is what CloudEvents carries in
`source`.
"""

from __future__ import annotations

import re
from typing import NewType

OfficeId = NewType("OfficeId", str)
AgencyName = NewType("AgencyName", str)
DivisionCode = NewType("DivisionCode", str)
NoticeType = NewType("NoticeType", str)  # DOMAIN 3.2, e.g. RPT-M
NoticeId = NewType("NoticeId", str)  # UUIDv7, made by the gateway
DeliveryId = NewType("DeliveryId", str)  # random: two recipients cannot join on it
CaseId = NewType("CaseId", str)
PersonId = NewType("PersonId", str)
EventId = NewType("EventId", str)
KeyId = NewType("KeyId", str)
PolicyHash = NewType("PolicyHash", str)
FieldId = NewType("FieldId", str)  # `minor.name`, `harm.narrative`: see schemas/crosswalk.yaml
RuleId = NewType("RuleId", str)


class Operator(str):
    """Who acts at the local socket: the name as claimed, which roles are held under, with the account that the kernel vouches for."""

    account: str

    def __new__(cls, name: str, account: str) -> Operator:
        made = super().__new__(cls, name)
        made.account = account
        return made


OFFICE_URN_PREFIX = "urn:hutong:office:"
GATEWAY_URN = "urn:hutong:gateway"

_OFFICE_ID = re.compile(
    r"(?P<agency>[a-z][a-z_]{1,31})\.(?P<division>[0-9]{6}|[0-9]{9}|[0-9]{12})(?:\.(?P<suffix>[a-z0-9][a-z0-9-]{0,31}))?"
)


def parse_office_id(text: str) -> OfficeId:
    """Check that `text` is an office id and return it.

    Raises ValueError, naming the expected form and never the text itself.
    """
    if _OFFICE_ID.fullmatch(text) is None:
        raise ValueError("an office id has the form agency.division[.suffix], for instance police.440113")
    return OfficeId(text)


def agency_of(office: OfficeId) -> AgencyName:
    return AgencyName(office.split(".", 1)[0])


def division_of(office: OfficeId) -> DivisionCode:
    return DivisionCode(office.split(".", 2)[1])


def office_urn(office: OfficeId) -> str:
    return OFFICE_URN_PREFIX + office


def office_of_urn(urn: str) -> OfficeId:
    """The office that a CloudEvents `source` names; ValueError when it names none."""
    if not urn.startswith(OFFICE_URN_PREFIX):
        raise ValueError("a source has the form urn:hutong:office:agency.division")
    return parse_office_id(urn.removeprefix(OFFICE_URN_PREFIX))
