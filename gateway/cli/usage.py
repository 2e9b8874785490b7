"""hutong usage: tell what became of a release, and get a signed receipt for it (政务数据共享条例第27条、第29条)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import json_option, show, speaks
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Profile
from gateway.services.record_use import METHODS, USES


@click.group(help="使用与处置 · receipts for the use and the disposal of what was received")
def usage() -> None:
    pass


def _records(kind: str, codes: Collection[str], help_: str) -> None:
    """One command per kind of receipt: they differ in the codes alone."""

    @usage.command(kind, help=help_)
    @click.argument("delivery", metavar="DELIVERY")
    @click.argument("code", metavar="CODE", type=click.Choice(sorted(codes)))
    @click.option("--at", help="何时，RFC 3339 when it happened, with offset [此刻 now]")
    @click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
    @click.option("--officer", default="", help="经办人代号 pseudonymous reference to the officer acting")
    @profile_option
    @json_option
    @speaks
    async def record(
        delivery: str, code: str, at: str | None, office: str, officer: str, profile: Path, as_json: bool
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


_records("use", USES, "登记使用 · record a use of DELIVERY")
_records("disposal", METHODS, "处置回执 · confirm that what DELIVERY brought was destroyed, returned or put away")
