"""What happens to a message from an office's submit queue, and what goes back?

The transport ends here: who sent it, which bytes, which signature. From then on it is the way of every notice
(`services.submit`), and the answer is the very body and status that HTTP would give: the signed receipt, or an RFC 9457
problem. Only the answer ends a submission; a message that was worked on twice is answered alike both times.

Kinds (the message's type): `hutong.submit.v1` or none, a notice in its media type; `hutong.acknowledge.v1` and
`hutong.give-back.v1`, what an office says of a release it read from its inbox.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
from aiohttp import web

from gateway.http.authentication import officer_of, purpose_of
from gateway.http.notices import BATCH, BATCH_RECEIPT_HEADER, accepted_response
from gateway.http.problems import problem_response
from gateway.http.reading import batch_size, hold_depth, member_text, parse_object
from gateway.http.refusals import InvalidParameter
from gateway.http.services import SubmitLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller, OfficeState
from gateway.model.errors import Problem, Tampered, TooLarge, Unauthenticated, Unavailable, UnsupportedMediaType
from gateway.model.identifiers import DeliveryId, OfficeId
from gateway.ports.agency_queues import Answer, Arrived, Returned
from gateway.ports.clock import Clock
from gateway.services.acknowledge import Acknowledge
from gateway.services.authenticate import Authenticate, OfficeDirectory
from gateway.services.recall import Recall
from gateway.services.relay import Relay

SUBMIT, ACKNOWLEDGE, GIVE_BACK = "hutong.submit.v1", "hutong.acknowledge.v1", "hutong.give-back.v1"
RECEIPT, PROBLEM = "hutong.receipt.v1", "hutong.problem.v1"
SIGNATURE, AUTHORIZATION, OFFICER, PURPOSE = "hutong-signature", "authorization", "hutong-officer", "hutong-purpose"
STATUS = "status"
PATIENCE = timedelta(seconds=20)  # how long a message waits here for a store that is away before it is answered so
LONGEST_WAIT = timedelta(seconds=5)
_PASSED_ON = ("content-disposition", "content-language", "idempotency-key")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63}")
_DELIVERY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LEASE = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}")
_REASON = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MAX_RETRY_SECONDS = 7 * 86_400


class SubmissionDesk:
    """The desk of the agencies' queues. `report` tells the operator of an unforeseen error, never of a value."""

    def __init__(
        self,
        *,
        submit: SubmitLike,
        acknowledge: Acknowledge,
        relay: Relay,
        recall: Recall,
        authenticate: Authenticate,
        directories: OfficeDirectory,
        settings: HttpSettings,
        clock: Clock,
        pause: Callable[[timedelta], Awaitable[None]],
        report: Callable[[Exception], None],
    ) -> None:
        self._submit, self._acknowledge, self._relay, self._recall = submit, acknowledge, relay, recall
        self._authenticate, self._directories, self._settings = authenticate, directories, settings
        self._clock, self._pause, self._report = clock, pause, report

    def lane_of(self, message: Arrived) -> str:
        """The case as its sender names it; what cannot be looked into goes in the order of the queue."""
        if message.kind not in ("", SUBMIT):
            return ""
        if not message.media_type.lower().split(";")[0].endswith("json"):
            return "native"
        try:
            event = orjson.loads(message.body)
        except orjson.JSONDecodeError:
            return ""
        subject = event.get("subject") if isinstance(event, dict) else None
        return f"case {subject}" if isinstance(subject, str) else ""

    async def take(self, message: Arrived) -> Answer:
        until = self._clock.monotonic() + PATIENCE.total_seconds()
        while True:
            try:
                return _answer(await self._answered(message))
            except Unavailable as away:
                if away.retry_after > LONGEST_WAIT or self._clock.monotonic() >= until:
                    return _answer(problem_response(away))
                await self._pause(away.retry_after)
            except Tampered as broken:
                self._report(broken)
                return _answer(problem_response(broken), is_poison=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this message's own
                response = problem_response(error)
                is_unforeseen = response.status >= 500
                if is_unforeseen:
                    self._report(error)
                return _answer(response, is_poison=is_unforeseen)

    async def returned(self, release: Returned) -> None:
        await self._relay.returned(release)

    def emptied(self, office: OfficeId) -> None:
        self._recall.owe(office, "queue-lost")

    async def _answered(self, message: Arrived) -> web.Response:
        caller = self._caller(message)
        if message.kind in ("", SUBMIT):
            return await self._submitted(caller, message)
        if message.kind == ACKNOWLEDGE:
            document = self._small(message, ("delivery", "lease_token"))
            receipt = await self._acknowledge.acknowledge(caller, _delivery(document), _lease(document), "amqp")
            return web.Response(body=receipt, content_type="application/json")
        if message.kind == GIVE_BACK:
            return await self._given_back(caller, message)
        raise _invalid("type", f"{SUBMIT}, {ACKNOWLEDGE} or {GIVE_BACK}")

    async def _submitted(self, caller: Caller, message: Arrived) -> web.Response:
        body, kind = message.body, message.media_type.split(";")[0].strip().lower()
        if _MEDIA_TYPE.fullmatch(kind) is None:
            raise UnsupportedMediaType("content_type is absent or not a media type", remedy="name the media type")
        if len(body) > self._settings.max_body_bytes:
            raise TooLarge("the body is larger than this gateway takes", remedy="send smaller batches")
        if kind.endswith("json"):
            hold_depth(body, self._settings.max_json_depth)
            if kind == BATCH and batch_size(body) > self._settings.max_batch_items:
                raise TooLarge("the batch holds more notices than this gateway takes", remedy="split the batch")
        headers = {name: message.headers[name] for name in _PASSED_ON if name in message.headers}
        headers["content-type"] = message.media_type
        submitted = await self._submit(caller, body, kind, headers, message.headers.get(SIGNATURE))
        return accepted_response(self._submit, caller, body, submitted)

    async def _given_back(self, caller: Caller, message: Arrived) -> web.Response:
        document = self._small(message, ("delivery", "lease_token", "reason", "retry_after_seconds"))
        reason = member_text(document, "reason", _REASON, "a reason code: small letters, digits and -", "not-processed")
        seconds = document.get("retry_after_seconds")
        if seconds is not None and (type(seconds) is not int or not 0 <= seconds <= _MAX_RETRY_SECONDS):
            raise _invalid("/retry_after_seconds", f"a whole number up to {_MAX_RETRY_SECONDS}")
        wait = None if seconds is None else timedelta(seconds=seconds)
        told = await self._acknowledge.give_back(caller, _delivery(document), _lease(document), reason, wait)
        return web.Response(body=told, content_type="application/json")

    def _caller(self, message: Arrived) -> Caller:
        """The office whose queue it is: the broker let nobody else write there. A token, or a user that the broker
        stamped, must say the same."""
        office = self._directories.current.offices.get(message.office)
        if office is None or office.state is OfficeState.COMPROMISED:
            raise Unauthenticated("no such office")
        is_report_only = office.state is OfficeState.SUSPENDED
        credentials = message.headers.get(AUTHORIZATION)
        if credentials is not None:
            scheme, _, token = credentials.partition(" ")
            caller = self._authenticate.caller_of(token.strip() if scheme.lower() == "bearer" else "")
            if caller.office.id != office.id:
                raise Unauthenticated("another office's token")
            is_report_only = caller.is_report_only
        elif message.user and message.user != office.id:
            raise Unauthenticated("another user's message")
        officer, purpose = officer_of(message.headers.get(OFFICER)), purpose_of(message.headers.get(PURPOSE))
        return Caller(office, officer, purpose, is_report_only)

    def _small(self, message: Arrived, allowed: tuple[str, ...]) -> dict[str, Any]:
        if len(message.body) > self._settings.max_small_body_bytes:
            raise TooLarge("the body is larger than this needs")
        return parse_object(message.body, self._settings, allowed)


def _answer(response: web.Response, *, is_poison: bool = False) -> Answer:
    """The same status and body as over HTTP; Retry-After and the place of the notice travel as headers."""
    assert isinstance(response.body, bytes)
    headers = {STATUS: str(response.status)}
    headers |= {
        name.lower(): response.headers[name]
        for name in ("Location", "Hutong-Replayed", "Retry-After", BATCH_RECEIPT_HEADER)
        if name in response.headers
    }
    kind = RECEIPT if response.status < 300 else PROBLEM
    media_type = response.headers.get("Content-Type", response.content_type)
    return Answer(response.body, media_type, kind, headers, is_poison)


def _delivery(document: dict[str, Any]) -> DeliveryId:
    return DeliveryId(member_text(document, "delivery", _DELIVERY, "the delivery's id"))


def _lease(document: dict[str, Any]) -> str:
    return member_text(document, "lease_token", _LEASE, "the lease token this delivery was handed out with")


def _invalid(position: str, what: str) -> InvalidParameter:
    return InvalidParameter("the message is not of its form", problems=(Problem("invalid-parameter", position, what),))
