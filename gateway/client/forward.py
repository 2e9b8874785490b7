"""When may an agent tell its own system that a notice has arrived?

Only when the gateway's receipts verified and say that they answer exactly these
bytes. A refusal is final and says what to mend; overload, an outage or an
expired token is neither, and the same bytes go again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from gateway.client.agency import AgencyClient, Answered
from gateway.model.canonical import canonical_json
from gateway.model.errors import Problem, Tampered, Unavailable
from gateway.ports.submission import Pushed

TRY_AGAIN = frozenset({401, 408, 425, 429, 500, 502, 503, 504})


class Forward:
    """`gateway.ports.submission.Push` over one office's client."""

    def __init__(self, client: AgencyClient) -> None:
        self._client = client

    async def __call__(self, body: bytes, media_type: str, signature: str | None = None) -> Pushed:
        try:
            answer = await self._client.submit(body, media_type, signature=signature)
        except Answered as refused:
            code = refused.problem.get("code")
            if code is None or refused.status in TRY_AGAIN:  # without one, it is not the gateway that refused
                why = code or refused.problem.get("error") or f"status {refused.status}"
                raise Unavailable(
                    f"the gateway cannot take it now: {why}", remedy="the same bytes go again"
                ) from refused
            return Pushed(canonical_json(dict(refused.problem)), (), _problems(refused.problem, refused.status))
        digest = hashlib.sha256(body).hexdigest()
        notices: list[str] = []
        problems: list[Problem] = []
        gaps: list[Problem] = []
        for item in answer if isinstance(answer, list) else [answer]:
            if "receipt" not in item:
                problems.extend(_problems(item, int(item.get("status", 422))))
                continue
            claims = await self._client.verify_receipt(item["receipt"])
            # the client held a batch's answer as a whole against these bytes: a notice's own receipt names the notice alone
            is_ours = isinstance(answer, list) or claims.get("body_sha256") == digest
            if not is_ours or claims.get("type") != "accepted":
                raise Tampered("a receipt answers other bytes than were sent")
            notices.append(str(claims.get("notice", "")))
            gaps.extend(Problem.heard(gap) for gap in item.get("gaps", ()) if isinstance(gap, Mapping))
        if not notices and not problems:
            raise Tampered("the gateway answered without a receipt")
        return Pushed(canonical_json(answer), tuple(notices), tuple(problems), tuple(gaps))


def _problems(document: Mapping[str, Any], status: int) -> tuple[Problem, ...]:
    """Codes, positions and remedies; a refusal that names none still is one."""
    found = tuple(Problem.heard(problem) for problem in document.get("problems", ()) if isinstance(problem, Mapping))
    code = str(document.get("code", f"status-{status}"))
    return found or (Problem(code, "", str(document.get("title", "refused")), str(document.get("remedy", ""))),)
