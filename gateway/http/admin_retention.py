"""What may staff ask about erasures and legal holds, through the local socket? A person is named in the body, never in a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.model.errors import InvalidDocument
from gateway.ports.retention_storage import Erasure
from gateway.services.erase import Erase, LegalHolds


@dataclass(frozen=True, slots=True)
class RetentionServices:
    erase: Erase
    legal_holds: LegalHolds


def retention_routes(services: RetentionServices) -> list[web.RouteDef]:
    async def ask(request: web.Request) -> web.Response:
        person, authority = await _asked(request)
        made = await services.erase.ask(person, authority=authority, by=operator_of(request))
        same = [] if made.person is None else await services.erase.same_as(made.person)
        return answer({**_erasure(made), "same_person": list(same)}, 201)

    async def approve(request: web.Request) -> web.Response:
        done = await services.erase.approve(request.match_info["erasure"], by=operator_of(request))
        return answer(
            {
                "erasure": done.erasure,
                "records": done.records,
                "keys": done.keys,
                "raw_bodies": done.raw_bodies,
                "shared_notices": done.shared,
            }
        )

    async def waiting(_request: web.Request) -> web.Response:
        return answer([_erasure(one) for one in await services.erase.waiting()])

    async def set_hold(request: web.Request) -> web.Response:
        person, authority = await _asked(request)
        hold = await services.legal_holds.set(person, authority=authority, by=operator_of(request))
        return answer({"hold": hold.id, "authority": hold.authority, "set_at": hold.set_at.isoformat()}, 201)

    async def standing(request: web.Request) -> web.Response:
        holds = await services.legal_holds.standing(by=operator_of(request))
        return answer([
            {"hold": one.id, "person": one.person, "authority": one.authority, "set_by": one.set_by,
             "set_at": one.set_at.isoformat()} for one in holds
        ])  # fmt: skip

    async def lift_hold(request: web.Request) -> web.Response:
        await services.legal_holds.lift(request.match_info["hold"], by=operator_of(request))
        return answer({"lifted": True})

    return [
        web.get("/admin/v1/erasures", waiting),
        web.post("/admin/v1/erasures", ask),
        web.post("/admin/v1/erasures/{erasure}/approval", approve),
        web.get("/admin/v1/legal-holds", standing),
        web.post("/admin/v1/legal-holds", set_hold),
        web.post("/admin/v1/legal-holds/{hold}/lifting", lift_hold),
    ]


async def _asked(request: web.Request) -> tuple[str, str]:
    document = await document_of(request)
    person, authority = document.get("person"), document.get("authority")
    if not isinstance(person, str) or not isinstance(authority, str) or not person or not authority:
        raise InvalidDocument("`person` and `authority` are needed")
    return person, authority


def _erasure(erasure: Erasure) -> dict[str, Any]:
    return {
        "erasure": erasure.id,
        "authority": erasure.authority,
        "asked_by": erasure.asked_by,
        "asked_at": erasure.asked_at.isoformat(),
        "approved_by": erasure.approved_by,
    }
