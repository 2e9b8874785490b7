"""Whose move is next when something is wrong?

`Refusal`: the sender has to change something. `Unavailable`: we try again.
`Tampered`: a signature or proof is wrong; work stops and a person looks.

Every error has a stable `code`, part of the API and listed in
`docs/errors.md`. Messages are lower case, put the sender's words in backticks
and never hold personal data: a position is a JSON pointer or a native
position, never the value found there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was sent.

    `position` is a JSON pointer into the canonical notice or a native position
    (`PID-7`, `row 3, column 出生日期`, `/REQUEST/BODY/SHR/CSRQ`). `native` is the place in the sender's own message where
    `position` is a pointer into what an adapter made of it.
    """

    code: str
    position: str
    message: str
    remedy: str = ""
    native: str = ""

    def told(self) -> dict[str, str]:
        """As a document; `native` only where there is one."""
        said = {"code": self.code, "position": self.position, "message": self.message, "remedy": self.remedy}
        return {**said, "native": self.native} if self.native else said

    @classmethod
    def heard(cls, document: Mapping[str, Any]) -> Problem:
        """The inverse of `told`, for whoever was answered; a problem that names no code still is one."""
        names = ("code", "position", "message", "remedy", "native")
        return cls(*(str(document.get(name, "refused" if name == "code" else "")) for name in names))


class HutongError(Exception):
    """The root of all errors this code raises on purpose."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, remedy: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.problems = problems


class Refusal(HutongError):
    """The sender has to change something before trying again."""

    code = "refused"


class InvalidNotice(Refusal):
    code = "invalid-notice"


class Undecodable(Refusal):
    code = "undecodable"


class UnsupportedMediaType(Refusal):
    code = "unsupported-media-type"


class TooLarge(Refusal):
    code = "too-large"


class Unauthenticated(Refusal):
    code = "unauthenticated"


class BadSignature(Refusal):
    code = "bad-signature"


class NotPermitted(Refusal):
    code = "not-permitted"


class NotFound(Refusal):
    """Absent, sealed or not addressed to the caller: one and the same answer."""

    code = "not-found"


class IdempotencyConflict(Refusal):
    code = "idempotency-conflict"


class InvalidCursor(Refusal):
    """A place in a list that was never given out."""

    code = "invalid-parameter"


class LeaseLost(Refusal):
    """The lease of a delivery is over; somebody else may hold it now."""

    code = "lease-lost"

    def __init__(self, message: str, *, state: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.state = state


class InvalidDocument(Refusal):
    """A policy, table or configuration document is wrong; problems carry file and line."""

    code = "invalid-document"


class Unavailable(HutongError):
    """Something we need is out of reach; the same call may succeed after `retry_after`."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(seconds=2), remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class TooManyRequests(Unavailable):
    code = "too-many-requests"


class Tampered(HutongError):
    """A proof, a stored record or our own signature does not hold."""

    code = "tampered"
