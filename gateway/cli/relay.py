"""hutong relay: have a message passed on through a handle, without learning the contact behind it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.frame import json_option, show, speaks
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Profile


@click.command(help="转达 · send TEXT through HANDLE (rl-…) of a release; `-` reads it from standard input")
@click.argument("handle", metavar="HANDLE")
@click.argument("text", metavar="TEXT")
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option(
    "--officer", default="", help="经办人代号，对方可经句柄答复 officer acting; the answer may come to a handle"
)
@click.option("--id", "name", default="", help="本单位的编号，重发用同一编号 own id: the same one to send it again")
@profile_option
@json_option
@speaks
async def relay(handle: str, text: str, office: str, officer: str, name: str, profile: Path, as_json: bool) -> None:
    said = sys.stdin.read() if text == "-" else text
    async with AgencyClient(Profile.load(profile, office), officer=officer) as client:
        answer = await client.relay(handle, said, name)
    if as_json:
        show(answer)
    else:
        click.echo(
            f"已收下，转交持有联系方式的单位 taken, for the office that holds the contact  通报 notice {answer['notice']}"
        )
