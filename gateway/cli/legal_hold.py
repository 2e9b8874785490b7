"""hutong legal-hold: whose content is kept, whatever else would destroy it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.frame import Admin, config_option, settings_of, show, speaks


@click.group("legal-hold", help="证据保全 · keep a person's content from erasure and expiry")
def legal_hold() -> None:
    pass


@legal_hold.command("set", help="设置 · PERSON is KIND:NUMBER or a person id")
@click.argument("person")
@click.option("--authority", required=True, help="依据代码 code, e.g. court-order")
@config_option
@speaks
async def set_(person: str, authority: str, config: Path) -> None:
    body = {"person": person, "authority": authority}
    show(await Admin(settings_of(config)).call("POST", "/admin/v1/legal-holds", body))


@legal_hold.command("lift", help="解除 · by another person than who set it")
@click.argument("hold")
@config_option
@speaks
async def lift(hold: str, config: Path) -> None:
    show(await Admin(settings_of(config)).call("POST", f"/admin/v1/legal-holds/{hold}/lifting", {}))
