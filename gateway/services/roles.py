"""Who of the staff may do what?

Roles are kept in the store and every change of them is in the log. Whoever asks goes
through `StaffDirectory`, so that a sign-in service (OIDC) can answer in place of the
local list without a change anywhere else.

Separation (三员, DOMAIN 8.1): who administers security does not review what was done
(compliance); an author never approves an own policy, whatever other roles they hold
(`gateway.policy.life`). While nobody holds a role, the operator at the local socket
may name the first security administrator, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.audit import EventName, LogValue
from gateway.model.errors import InvalidDocument, NotFound, NotPermitted
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import StaffRole, StaffStorage
from gateway.services.tell import STAFF, Teller

_NAME = re.compile(r"[\w][\w.@-]{0,63}")


class Role(StrEnum):
    SECURITY_ADMINISTRATOR = "security-administrator"
    POLICY_AUTHOR = "policy-author"
    POLICY_APPROVER = "policy-approver"
    UPPER_APPROVER = "upper-approver"  # approves for the level above, where a regional file widens
    COMPLIANCE_OFFICER = "compliance-officer"


ROLE_TITLES: dict[Role, str] = {
    Role.SECURITY_ADMINISTRATOR: "安全管理员 security administrator",
    Role.POLICY_AUTHOR: "策略起草人 policy author",
    Role.POLICY_APPROVER: "策略审批人 policy approver",
    Role.UPPER_APPROVER: "上级审批人 approver of the upper level",
    Role.COMPLIANCE_OFFICER: "合规审计员 compliance officer",
}
_APART = ({Role.SECURITY_ADMINISTRATOR, Role.COMPLIANCE_OFFICER},)


class StaffDirectory(Protocol):
    """The seam: who is this person, here and now? Answered by the local list, later by the sign-in service."""

    async def roles_of(self, name: str) -> frozenset[Role]: ...


class RoleMissing(NotPermitted):
    """The person does not hold a role that may do this."""

    code = "role-missing"


class LocalStaff:
    """The local list of roles: StaffDirectory, and the way to change it."""

    def __init__(self, *, storage: StaffStorage, teller: Teller, clock: Clock) -> None:
        self._storage, self._teller, self._clock = storage, teller, clock

    async def all(self) -> Sequence[StaffRole]:
        return await self._storage.staff_roles()

    async def roles_of(self, name: str) -> frozenset[Role]:
        return frozenset(Role(one.role) for one in await self._storage.staff_roles() if one.name == name)

    async def grant(self, name: str, role: str, *, by: str) -> StaffRole:
        """Give a role; only a security administrator may, or anybody at the socket while there is no staff at all.

        Raises InvalidDocument for a name or role that cannot be, RoleMissing for who may not,
        NotPermitted where two roles must be apart.
        """
        wanted, everyone = _role(role), await self._storage.staff_roles()
        if _NAME.fullmatch(name) is None:
            raise InvalidDocument("a name is up to 64 letters, digits, and .@-")
        if everyone:
            await require(self, by, Role.SECURITY_ADMINISTRATOR)
        elif wanted is not Role.SECURITY_ADMINISTRATOR:
            raise RoleMissing("there is no staff yet", remedy="name the first security administrator")
        held = {Role(one.role) for one in everyone if one.name == name}
        for apart in _APART:
            if wanted in apart and apart & held - {wanted}:
                raise NotPermitted("these two roles are never held by one person", remedy="name another person")
        granted = StaffRole(name, wanted.value, by, self._clock.now())
        if not await self._storage.grant_role(granted, [self._record(wanted, by, name, held, held | {wanted})]):
            raise NotPermitted("this person has the role already")
        return granted

    async def revoke(self, name: str, role: str, *, by: str) -> None:
        """Take a role away. The last security administrator stays, or nobody could name another."""
        wanted, everyone = _role(role), await self._storage.staff_roles()
        await require(self, by, Role.SECURITY_ADMINISTRATOR)
        administrators = [one for one in everyone if one.role == Role.SECURITY_ADMINISTRATOR]
        if wanted is Role.SECURITY_ADMINISTRATOR and [one.name for one in administrators] == [name]:
            raise NotPermitted("the last security administrator stays", remedy="name another one first")
        held = {Role(one.role) for one in everyone if one.name == name}
        if not await self._storage.revoke_role(
            name, wanted.value, [self._record(wanted, by, name, held, held - {wanted})]
        ):
            raise NotFound("this person does not have that role")

    def _record(self, role: Role, by: str, name: str, before: set[Role], after: set[Role]) -> PreparedRecord:
        values: dict[str, LogValue | None] = {
            "staff": self._teller.officer_handle(STAFF, name),
            "staff_role": role.value,
        }
        if before and after:
            event = EventName.STAFF_ROLE_CHANGED
            values["new_role" if role in after else "old_role"] = role.value
        else:
            event = EventName.STAFF_REMOVED if before else EventName.STAFF_ENROLLED
        return self._teller.event(event, self._clock.now(), values, actor=STAFF, officer=by)


async def require(staff: StaffDirectory, name: str, *roles: Role) -> frozenset[Role]:
    """The roles of a person who holds one of `roles`. Raises RoleMissing otherwise."""
    held = await staff.roles_of(name)
    if not held & set(roles):
        titles = " / ".join(ROLE_TITLES[role] for role in roles)
        raise RoleMissing(
            f"this takes the role: {titles}",
            remedy="act as somebody who has it (--as, HUTONG_OPERATOR), or have it granted: hutong role grant NAME ROLE",
        )
    return held


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as unknown:
        raise InvalidDocument(
            f"there is no role `{text[:40]}`", remedy=f"one of: {', '.join(role.value for role in Role)}"
        ) from unknown
