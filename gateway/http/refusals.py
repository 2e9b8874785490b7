"""What can be wrong with a request before any service has looked at it?"""

from __future__ import annotations

from gateway.model.errors import Refusal


class MalformedRequest(Refusal):
    """Not HTTP as it should be: framing, a header twice, bytes that are no text."""

    code = "malformed-request"


class InvalidParameter(Refusal):
    """A query parameter, header or member of a small request body is not of its form; the position names it."""

    code = "invalid-parameter"


class MethodNotAllowed(Refusal):
    code = "method-not-allowed"


class HeaderTooLarge(Refusal):
    code = "header-too-large"


class RequestTimeout(Refusal):
    code = "request-timeout"


class ExpectationFailed(Refusal):
    code = "expectation-failed"
