"""What may compliance ask about emergency access, through the local socket?

The queue shows who looked into which case and why; a review is a second person's, with the role of
compliance officer. Nothing of the child is shown here.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.services.emergency import Emergency, EmergencyAccess
from gateway.services.roles import Role, StaffDirectory, require


def emergency_routes(access: EmergencyAccess, staff: StaffDirectory) -> list[web.RouteDef]:
    async def queue(request: web.Request) -> web.Response:
        await require(staff, operator_of(request), Role.COMPLIANCE_OFFICER)
        found = await access.queue(unreviewed=request.query.get("all") != "yes")
        return answer([_document(one) for one in found])

    async def review(request: web.Request) -> web.Response:
        by, document = operator_of(request), await document_of(request)
        await require(staff, by, Role.COMPLIANCE_OFFICER)
        reviewed = await access.review(
            request.match_info["emergency"], str(document.get("outcome", "")), str(document.get("finding", "")), by=by
        )
        return answer(_document(reviewed))

    return [
        web.get("/admin/v1/emergencies", queue),
        web.post("/admin/v1/emergencies/{emergency}/review", review),
    ]


def _document(one: Emergency) -> dict[str, Any]:
    grant = one.grant
    document: dict[str, Any] = {
        "emergency": grant.id,
        "office": grant.office,
        "case": grant.case,
        "granted_at": grant.granted_at.isoformat(),
        "until": grant.until.isoformat(),
        "reason_code": one.reason_code,
        "reason": one.reason,
        "owners": list(one.owners),
        "outcome": grant.outcome or "",
    }
    if grant.reviewed_at is not None:
        document |= {"reviewed_at": grant.reviewed_at.isoformat(), "reviewer": one.reviewer, "finding": one.finding}
    return document
