"""hutong doctor: is everything as it must be? Each finding says what to do."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import click

from gateway.assembly_engines import Documents
from gateway.cli.frame import EXIT_NO, Admin, config_option, json_option, settings_of, show, speaks, table
from gateway.config import Settings
from gateway.engines.files.packs import pack_files
from gateway.engines.postgres.inspect import inspect_database
from gateway.engines.rabbitmq.check import check_broker
from gateway.engines.system.clock import SystemClock
from gateway.http.in_chinese import both
from gateway.model.agency import QueueUse
from gateway.model.errors import HutongError, Unavailable
from gateway.model.identifiers import OfficeId
from gateway.policy.load import load_policy


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is ok, warning or wrong."""

    what: str
    state: str
    remedy: str = ""


@click.command(help="自检 · settings, keys, clock, policy, store, reachability, queues")
@config_option
@json_option
@speaks
async def doctor(config: Path, as_json: bool) -> None:
    settings = settings_of(config)
    findings = [*_files(settings), *_clock(), *_documents(settings)]
    findings += [*await _database(settings), *await _node(settings)]
    rows = [
        {"what": both(finding.what), "state": finding.state, "remedy": both(finding.remedy)} for finding in findings
    ]
    if as_json:
        show(rows)
    else:
        table(rows, {"state": "状态 state", "what": "检查 what", "remedy": "怎么办 remedy"})
    if any(finding.state == "wrong" for finding in findings):
        raise SystemExit(EXIT_NO)


def _files(settings: Settings) -> Iterator[Finding]:
    for name, directory in (("data", settings.directory), ("keys", settings.key_directory)):
        if not directory.is_dir():
            yield Finding(f"{name} directory", "wrong", "run `hutong init`")
        elif stat.S_IMODE(directory.stat().st_mode) & 0o077:
            yield Finding(f"{name} directory is open to others", "wrong", f"chmod 700 the {name} directory")
        else:
            yield Finding(f"{name} directory", "ok")


def _clock() -> Iterator[Finding]:
    """A clock that stands in another decade is the usual sign of a dead battery; steps show as a drift between clocks."""
    year = datetime.now(UTC).year
    yield Finding("clock", "ok" if 2026 <= year < 2100 else "wrong", "" if year >= 2026 else "set the clock, use NTP")
    before = time.time() - time.monotonic()
    drift = abs((time.time() - time.monotonic()) - before)
    yield Finding("clock steps", "ok" if drift < 0.5 else "warning", "" if drift < 0.5 else "let NTP slew, not step")


def _documents(settings: Settings) -> Iterator[Finding]:
    try:
        documents = Documents.read(settings)
        yield Finding(f"schemas: {len(documents.catalogue.notice_types)} notice types", "ok")
        yield Finding(f"adapters: {', '.join(documents.adapters)}", "ok")
        today = datetime.now(UTC).date()
        policy = load_policy(pack_files(settings.policy_directory), documents.catalogue.fields, today, settings.region)
        yield Finding(f"policy pack proves: {policy.hash[:16]}", "ok")
    except HutongError as error:
        first = error.problems[0] if error.problems else None
        where = f" at {first.position}: {first.message}" if first else ""
        yield Finding(f"{error.message}{where}", "wrong", error.remedy or (first.remedy if first else ""))


async def _database(settings: Settings) -> list[Finding]:
    """What a cluster needs of its database."""
    if not settings.is_clustered:
        return []
    allowed_skew = timedelta(seconds=settings.limits.clock_skew_seconds)
    try:
        return [
            Finding(what, "ok" if holds else level, "" if holds else remedy)
            for what, holds, level, remedy in await inspect_database(settings.postgres.url, SystemClock(), allowed_skew)
        ]
    except HutongError as error:
        return [Finding(error.message, "wrong", error.remedy or "start the database, check postgres.address")]


async def _node(settings: Settings) -> list[Finding]:
    try:
        offices = await Admin(settings).call("GET", "/admin/v1/offices")
    except Unavailable:
        return [Finding("no gateway runs with these settings", "warning", "start it: hutong serve")]
    findings = [
        Finding(f"gateway runs, {len(offices)} offices", "ok"),
        _time(await Admin(settings).call("GET", "/admin/v1/time")),
    ]
    for office in offices:
        if office.get("doubted"):
            remedy = "find out who wrote it; then hutong office add with the key from the office itself, or hutong office vouch"
            findings.append(Finding(f"the entry of {office['id']} was changed in the database", "wrong", remedy))
        if "webhook" in office:
            findings.append(await _reach(office["id"], office["webhook"]["url"]))
    if settings.rabbitmq.addresses:
        queues = {OfficeId(one["id"]): QueueUse(one["queue"]) for one in offices if "queue" in one}
        findings += [Finding(*found) for found in await check_broker(settings.rabbitmq, queues)]
    return findings


def _time(told: Any) -> Finding:
    if not told["doubt"]:
        return Finding("the gateway's time", "ok")
    remedy = "set the clock by NTP; nothing expires or is destroyed until an office signs in by the clock's time"
    return Finding(f"the gateway's time is in doubt: {told['doubt']}", "wrong", remedy)


async def _reach(office: str, url: str) -> Finding:
    """Whether something answers there; any HTTP answer counts."""
    try:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.head(url, allow_redirects=False):
            return Finding(f"{office} webhook answers", "ok")
    except (aiohttp.ClientError, TimeoutError):
        return Finding(f"{office} webhook does not answer", "warning", "ask the office; deliveries wait meanwhile")
