"""How does the gateway itself send a notice?

Stop-use notices, after-notices of emergency access and answers on behalf of nobody go the one way in, like every
office's: validated, routed, logged, decided on per delivery. The id fixes the notice, so sending again is harmless.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.model.agency import Caller, Office
from gateway.model.canonical import canonical_json
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId, office_urn
from gateway.services.accept import Receipt
from gateway.services.submit import Submitted

STRUCTURED = "application/cloudevents+json"
SendOnBehalf = Callable[[Caller, bytes, str, Mapping[str, str]], Awaitable[Submitted]]


class GatewayNotices:
    def __init__(self, region: str, send: SendOnBehalf) -> None:
        self.office = OfficeId(f"gateway.{region}")
        self._caller = Caller(Office(id=self.office, name_zh="护通网关", name_en="Hutong gateway"))
        self._send = send

    async def __call__(self, kind: str, id_: str, data: Mapping[str, Any]) -> Receipt:
        """Send one notice. Raises Unavailable when it was not taken: the caller's step is repeated as a whole."""
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": office_urn(self.office),
            "type": f"hutong.notice.{kind}.v1",
            "datacontenttype": "application/json",
            "data": dict(data),
        }
        submitted = await self._send(self._caller, canonical_json(event), STRUCTURED, {"content-type": STRUCTURED})
        item = submitted.items[0]
        if not isinstance(item, Receipt):
            codes = ", ".join(sorted({problem.code for problem in item.problems}))
            raise Unavailable(f"the gateway's own notice was refused: {codes}")
        return item
