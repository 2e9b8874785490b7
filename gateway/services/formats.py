"""Which adapter reads what an office sent, and which writes what it gets?"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.agency import Caller
from gateway.ports.translation import Adapter

CANONICAL = "canonical"
CLOUDEVENTS = "application/cloudevents"


class Formats:
    """Adapters by name and media type. Every office may speak canonical; its own adapter besides."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self._adapters = adapters

    def reader(self, own: str, media_type: str, headers: Mapping[str, str]) -> Adapter | None:
        """The adapter for bytes of this media type from an office whose adapter is `own`; None when there is none."""
        if media_type.startswith(CLOUDEVENTS) or "ce-specversion" in headers:
            return self._adapters[CANONICAL]
        adapter = self._adapters.get(own)
        return adapter if adapter is not None and _reads(adapter, media_type) else None

    def writer(self, own: str, media_type: str) -> Adapter:
        """The adapter that writes this media type for an office; canonical where its own does not."""
        adapter = self._adapters.get(own)
        if adapter is None or media_type.startswith(CLOUDEVENTS) or not _reads(adapter, media_type):
            return self._adapters[CANONICAL]
        return adapter

    def wanted(self, caller: Caller, accept: str) -> str:
        """The media type a caller gets: the first it accepts that its adapter or canonical writes, else the office's own.

        With its parameters: an adapter may write several versions of a format.
        """
        own = self._adapters.get(caller.office.adapter)
        for part in accept.split(","):
            asked = part.strip().lower()
            if asked.startswith(CLOUDEVENTS) or (own is not None and _reads(own, asked)):
                return asked
        return caller.office.media_type


def _reads(adapter: Adapter, media_type: str) -> bool:
    plain = media_type.split(";", 1)[0].strip().lower()
    return any(known.split(";", 1)[0].lower() == plain for known in adapter.media_types)
