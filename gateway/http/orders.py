"""What does an office order in a small call, and did it sign exactly that?"""

from __future__ import annotations

from aiohttp import web

from gateway.http.reading import SIGNATURE_HEADER, read_body
from gateway.http.services import VerifyOrderLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller


async def read_order(
    request: web.Request, caller: Caller, verify: VerifyOrderLike, settings: HttpSettings, *, is_required: bool = False
) -> tuple[bytes, str | None]:
    """The body, and the signature over it where there is one; a signature that is there holds for this call alone.

    Raises as `read_body`, and BadSignature for one that does not hold, or is required and missing.
    """
    body = await read_body(request, settings.max_small_body_bytes, settings)
    signature = request.headers.get(SIGNATURE_HEADER)
    if signature is not None or is_required:
        await verify(caller, f"{request.method} {request.path}", body, signature or "")
    return body, signature
