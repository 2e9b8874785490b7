"""What must hold of bytes that come in, of samples, of the adapter's own messages and of both when damaged?"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import zip_longest

from adapters.conformance.bodies import leaves
from adapters.conformance.overheard import overheard, told
from adapters.conformance.report import Check
from adapters.conformance.trial import Sample, Trial
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Decoded, RefusedItem

SECONDS = 1.0
BEYOND_ANY_LIMIT = 17 * 1024 * 1024
_NAMING = ("name", "alias", "id_no", "student_no", "phone", "key")
_OF_EACH = 4  # messages of one media type that are damaged


def outcomes(trial: Trial, check: Check) -> None:
    """Accepted, accepted with named gaps, or refused with code, position and remedy."""
    for raw, media_type in trial.messages():
        check.tried += 1
        _judge(trial.decode(raw, media_type), check, "a message")
    for raw in (b"", b"\x00", b"{}", b"<a/>", b"MSH|^~\\&|", "没有内容".encode(), b"\xff\xfe\x00"):
        for media_type in trial.adapter.media_types:
            check.tried += 1
            decoded = trial.decode(raw, media_type)
            _judge(decoded, check, f"{len(raw)} bytes that are no message, as {media_type}")
            if any(isinstance(item, SubmittedNotice) and item.data.get("persons") for item in decoded.items):
                check.find(media_type, "a person was found in bytes that hold none")


def _judge(decoded: Decoded, check: Check, where: str) -> None:
    if not decoded.items:
        check.find(where, "decoded to nothing: at least one outcome is due")
    items: Sequence[object] = decoded.items  # a foreign adapter may have put anything there
    for item in items:
        if isinstance(item, RefusedItem):
            if not item.problems:
                check.find(where, "refused without a reason")
            for problem in item.problems:
                if not problem.code or not problem.message or not problem.remedy:
                    check.find(where, f"refused without code, message or remedy ({problem.code or 'no code'})")
        elif isinstance(item, SubmittedNotice):
            for gap in item.gaps:
                if not gap.code or not gap.position or not gap.message:
                    check.find(where, f"a gap without code, position or message ({gap.code or 'no code'})")
            if not item.native_id:
                check.find(where, "accepted without a message number: it could not be recognised when it is repeated")
        else:
            check.find(where, "neither a notice nor a refusal")


def holds(trial: Trial, check: Check) -> None:
    """A message that an agency really sends is one that intake takes, and not one that decodes and is then refused."""
    if trial.judge is None or not trial.samples:
        check.not_applicable = "no sample was given" if trial.judge else "nobody was asked to judge"
        return
    for raw, media_type in trial.samples:
        for item in trial.decode(raw, media_type).items:
            if isinstance(item, SubmittedNotice):
                check.tried += 1
                for problem in trial.judge(item):
                    where = problem.native or problem.position
                    check.find(
                        f"{item.type} {where}",
                        f"intake refuses it: {problem.code}, {problem.message}; {problem.remedy}",
                    )


def values(trial: Trial, check: Check) -> None:
    """Gaps and refusals name positions and codes; no value of the message stands in them."""
    for raw, media_type in trial.messages():
        check.tried += 1
        for item in trial.decode(raw, media_type).items:
            if isinstance(item, SubmittedNotice):
                said = " ".join(f"{gap.code} {gap.message} {gap.target}" for gap in item.gaps)
                people = [
                    name for person in item.data.get("persons", ()) if len(name := str(person.get("name", ""))) > 1
                ]
                held = [*people, *leaves(item.data.get("harm")), *leaves(dict(item.reporter))]
                if any(value in said for value in held):
                    check.find(media_type, "a gap repeats a value of the message")


def fuzz(trial: Trial, check: Check) -> None:
    """Nothing is raised, nothing takes a second of the processor, nothing of a message is told in a log, whatever happens to it."""
    rng = random.Random(f"damage:{trial.seed}")  # noqa: S311 - repeatable, and nothing here is secret
    messages = _of_every_format(trial)
    private = _private_values(trial, messages)
    with overheard() as heard:
        for number in range(trial.effort * 4):
            raw, media_type = messages[number % len(messages)]
            damaged = _damaged(bytearray(raw), rng)
            check.tried += 1
            started = time.thread_time()
            try:
                _judge(trial.decode(damaged, media_type), check, f"a damaged message ({media_type})")
            except Exception as broken:  # noqa: BLE001 - this is what the check looks for
                check.find(f"a damaged message ({media_type})", f"raised {type(broken).__name__}")
            if time.thread_time() - started > SECONDS:
                check.find(f"a damaged message ({media_type})", f"took more than {SECONDS:g} s of the processor")
    if told(heard, private):
        check.find("logs, warnings, standard streams", "a value of a message is told")


def _of_every_format(trial: Trial) -> Sequence[Sample]:
    """A few messages of each media type, in turn."""
    by_type: dict[str, list[Sample]] = {}
    for message in trial.messages():
        if message[0]:
            by_type.setdefault(message[1], []).append(message)
    turns = zip_longest(*[found[:_OF_EACH] for found in by_type.values()])
    return [message for turn in turns for message in turn if message is not None]


def _private_values(trial: Trial, messages: Sequence[Sample]) -> frozenset[str]:
    """Names, numbers and texts of people in the messages, long enough to be recognised in a log."""
    values: set[str] = set()
    for raw, media_type in messages:
        for item in trial.decode(raw, media_type).items:
            if isinstance(item, SubmittedNotice):
                people = item.data.get("persons", ())
                values |= {str(person[name]) for person in people for name in _NAMING if name in person}
                values |= {*leaves(item.data.get("harm")), *leaves(dict(item.reporter))}
    return frozenset(value for value in values if (len(value) >= 2 and not value.isascii()) or len(value) >= 8)


def _damaged(raw: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(4):
            case 0 if at < len(raw):
                raw[at] = rng.randrange(256)
            case 1:
                del raw[at : at + rng.randint(1, 20)]
            case 2:
                raw[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                raw[at:at] = raw[max(0, at - 30) : at]
    return bytes(raw)


def limits(trial: Trial, check: Check) -> None:
    """What is too large or too deep is refused, soon."""
    deep = 100_000
    for raw in (
        b" " * BEYOND_ANY_LIMIT, b"A" * BEYOND_ANY_LIMIT, b"[" * deep, b'{"a":' * deep, b"<a>" * deep, b"MSH|^~\\&|" + b"~" * 4_000_000,
    ):  # fmt: skip
        for media_type in trial.adapter.media_types:
            check.tried += 1
            started = time.thread_time()
            decoded = trial.decode(raw, media_type)
            if time.thread_time() - started > 5 * SECONDS:
                check.find(media_type, f"{len(raw)} bytes of nothing took more than {5 * SECONDS:g} s of the processor")
            if len(raw) >= BEYOND_ANY_LIMIT and not all(isinstance(item, RefusedItem) for item in decoded.items):
                check.find(media_type, f"{len(raw)} bytes were accepted")
