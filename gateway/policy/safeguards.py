"""What do the safeguards say: emergency access, and questions that a sealed record could answer?

A document of the pack, read strictly: an unknown key, a value outside its list or a number that makes no sense is a problem
with file and line. Whether there is a sealed record is a question of its own (`record`), and whoever may not ask it is told
what is told where there is none (刑事诉讼法第286条; DOMAIN L50, L51): a pack can change neither.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import AgencyName
from gateway.policy.reading import Node, Problems, read_files
from gateway.policy.vocabulary import Vocabulary

# What a query may ask (schemas/codes/question.yaml); a test holds the two together.
QUESTIONS = (
    "identity", "residence", "enrolment", "guardian", "entitlement", "order_in_force", "record", "pass_on", "other",
)  # fmt: skip
SEALED_RECORD = "record"
NO_RECORD = "none"
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


def load_safeguards(text: str, name: str = "safeguards.yaml") -> Safeguards:
    """Read a safeguards file that stands alone; `name` is what problems call it. Raises InvalidDocument with every problem."""
    problems = Problems()
    read = [read_safeguards(root, None) for _, root in read_files({name: text}, problems)]
    if problems.found or not read or read[0] is None:
        raise InvalidDocument("the safeguards do not hold", problems=tuple(problems.found))
    return read[0]


def read_safeguards(root: Node, vocabulary: Vocabulary | None) -> Safeguards | None:
    """The document; None where a part of it is missing, which is told as a problem. Agencies are checked against a vocabulary."""
    parts = root.members(required=frozenset({"kind", "emergency", "sealed_questions"}))
    if "kind" in parts and parts["kind"].text() != "safeguards":
        parts["kind"].problem("unknown-kind", "this is no safeguards file", "kind: safeguards")
    if not {"emergency", "sealed_questions"} <= parts.keys():
        return None
    known = None if vocabulary is None else vocabulary.agencies.keys()
    emergency, sealed = _emergency(parts["emergency"], known), _sealed(parts["sealed_questions"], known)
    return None if emergency is None or sealed is None else Safeguards(emergency, sealed)


def _emergency(node: Node, known: Collection[str] | None) -> EmergencyRules | None:
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
        duty=_agencies(read["duty"], known),
        life=timedelta(hours=found["hours"]),
        notices=found["notices"],
        review_working_days=found["review_working_days"],
        unjustified=found["unjustified"],
        unjustified_within=timedelta(days=found["unjustified_days"]),
    )


def _sealed(node: Node, known: Collection[str] | None) -> SealedQuestions | None:
    read = node.members(required=frozenset({"citation", "questions", "may_ask", "answer"}))
    if len(read) != 4:
        return None
    read["citation"].texts()
    named = {
        text for text, item in read["questions"].texts() if item.one_of({one: one for one in QUESTIONS}, "question")
    }
    if SEALED_RECORD not in named:
        read["questions"].problem(
            "laxer-than-law", "whether there is a sealed record would be asked of its owner", f"name `{SEALED_RECORD}`"
        )
    answer = read["answer"].text()
    if answer != NO_RECORD:
        read["answer"].problem(
            "laxer-than-law", "sealed would be answered otherwise than absent, and so be known", f"answer: {NO_RECORD}"
        )
    return SealedQuestions(frozenset(named), _agencies(read["may_ask"], known), answer)


def _agencies(node: Node, known: Collection[str] | None) -> frozenset[AgencyName]:
    named = node.texts()
    for text, item in named:
        if known is not None and text not in known:
            item.problem("unknown-value", f"there is no agency `{text}`", f"one of: {', '.join(known)}")
    return frozenset(AgencyName(text) for text, _ in named)


def _number(node: Node, most: int) -> int:
    value = node.number()
    if not 1 <= value <= most:
        node.problem("wrong-number", f"a whole number from 1 to {most}")
    return value
