"""hutong usage: tell what became of a release, and get a signed receipt for it (政务数据共享条例第27条、第29条)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import json_option, show, speaks
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Profile
from gateway.services.record_use import METHODS, USES

_office = click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
_officer = click.option("--officer", default="", help="经办人代号 pseudonymous reference to the officer acting")
_at = click.option("--at", help="何时，RFC 3339 when it happened, with offset [此刻 now]")


@click.group(help="使用与处置 · receipts for the use and the disposal of what was received")
def usage() -> None:
    pass


@usage.command("use", help="登记使用 · record a use of DELIVERY")
@click.argument("delivery", metavar="DELIVERY")
@click.argument("use", type=click.Choice(sorted(USES)))
@_at
@_office
@_officer
@profile_option
@json_option
@speaks
async def use(delivery: str, use: str, at: str | None, office: str, officer: str, profile: Path, as_json: bool) -> None:
    await _record(delivery, "use", use, at, office, officer, profile, as_json)


@usage.command("disposal", help="处置回执 · confirm that what DELIVERY brought was destroyed, returned or put away")
@click.argument("delivery", metavar="DELIVERY")
@click.argument("method", type=click.Choice(sorted(METHODS)))
@_at
@_office
@_officer
@profile_option
@json_option
@speaks
async def disposal(
    delivery: str, method: str, at: str | None, office: str, officer: str, profile: Path, as_json: bool
) -> None:
    await _record(delivery, "disposal", method, at, office, officer, profile, as_json)


async def _record(
    delivery: str, kind: str, code: str, at: str | None, office: str, officer: str, profile: Path, as_json: bool
) -> None:
    document: dict[str, Any] = {"delivery": delivery.partition(".")[0], "kind": kind, "code": code}
    if at is not None:
        document["at"] = at
    async with AgencyClient(Profile.load(profile, office), officer=officer) as client:
        answer = await client.usage_receipt(document)
    if as_json:
        show(answer)
    else:
        click.echo(f"已登记 recorded {answer['delivery']}: {answer['kind']} {answer['code']}")
