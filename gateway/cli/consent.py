"""hutong consent: record, withdraw and show consents, from the office's side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import json_option, show, speaks
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Profile
from gateway.consent.receipt import ANY_PURPOSE


@click.group(help="同意 · consents of guardians and children")
def consent() -> None:
    pass


@consent.command("record", help="登记 · record a yes or no under ID from FILE: persons and what was agreed, as JSON")
@click.argument("id_", metavar="ID")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--officer", default="", help="经办人代号 pseudonymous reference to the officer acting")
@profile_option
@json_option
@speaks
async def record(id_: str, file: Path, office: str, officer: str, profile: Path, as_json: bool) -> None:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    async with AgencyClient(Profile.load(profile, office), officer=officer) as client:
        _tell(await client.record_consent(id_, document), as_json)


@consent.command("withdraw", help="撤回 · withdraw ID; answers when nothing decided before can leave any more")
@click.argument("id_", metavar="ID")
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--officer", default="", help="经办人代号 pseudonymous reference to the officer acting")
@profile_option
@json_option
@speaks
async def withdraw(id_: str, office: str, officer: str, profile: Path, as_json: bool) -> None:
    async with AgencyClient(Profile.load(profile, office), officer=officer) as client:
        _tell(await client.withdraw_consent(id_), as_json)


@consent.command("show", help="查看 · the state of ID, with the receipt for the person")
@click.argument("id_", metavar="ID")
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@profile_option
@json_option
@speaks
async def show_(id_: str, office: str, profile: Path, as_json: bool) -> None:
    async with AgencyClient(Profile.load(profile, office)) as client:
        records = await client.consent(id_)
    _tell({"consent": id_, "records": records}, as_json)


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(answer)
        return
    for one in answer["records"]:
        scope = one["receipt"]["pii_processing"]["purposes"]
        named = sorted({office for part in scope for office in part["recipient_third_parties"]})
        purposes = " ".join("一切 any" if part["purpose"] == ANY_PURPOSE else part["purpose"] for part in scope)
        is_no = one["receipt"]["events"][0]["event_state"] == "refused"
        recipients = " ".join(named) or ("一切 any" if is_no else "")
        click.echo(f"{answer['consent']} {one['state']}  目的 purposes {purposes}  接收 recipients {recipients}")
