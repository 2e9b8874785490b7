"""How do compliance officers see who may be one person, and say what they find, through the local socket? Persons are named in
the body, never in a path; nothing here tells a value. No office has a way here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.model.errors import InvalidDocument
from gateway.ports.person_storage import PersonPair
from gateway.services.join_persons import JoinPersons
from gateway.services.propose_joining import Proposal, Proposed, ProposeJoining


@dataclass(frozen=True, slots=True)
class PersonServices:
    propose: ProposeJoining
    join: JoinPersons


def person_routes(services: PersonServices) -> list[web.RouteDef]:
    async def proposals(request: web.Request) -> web.Response:
        document = await document_of(request)
        after, limit = document.get("after", ""), document.get("limit", 50)
        if not isinstance(after, str) or type(limit) is not int:
            raise InvalidDocument("`after` is text, `limit` a number")
        found = await services.propose(after, limit, by=operator_of(request))
        return answer({"proposals": [_proposal(one) for one in found.proposals], "after": found.after})

    async def joined(request: web.Request) -> web.Response:
        return answer([_pair(pair) for pair in await services.propose.joined(by=operator_of(request))])

    def find(act: Callable[..., Awaitable[PersonPair]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def found(request: web.Request) -> web.Response:
            document = await document_of(request)
            values = [document.get(name) for name in ("first", "second", "reason")]
            if not all(isinstance(value, str) and value for value in values):
                raise InvalidDocument("`first`, `second` and `reason` are given")
            pair = await act(*values, by=operator_of(request))
            contradictions = await services.propose.contradictions(pair)
            return answer({**_pair(pair), "contradictions": list(contradictions)})

        return found

    return [
        web.post("/admin/v1/persons/proposals", proposals),
        web.get("/admin/v1/persons/joined", joined),
        web.post("/admin/v1/persons/joining", find(services.join.join)),
        web.post("/admin/v1/persons/parting", find(services.join.part)),
        web.post("/admin/v1/persons/declining", find(services.join.decline)),
    ]


def _proposal(one: Proposal) -> dict[str, Any]:
    return {
        "first": _person(one.first),
        "second": _person(one.second),
        "contradictions": list(one.contradictions),
        "asked_by": one.asked_by,
    }


def _person(one: Proposed) -> dict[str, Any]:
    return {
        "person": one.person,
        "same_person": list(one.same),
        "agencies": sorted({told.sender.split(".")[0] for told in one.notices}),
        "notices": [
            {
                "notice": told.notice,
                "type": told.type,
                "sender": told.sender,
                "received_at": told.received_at.isoformat(),
            }
            for told in one.notices
        ],
    }


def _pair(pair: PersonPair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "state": pair.state.value,
        "officers": [officer for officer in (pair.asked_by, pair.confirmed_by) if officer],
        "reason": pair.reason,
        "at": pair.at.isoformat(),
    }
