"""Which contact of a sender's notice stands behind a relay handle that a release gives?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.model.access import Decision, Facet
from gateway.model.identifiers import FieldId, agency_of
from gateway.model.notice import RELAYED, JsonObject
from gateway.services.cases import GATEWAY_AGENCY
from gateway.services.keep import OpenedNotice

_SENDER = FieldId("sender.unit")

Given = Sequence[tuple[str, str, str]]  # handle, path and value of each that a release gives


def behind(handle: str, given: Given, decision: Decision, opened: OpenedNotice) -> str | None:
    """Where in the sender's notice the contact stands; None where today's release would not give out this handle.

    None too where the recipient may not know whose notice it is: the message goes to that office, and its answer
    names it. Nobody is asked for what the gateway itself has written.
    """
    if not _leads_to_the_sender(decision, opened):
        return None
    for known, path, value in given:
        if known == handle:
            return next(_places(opened.data, path, value), None)
    return None


def relayed(data: JsonObject) -> tuple[str, str] | None:
    """The delivery that gave the handle and the contact behind it, of a query that passes a message on; None of any other."""
    query = data.get("query")
    if not isinstance(query, Mapping) or query.get("question") != RELAYED:
        return None
    return str(data.get("in_reply_to")), str(query.get("contact"))


def still_leads(contact: str, given: Given, decision: Decision, opened: OpenedNotice) -> bool:
    """Whether today's release still gives a handle for this contact."""
    return _leads_to_the_sender(decision, opened) and any(
        contact in _places(opened.data, path, value) for _, path, value in given
    )


def _leads_to_the_sender(decision: Decision, opened: OpenedNotice) -> bool:
    sender = decision.fields.get(_SENDER)
    return sender is not None and bool(sender.shown & Facet.FULL) and agency_of(opened.stored.sender) != GATEWAY_AGENCY


def _places(data: JsonObject, path: str, value: str) -> Iterator[str]:
    """Where a value stands at a path of the schema, as JSON pointers in which persons are named by their `ref`."""
    steps = path.split(".")

    def walk(found: Any, at: str, rest: list[str]) -> Iterator[str]:
        if not rest:
            if found == value or (isinstance(found, list) and value in found):
                yield at
            return
        if not isinstance(found, Mapping):
            return
        name = rest[0].removesuffix("[]")
        inner = found.get(name)
        if rest[0].endswith("[]"):
            for index, element in enumerate(inner if isinstance(inner, list) else ()):
                named = element.get("ref", index) if isinstance(element, Mapping) and name == "persons" else index
                yield from walk(element, f"{at}/{name}/{named}", rest[1:])
        elif inner is not None:
            yield from walk(inner, f"{at}/{name}", rest[1:])

    yield from walk(data, "", steps)
