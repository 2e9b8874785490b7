"""Did this office sign exactly this call, just now, and only once?

What an office orders in a small call (where it wants to be called, a consent, an answer to a delivery, a message through a
relay handle) is signed over the bytes of its body like a notice. A body alone says neither for which call it is nor when,
so that whoever has a token could send an old order again. The protected header of an order therefore says it too:

- `order`: method and path, such as `PUT /v1/webhook`, without the query;
- `iat`: when it was signed (NumericDate), at most an assertion's life ago;
- `jti`: a name that is good once, remembered durably before anything is done.

A notice has none of these, so neither passes for the other. Who got no answer to an order signs it anew.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from gateway.crypto.detached import DetachedVerifier
from gateway.model.agency import Caller
from gateway.model.errors import BadSignature
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import DirectoryStorage
from gateway.services.authenticate import OfficeDirectory, TokenSettings

REALM = "order"
_MOST_JTI_CHARS = 256


class VerifyOrder:
    def __init__(
        self, *, settings: TokenSettings, directories: OfficeDirectory, storage: DirectoryStorage, clock: Clock
    ) -> None:
        self._life, self._skew = settings.assertion_life, settings.skew
        self._directories, self._storage, self._clock = directories, storage, clock
        self._verifier = DetachedVerifier()

    async def __call__(self, caller: Caller, call: str, body: bytes, jws: str) -> None:
        """`call` is method and path. Raises BadSignature, with the remedy, for anything but a fresh order for this very call;
        Unavailable when the store is down."""
        now = self._clock.now()
        keys = self._directories.current.signing_keys(caller.office.id, now)
        header = self._verifier.verify(jws, body, keys, is_order=True).header
        signed_at, jti = _instant(header.get("iat")), header.get("jti")
        if header.get("order") != call or signed_at is None or not isinstance(jti, str):
            raise BadSignature(
                "the signature does not say for which call it is and when it was made",
                remedy=f'put `"order":"{call}"`, `"iat"` (seconds) and a fresh `"jti"` into the protected header (docs/api.md)',
            )
        if not now - self._life - self._skew < signed_at <= now + self._skew:
            raise BadSignature(
                "the order is not of now", remedy="sign it anew, and compare your clock with the gateway's"
            )
        if not 0 < len(jti) <= _MOST_JTI_CHARS:
            raise BadSignature("`jti` is not of its form", remedy=f"1 to {_MOST_JTI_CHARS} characters")
        name = hashlib.sha256(caller.office.id.encode() + b"\0" + jti.encode("utf-8", "surrogatepass")).digest()
        if not await self._storage.use_once(
            REALM, name, signed_at + self._life + timedelta(seconds=1) + 2 * self._skew
        ):
            raise BadSignature("this order was given before", remedy="sign it anew with a fresh `jti`")


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**33:
        return None
    return datetime.fromtimestamp(value, UTC)
