"""What must hold of a release when it is written: it comes back whole, and holds nothing that was withheld?"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from adapters.conformance.bodies import leaves, variations
from adapters.conformance.report import Check
from adapters.conformance.trial import Trial
from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.formats import FormatChoice
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Adapter, RefusedItem

WITHHELD = (
    "minor.name", "minor.id_no", "minor.birth_date", "minor.sex", "minor.residence.address", "harm.narrative",
    "guardian.name", "guardian.relation", "infringer.name", "place.detail",
)  # fmt: skip
_MARK = "护通测试报告人"


def round_trip(trial: Trial, check: Check) -> None:
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


def withheld(trial: Trial, check: Check) -> None:
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


def reporter(trial: Trial, check: Check) -> None:
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


def determinism(trial: Trial, check: Check) -> None:
    for body in trial.bodies:
        first, second = (list(trial.written(trial.release(body))) for _ in range(2))
        check.tried += 1
        if first != second:
            check.find(str(body[0]), "equal releases give different bytes")
    for raw, media_type in trial.messages():
        check.tried += 1
        if trial.decode(raw, media_type) != trial.decode(raw, media_type):
            check.find(media_type, "equal bytes are read differently")


def manifest(trial: Trial, check: Check) -> None:
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
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            raw = b"\n".join(archive.read(name) for name in archive.namelist())
    head = raw[:200].upper()
    return raw.decode("gb18030" if b"GB18030" in head else "utf-8", "replace")
