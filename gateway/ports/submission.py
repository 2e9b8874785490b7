"""How does a transport on the agency's side hand bytes to the gateway, and what may it tell its own system?

MLLP and the file drop differ in how bytes arrive and how an answer looks; in
between there is one way, and one promise: accepted means that the gateway's
signed receipt for exactly these bytes was verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.model.errors import Problem


@dataclass(frozen=True, slots=True)
class Pushed:
    """`document` is what the gateway answered, canonical JSON: receipts, and for a refusal its problem.

    `problems` is empty exactly when every notice in the bytes was accepted; `gaps` are the places of accepted notices
    that were not taken over.
    """

    document: bytes
    notices: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    gaps: tuple[Problem, ...] = ()

    @property
    def is_accepted(self) -> bool:
        return not self.problems


class Push(Protocol):
    async def __call__(self, body: bytes, media_type: str, signature: str | None = None) -> Pushed:
        """Sign (or pass the signature on) and push; the same bytes again give the same answer.

        Raises Unavailable when nothing is known to be stored: the same bytes go again later.
        Raises Tampered when an answer is not the gateway's, or not for these bytes.
        """
        ...
