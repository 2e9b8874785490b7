"""What may staff ask about policies and roles, through the local socket?

The same functions as on the command line. Who may do what is decided by the services,
by the roles of the person the client names (`Hutong-Operator`); who may open the socket
can give any name until sign-in comes, which is why every step is logged with it.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, files_of, instant_of, operator_of
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import EventId, NoticeId
from gateway.policy import answers
from gateway.policy.compiled import Policy
from gateway.policy.life import PolicyVersion
from gateway.policy.replay import Simulation
from gateway.services.administer_policies import AdministerPolicies, Submitted
from gateway.services.govern import Policies
from gateway.services.preview import Preview, Previewed, Seen
from gateway.services.replay import Replayed, Replays
from gateway.services.replay_routing import ReplayRouting, RoutedThen
from gateway.services.roles import ROLE_TITLES, LocalStaff, Role
from gateway.services.stale_grants import DEFAULT_DAYS, StaleGrants

MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class PolicyServices:
    administer: AdministerPolicies
    policies: Policies
    replays: Replays
    replay_routing: ReplayRouting
    preview: Preview
    staff: LocalStaff
    stale_grants: StaleGrants


def policy_routes(services: PolicyServices) -> list[web.RouteDef]:
    admin = _PolicyAdmin(services)
    return [
        web.get("/admin/v1/policies", admin.list),
        web.post("/admin/v1/policies", admin.submit),
        web.post("/admin/v1/policies:simulate", admin.simulate),
        web.post("/admin/v1/policies:preview", admin.preview),
        web.get("/admin/v1/policies:stale-grants", admin.stale),
        web.get("/admin/v1/policies/{policy}", admin.show),
        web.get("/admin/v1/policies/{policy}/files", admin.files),
        web.post("/admin/v1/policies/{policy}/approval", admin.approve),
        web.post("/admin/v1/policies/{policy}/rejection", admin.reject),
        web.post("/admin/v1/policies/{policy}/activation", admin.activate),
        web.post("/admin/v1/policies/{policy}/rollback", admin.rollback),
        web.post("/admin/v1/policies/{policy}/retirement", admin.retire),
        web.get("/admin/v1/replays/{event}", admin.replay),
        web.get("/admin/v1/roles", admin.roles),
        web.post("/admin/v1/roles", admin.grant),
        web.delete("/admin/v1/roles/{name}/{role}", admin.revoke),
    ]


class _PolicyAdmin:
    def __init__(self, services: PolicyServices) -> None:
        self._services = services

    async def list(self, request: web.Request) -> web.Response:
        versions = await self._services.administer.versions(by=operator_of(request))
        current = await self._services.administer.in_force()
        return answer([{**version_document(one), "in_force": one.policy == current} for one in versions])

    async def show(self, request: web.Request) -> web.Response:
        await self._services.administer.versions(by=operator_of(request))
        return answer(version_document(await self._services.administer.version(request.match_info["policy"])))

    async def files(self, request: web.Request) -> web.Response:
        policy = request.match_info["policy"]
        return answer(await self._services.administer.files(policy, by=operator_of(request)))

    async def submit(self, request: web.Request) -> web.Response:
        document = await document_of(request)
        made = await self._services.administer.submit(
            files_of(document), by=operator_of(request), note=str(document.get("note", ""))[:200]
        )
        return answer(_submitted(made), 201)

    async def approve(self, request: web.Request) -> web.Response:
        after = await self._services.administer.approve(request.match_info["policy"], by=operator_of(request))
        return answer(version_document(after))

    async def reject(self, request: web.Request) -> web.Response:
        after = await self._services.administer.reject(request.match_info["policy"], by=operator_of(request))
        return answer(version_document(after))

    async def activate(self, request: web.Request) -> web.Response:
        document = await document_of(request)
        at = document.get("effective_from")
        after = await self._services.administer.activate(
            request.match_info["policy"], by=operator_of(request), at=None if at is None else instant_of(str(at))
        )
        return answer(version_document(after))

    async def rollback(self, request: web.Request) -> web.Response:
        after = await self._services.administer.rollback(request.match_info["policy"], by=operator_of(request))
        return answer(version_document(after))

    async def retire(self, request: web.Request) -> web.Response:
        after = await self._services.administer.retire(request.match_info["policy"], by=operator_of(request))
        return answer(version_document(after))

    async def stale(self, request: web.Request) -> web.Response:
        days = request.query.get("days", str(DEFAULT_DAYS))
        if not days.isdecimal() or not 0 < int(days) <= MOST_DAYS:
            raise InvalidDocument(f"`days` is a number up to {MOST_DAYS}")
        rules = await self._services.stale_grants(int(days), by=operator_of(request))
        return answer([{"rule": rule.id, "title": str(rule.title), "citation": list(rule.citation)} for rule in rules])

    async def replay(self, request: web.Request) -> web.Response:
        """Of a disclosure, or of the routing of an accepted notice."""
        event = EventId(request.match_info["event"])
        routed = await self._services.replay_routing(event, by=operator_of(request))
        if routed is not None:
            return answer(_routed(routed))
        return answer(_replayed(await self._services.replays.replay(event, by=operator_of(request))))

    async def simulate(self, request: web.Request) -> web.Response:
        document, by = await document_of(request), operator_of(request)
        since, most = document.get("since"), document.get("most", 10_000)
        if type(most) is not int or not 0 < most <= 100_000:
            raise InvalidDocument("`most` is a number up to 100000")
        found = await self._services.replays.simulate(
            await self._policy(document, by), by=by, since=None if since is None else instant_of(str(since)), most=most
        )
        return answer(_simulation(found))

    async def preview(self, request: web.Request) -> web.Response:
        document, by = await document_of(request), operator_of(request)
        recipients = document.get("recipients")
        if not isinstance(recipients, list) or not 1 <= len(recipients) <= 8:
            raise InvalidDocument("`recipients` names one to eight offices")
        policy, names = await self._policy(document, by), [str(one) for one in recipients]
        if "notice" in document:
            found = await self._services.preview.stored(NoticeId(str(document["notice"])), names, policy, by=by)
        else:
            try:
                body = b64decode(str(document["body_base64"]), validate=True)
                media_type, sender = str(document["media_type"]), str(document["sender"])
            except (KeyError, NotBase64, ValueError) as broken:
                raise InvalidDocument("a preview takes `notice`, or `body_base64`, `media_type`, `sender`") from broken
            found = await self._services.preview.message(body, media_type, sender, names, policy, by=by)
        return answer(_previewed(found))

    async def roles(self, _request: web.Request) -> web.Response:
        return answer(
            [
                {
                    "name": one.name,
                    "role": one.role,
                    "title": ROLE_TITLES[Role(one.role)],
                    "granted_by": one.granted_by,
                    "granted_at": one.granted_at.isoformat(),
                }
                for one in await self._services.staff.all()
            ]
        )

    async def grant(self, request: web.Request) -> web.Response:
        document = await document_of(request)
        made = await self._services.staff.grant(
            str(document.get("name", "")), str(document.get("role", "")), by=operator_of(request)
        )
        return answer({"name": made.name, "role": made.role}, 201)

    async def revoke(self, request: web.Request) -> web.Response:
        name, role = request.match_info["name"], request.match_info["role"]
        await self._services.staff.revoke(name, role, by=operator_of(request))
        return answer({"name": name, "role": role, "revoked": True})

    async def _policy(self, document: Mapping[str, Any], by: str) -> Policy:
        """The draft that came along, a pack of the store, or what is in force."""
        if "files" in document:
            return await self._services.administer.draft(files_of(document), by=by)
        if "policy" in document:
            return await self._services.administer.policy_of(str(document["policy"]), by=by)
        return self._services.policies.current()


def version_document(version: PolicyVersion) -> dict[str, Any]:
    start = version.effective_from
    return {
        "policy": version.policy,
        "state": version.state.value,
        "region": version.region,
        "author": version.author,
        "approvers": list(version.approvers),
        "widens": version.widens,
        "effective_from": None if start is None else start.isoformat(),
        "steps": [
            {"state": step.state.value, "by": step.by, "at": step.at.isoformat(), "note": step.note}
            for step in version.steps
        ],
    }


def _submitted(made: Submitted) -> dict[str, Any]:
    told = answers.cases(made.cases, made.policy)
    return {**version_document(made.version), "decides_as": made.policy.hash, "cases": told}


def _replayed(found: Replayed) -> dict[str, Any]:
    return {
        "event": found.event,
        "at": found.at.isoformat(),
        "recipient": found.recipient,
        "purpose": found.purpose,
        "policy": found.policy,
        "facts": dict(found.facts),
        "fields": dict(found.fields),
        "because": list(found.because),
        "limits": list(found.limits),
        "holds": found.holds,
        "same_outcome": found.same_outcome,
        "undecidable": found.undecidable,
        "differences": [{"field": one.field, "recorded": one.recorded, "now": one.now} for one in found.differences],
    }


def _routed(found: RoutedThen) -> dict[str, Any]:
    return {
        "event": found.event,
        "at": found.at.isoformat(),
        "notice": found.notice,
        "type": found.type,
        "policy": found.policy,
        "tables": found.tables,
        "rules": [
            {
                "id": one.id,
                "zh": "" if one.rule is None else one.rule.title_zh,
                "en": "" if one.rule is None else one.rule.title_en,
                "citation": [] if one.rule is None else list(one.rule.citation),
                "holds": one.holds.value,
                "recipients": list(one.offices),
            }
            for one in found.rules
        ],
        "holds": found.holds,
        "undecidable": found.undecidable,
    }


def _simulation(found: Simulation) -> dict[str, Any]:
    return {
        "records": found.records,
        "changed": [one.id for one in found.changed],
        "undecidable": [one.id for one in found.undecidable],
        "no_longer_delivered": found.no_longer_delivered,
        "newly_delivered": found.newly_delivered,
        "fields": [{"field": one, "more": more, "less": less} for one, (more, less) in sorted(found.by_field.items())],
    }


def _previewed(found: Previewed) -> dict[str, Any]:
    return {"type": found.type, "policy": found.policy, "recipients": [_seen(one) for one in found.seen]}


def _seen(one: Seen) -> dict[str, Any]:
    return {
        "recipient": one.recipient,
        "routed": one.is_routed,
        "delivers": one.delivers,
        "purpose": one.purpose,
        "role": one.role,
        "facts": dict(one.facts),
        "obligations": list(one.obligations),
        "because": list(one.because),
        "cut_by": list(one.cut_by),
        "fields": {
            name: {"form": seen.form, "because": list(seen.because), "cut_by": list(seen.cut_by)}
            for name, seen in one.fields.items()
        },
        "body": one.body,
    }
