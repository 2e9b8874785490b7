"""What do the safeguards say: emergency access, and questions that a sealed record could answer?

`policies/safeguards.yaml`, read strictly: an unknown key, a value outside its list or a number that makes no sense is
a problem with file and line.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import AgencyName
from gateway.policy.reading import Node, Problems, read_files

FILE = "safeguards.yaml"
_MOST_HOURS, _MOST_NOTICES, _MOST_DAYS = 24, 100, 3650


@dataclass(frozen=True, slots=True)
class EmergencyRules:
    """Who may use emergency access (DOMAIN 5.10), for how long, and what unjustified use leads to."""

    duty: frozenset[AgencyName]
    life: timedelta
    notices: int
    review_working_days: int
    unjustified: int
    unjustified_within: timedelta


@dataclass(frozen=True, slots=True)
class SealedQuestions:
    """Questions a sealed record could answer (DOMAIN L50, L51), who may ask the owner, and what all others are told."""

    questions: frozenset[str]
    may_ask: frozenset[AgencyName]
    answer: str


@dataclass(frozen=True, slots=True)
class Safeguards:
    emergency: EmergencyRules
    sealed: SealedQuestions


def load_safeguards(text: str, *, questions: Collection[str], answers: Collection[str], name: str = FILE) -> Safeguards:
    """Read the file; `questions` and `answers` are the codes there are, `name` is what problems call the file. Raises InvalidDocument with every problem."""
    problems = Problems()
    read: list[Safeguards] = []
    for _, root in read_files({name: text}, problems):
        parts = root.members(required=frozenset({"kind", "emergency", "sealed_questions"}))
        if "kind" in parts and parts["kind"].text() != "safeguards":
            parts["kind"].problem("unknown-kind", "this is no safeguards file", "kind: safeguards")
        if {"emergency", "sealed_questions"} <= parts.keys():
            emergency, sealed = _emergency(parts["emergency"]), _sealed(parts["sealed_questions"], questions, answers)
            if emergency is not None and sealed is not None:
                read.append(Safeguards(emergency, sealed))
    if problems.found or not read:
        raise InvalidDocument("the safeguards do not hold", problems=tuple(problems.found))
    return read[0]


def _emergency(node: Node) -> EmergencyRules | None:
    numbers = {
        "hours": _MOST_HOURS, "notices": _MOST_NOTICES, "review_working_days": _MOST_DAYS, "unjustified": _MOST_DAYS,
        "unjustified_days": _MOST_DAYS,
    }  # fmt: skip
    read = node.members(required=frozenset({"citation", "duty", *numbers}))
    if len(read) != len(numbers) + 2:
        return None
    read["citation"].texts()
    found = {name: _number(read[name], most) for name, most in numbers.items()}
    return EmergencyRules(
        duty=frozenset(AgencyName(text) for text, _ in read["duty"].texts()),
        life=timedelta(hours=found["hours"]),
        notices=found["notices"],
        review_working_days=found["review_working_days"],
        unjustified=found["unjustified"],
        unjustified_within=timedelta(days=found["unjustified_days"]),
    )


def _sealed(node: Node, questions: Collection[str], answers: Collection[str]) -> SealedQuestions | None:
    read = node.members(required=frozenset({"citation", "questions", "may_ask", "answer"}))
    if len(read) != 4:
        return None
    read["citation"].texts()
    named = read["questions"].texts()
    for text, item in named:
        if text not in questions:
            item.problem("unknown-value", f"`{text}` is no question code", f"one of: {', '.join(sorted(questions))}")
    answer = read["answer"].text()
    if answer not in answers:
        read["answer"].problem(
            "unknown-value", f"`{answer}` is no answer code", f"one of: {', '.join(sorted(answers))}"
        )
    return SealedQuestions(
        frozenset(text for text, _ in named),
        frozenset(AgencyName(text) for text, _ in read["may_ask"].texts()),
        answer,
    )


def _number(node: Node, most: int) -> int:
    value = node.number()
    if not 1 <= value <= most:
        node.problem("wrong-number", f"a whole number from 1 to {most}")
    return value
