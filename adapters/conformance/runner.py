"""What must hold of every adapter (adapters/README.md, laws 1 to 7), tried on releases, samples and damaged bytes?

Every check is a function of one `Trial`. They look at the adapter from outside, through the port alone; only the
manifest and reporter checks ask for what a `MappedAdapter` offers beyond it, and say so where it is missing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import zip_longest
from typing import Any, Protocol

from adapters.conformance.bodies import Body, leaves, variations
from adapters.conformance.overheard import overheard, told
from adapters.conformance.report import Check
from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.formats import FormatChoice
from gateway.model.agency import Office
from gateway.model.errors import Problem
from gateway.model.identifiers import NoticeType, OfficeId, agency_of
from gateway.model.notice import ReleasedNotice, SubmittedNotice
from gateway.ports.translation import Adapter, Decoded, RefusedItem

Sample = tuple[bytes, str]  # native bytes as a sender writes them, and their media type
SECONDS = 1.0
BEYOND_ANY_LIMIT = 17 * 1024 * 1024
WITHHELD = (
    "minor.name", "minor.id_no", "minor.birth_date", "minor.sex", "minor.residence.address", "harm.narrative",
    "guardian.name", "guardian.relation", "infringer.name", "place.detail",
)  # fmt: skip
_MARK = "护通测试报告人"
_NAMING = ("name", "alias", "id_no", "student_no", "phone", "key")
_OF_EACH = 4  # messages of one media type that are damaged


class Releasing(Protocol):
    """Makes a release of a body that shows everything but the named fields: `gateway.simulation.releases.everything_but`."""

    def __call__(
        self, data: Mapping[str, Any], notice_type: NoticeType, recipient: OfficeId, withheld: Sequence[str] = ()
    ) -> ReleasedNotice: ...


Judging = Callable[[SubmittedNotice], Sequence[Problem]]


@dataclass(frozen=True)
class Trial:
    """One adapter on trial. `bodies` are those of types it conveys; `effort` scales the number of seeded variations."""

    adapter: Adapter
    office: Office
    releases: Releasing
    bodies: Sequence[Body]
    samples: Sequence[Sample]
    seed: int
    effort: int
    judge: Judging | None = None

    def decode(self, raw: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Decoded:
        return self.adapter.decode(raw, media_type, self.office, headers or {})

    def release(self, body: Body, withheld: Sequence[str] = ()) -> ReleasedNotice:
        return self.releases(body[1], body[0], self.office.id, withheld)

    def written(self, release: ReleasedNotice) -> Iterator[tuple[bytes, str, Mapping[str, str]]]:
        """The release in each format the adapter writes, each once."""
        done: set[str] = set()
        for media_type in self.adapter.media_types:
            encoded = self.adapter.encode(release, self.office, media_type)
            if encoded.media_type not in done:
                done.add(encoded.media_type)
                yield encoded.body, encoded.media_type, encoded.headers

    def messages(self) -> Iterator[Sample]:
        """Samples, and what the adapter itself writes of a few releases."""
        yield from self.samples
        for body in self.bodies[:6]:
            for raw, media_type, _ in self.written(self.release(body)):
                yield raw, media_type


def run(
    adapter: Adapter,
    releases: Releasing,
    bodies: Sequence[Body],
    samples: Sequence[Sample] = (),
    *,
    seed: int = 1,
    effort: int = 60,
    judge: Judging | None = None,
) -> list[Check]:
    """Try every check. Raises nothing: an adapter that raises has failed the check it raised in.

    `judge` says what intake has against a notice; without one that check is left out.
    """
    agency = str(adapter.agency or "community")
    office = Office(OfficeId(f"{agency}.440113"), "测试单位", adapter=adapter.name)
    conveyed = [body for body in bodies if body[0] in adapter.conveys]
    trial = Trial(adapter, office, releases, conveyed, tuple(samples), seed, effort, judge)
    outcome = []
    for name, zh, en, check_on in CHECKS:
        check = Check(name, zh, en)
        try:
            check_on(trial, check)
        except Exception as broken:  # noqa: BLE001 - whatever a foreign adapter raises is the finding
            check.find(name, f"raised {type(broken).__name__}")
        outcome.append(check)
    return outcome


def _declarations(trial: Trial, check: Check) -> None:
    adapter = trial.adapter
    check.tried = 5
    if not adapter.name or adapter.name != adapter.name.lower():
        check.find("name", "a name is lower case and not empty")
    if adapter.agency is not None and agency_of(trial.office.id) != adapter.agency:
        check.find("agency", "the agency is no part of an office id")
    if not adapter.media_types or any("/" not in kind for kind in adapter.media_types):
        check.find("media_types", "at least one media type, each of the form type/subtype")
    if not adapter.sends:
        check.find("sends", "an adapter that sends nothing has no use")
    known = {kind for kind, _ in trial.bodies}
    for kind in sorted(adapter.conveys - known):
        check.find(f"conveys {kind}", "no example body of this type could be tried")


def _outcomes(trial: Trial, check: Check) -> None:
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


def _holds(trial: Trial, check: Check) -> None:
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


def _values(trial: Trial, check: Check) -> None:
    """Gaps and refusals name positions and codes; no value of the message stands in them."""
    for raw, media_type in trial.messages():
        check.tried += 1
        for item in trial.decode(raw, media_type).items:
            if isinstance(item, SubmittedNotice):
                told = " ".join(f"{gap.code} {gap.message} {gap.target}" for gap in item.gaps)
                people = [
                    name for person in item.data.get("persons", ()) if len(name := str(person.get("name", ""))) > 1
                ]
                held = [*people, *leaves(item.data.get("harm")), *leaves(dict(item.reporter))]
                if any(value in told for value in held):
                    check.find(media_type, "a gap repeats a value of the message")


def _round_trip(trial: Trial, check: Check) -> None:
    for kind, body in [*trial.bodies, *variations(trial.bodies, trial.seed, trial.effort)]:
        release = trial.release((kind, body))
        for raw, media_type, headers in trial.written(release):
            check.tried += 1
            (item, *more) = trial.decode(raw, media_type, headers).items
            if isinstance(item, RefusedItem) and {problem.code for problem in item.problems} == {"wrong-source"}:
                check.tried -= 1
                check.not_applicable = "releases name the gateway as their source: this adapter takes none back"
            elif more or not isinstance(item, SubmittedNotice):
                check.find(f"{kind} as {media_type}", "what was written is not read as one notice")
            elif item.type != kind:
                check.find(f"{kind} as {media_type}", f"comes back as {item.type}")
            elif _by_ref(item.data) != _by_ref(release.data):
                check.find(
                    f"{kind} as {media_type}", "comes back changed: " + _first_difference(release.data, item.data)
                )
            elif item.subject != release.subject:
                check.find(f"{kind} as {media_type}", "the case handle does not come back")


def _withheld(trial: Trial, check: Check) -> None:
    """A withheld field is absent when read, and its value nowhere in the bytes."""
    for kind, body in trial.bodies:
        release = trial.release((kind, body), WITHHELD)
        everything = set(leaves(trial.release((kind, body)).data))
        hidden = everything - set(leaves(release.data))
        for raw, media_type, headers in trial.written(release):
            check.tried += 1
            (item, *_) = trial.decode(raw, media_type, headers).items
            if isinstance(item, SubmittedNotice) and _by_ref(item.data) != _by_ref(release.data):
                check.find(f"{kind} as {media_type}", "a withheld field comes back, or another is gone")
            text = _plain(raw)
            if any(value in text and not any(value in shown for shown in leaves(release.data)) for value in hidden):
                check.find(f"{kind} as {media_type}", "the value of a withheld field stands in the bytes")


def _reporter(trial: Trial, check: Check) -> None:
    formats = _formats(trial.adapter)
    fields = sorted(
        {
            rule.argument
            for one in formats
            for group in one.mapping.groups
            for rule in group.fields
            if rule.action == "vault"
        }
    )
    if not fields:
        check.not_applicable = "no declared reporter fields: try it on samples of your own"
    for one in formats:
        reporter = dict.fromkeys(fields, _MARK)
        for kind, body in trial.bodies[:8]:
            outgoing = Outgoing(kind, "C-1", "", datetime(2026, 3, 1, tzinfo=UTC))
            written = one.write_native(body, outgoing, reporter=reporter)
            if _MARK not in _plain(written.body):
                continue
            check.tried += 1
            for item in trial.decode(written.body, written.media_type).items:
                if isinstance(item, SubmittedNotice):
                    if _MARK not in str(dict(item.reporter)):
                        check.find(f"{kind} as {written.media_type}", "the reporter is not in the vault")
                    if _MARK in str((item.data, item.gaps, item.provenance, item.subject, item.native_id)):
                        check.find(f"{kind} as {written.media_type}", "the reporter stands outside the vault")


def _determinism(trial: Trial, check: Check) -> None:
    for body in trial.bodies:
        first, second = (list(trial.written(trial.release(body))) for _ in range(2))
        check.tried += 1
        if first != second:
            check.find(str(body[0]), "equal releases give different bytes")
    for raw, media_type in trial.messages():
        check.tried += 1
        if trial.decode(raw, media_type) != trial.decode(raw, media_type):
            check.find(media_type, "equal bytes are read differently")


def _fuzz(trial: Trial, check: Check) -> None:
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


def _limits(trial: Trial, check: Check) -> None:
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


def _manifest(trial: Trial, check: Check) -> None:
    """What is dropped by rule is declared; reading samples drops nothing else; and rereading loses nothing more."""
    declared: Mapping[str, str] = getattr(trial.adapter, "manifest", {})
    listed = [_last_step(part) for key in declared for part in key.split(",")]
    for one in _formats(trial.adapter):
        for group in one.mapping.groups:
            for rule in group.fields:
                if rule.action == "drop":
                    check.tried += 1
                    names = [_last_step(".".join(path)) for path in rule.aliases]
                    if not any(fnmatchcase(name, pattern) for name in names for pattern in listed):
                        check.find(".".join(rule.native), "dropped by rule, and not in the manifest")
    for raw, media_type in trial.samples:
        for item in trial.decode(raw, media_type).items:
            if not isinstance(item, SubmittedNotice) or item.type not in trial.adapter.conveys:
                continue
            check.tried += 1
            for gap in item.gaps:
                if gap.code == "dropped" and not any(fnmatchcase(_last_step(gap.position), p) for p in listed):
                    check.find(gap.position, "dropped from a sample, and not in the manifest")
            release = trial.release((item.type, dict(item.data)))
            for again, written_type, headers in trial.written(release):
                (back, *_) = trial.decode(again, written_type, headers).items
                if isinstance(back, SubmittedNotice) and _by_ref(back.data) != _by_ref(release.data):
                    check.find(media_type, "a sample does not survive: " + _first_difference(release.data, back.data))


def _formats(adapter: Adapter) -> Sequence[MappedAdapter]:
    if isinstance(adapter, FormatChoice):
        return tuple(adapter.formats.values())
    return (adapter,) if isinstance(adapter, MappedAdapter) else ()


def _last_step(position: str) -> str:
    """`/REQUEST/BODY/JQ[2]/BJR_*` -> `BJR_*`, `row 3, column 处置措施` -> `处置措施`, `message 2, PID-3[2].1` -> `PID-3`."""
    last = position.strip().rsplit("column ", 1)[-1].rsplit("/", 1)[-1].rsplit(", ", 1)[-1].rsplit(": ", 1)[-1]
    return last.split("[", 1)[0].removeprefix("@").strip()


def _by_ref(data: Mapping[str, Any]) -> dict[str, Any]:
    """Persons are a set: their order says nothing."""
    out = dict(data)
    if isinstance(out.get("persons"), list):
        out["persons"] = sorted(out["persons"], key=lambda person: str(person.get("ref")))
    return out


def _first_difference(ours: Any, theirs: Any, path: str = "") -> str:
    """The place where two bodies first differ; no values."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        ours, theirs = (_by_ref(ours), _by_ref(theirs)) if not path else (ours, theirs)
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in theirs:
                return f"{path}/{name} is gone"
            if name not in ours:
                return f"{path}/{name} is new"
            if ours[name] != theirs[name]:
                return _first_difference(ours[name], theirs[name], f"{path}/{name}")
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if one != other:
                return _first_difference(one, other, f"{path}/{index}")
    return f"{path or '/'} differs"


