"""How does an office on duty ask for emergency access?

`POST /v1/emergency-access` answers with the grant alone: what may be seen comes through the office's inbox, like
everything else. The officer travels in `Hutong-Officer`, as on every call.
"""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import member_text, read_json_object
from gateway.http.services import EmergencyLike
from gateway.http.settings import HttpSettings
from gateway.model.canonical import canonical_json
from gateway.services.emergency import Asked

_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
_REFERENCE = re.compile(r"[A-Za-z0-9_.-]{0,80}")
_CODE = re.compile(r"[a-z][a-z_]{0,31}")
_REASON = re.compile(r"(?s).{1,2000}")


class Emergency:
    def __init__(self, access: EmergencyLike, gate: Gate, settings: HttpSettings) -> None:
        self._access, self._gate, self._settings = access, gate, settings

    async def ask(self, request: web.Request) -> web.Response:
        """POST /v1/emergency-access"""
        caller = self._gate.admit(request)
        document = await read_json_object(request, self._settings, ("notice", "case", "reason_code", "reason"))
        asked = Asked(
            reason_code=member_text(document, "reason_code", _CODE, "a reason code"),
            reason=member_text(document, "reason", _REASON, "what happens now, in words"),
            notice=member_text(document, "notice", _REFERENCE, "the id of a notice or release", ""),
            case=member_text(document, "case", _REFERENCE, "the handle of a case", ""),
        )
        granted = await self._access(caller, asked)
        told = {
            "emergency": granted.id,
            "until": granted.until.isoformat(timespec="milliseconds"),
            "deliveries": list(granted.deliveries),
        }
        return web.Response(status=201, body=canonical_json(told), headers=_JSON)
