"""What did one conformance check find?"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is the notice type, sample or native position; `what` says what is wrong, never with a value of a message."""

    where: str
    what: str


@dataclass(slots=True)
class Check:
    """`tried` counts what was looked at: a check that tried nothing says nothing, and is neither passed nor failed."""

    name: str
    zh: str
    en: str
    tried: int = 0
    findings: list[Finding] = field(default_factory=list)
    not_applicable: str = ""

    def find(self, where: str, what: str) -> None:
        found = Finding(where, what)
        if len(self.findings) < MOST_FINDINGS and found not in self.findings:
            self.findings.append(found)

    @property
    def failed(self) -> bool:
        return bool(self.findings)

    @property
    def state(self) -> str:
        """failed | passed | skipped"""
        return "failed" if self.findings else "passed" if self.tried else "skipped"