def _plain(raw: bytes) -> str:
    """Bytes as text for a search, with the members of a zip unpacked."""
    if raw[:4] == b"PK\x03\x04":
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            raw = b"\n".join(archive.read(name) for name in archive.namelist())
    head = raw[:200].upper()
    return raw.decode("gb18030" if b"GB18030" in head else "utf-8", "replace")


CHECKS: Sequence[tuple[str, str, str, Callable[[Trial, Check], None]]] = (
    ("declares", "自述完整", "says what it is, sends and conveys", _declarations),
    ("three-outcomes", "三种结果，各有位置与改法", "accepts, accepts with gaps, or refuses with remedy", _outcomes),
    ("holds", "报文为网关所接收", "intake takes what the samples say", _holds),
    ("no-values-in-gaps", "缺口不含原值", "no value of a message in gaps and refusals", _values),
    ("round-trip", "写出再读回不变", "decode(encode(x)) = x for every type it conveys", _round_trip),
    ("withheld-is-absent", "不予提供即不出现", "a withheld field is absent", _withheld),
    ("reporter-to-vault", "报告人只入保险库", "the reporter goes to the vault and nowhere else", _reporter),
    ("deterministic", "同样输入同样输出", "equal input, equal output", _determinism),
    ("fuzz", "损坏输入不抛错、不超时、不泄露", "no exception, no hang and nothing told on damaged bytes", _fuzz),
    ("limits", "超限即拒", "what is too large or too deep is refused soon", _limits),
    ("manifest", "损失清单属实", "loses only what its manifest lists", _manifest),
)
