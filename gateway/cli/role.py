"""hutong role: who of the staff may administer, write, approve, audit. Kept in the store, every change in the log."""

from __future__ import annotations

import click

from gateway.cli.frame import Admin, acts, json_option, show, table
from gateway.services.roles import ROLE_TITLES

_ROLES = "; ".join(f"{role.value} {title}" for role, title in ROLE_TITLES.items())


@click.group(help=f"人员角色 · roles of the staff: {_ROLES}")
def role() -> None:
    pass


@role.command("list", help="现有角色 · every role now held")
@json_option
@acts
async def list_(admin: Admin, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/roles")
    if as_json:
        show(found)
        return
    table(
        found,
        {"name": "姓名代号 name", "title": "角色 role", "granted_by": "授予人 granted by", "granted_at": "时间 at"},
    )


@role.command("grant", help="授予角色 · give NAME a role; takes a security administrator")
@click.argument("name")
@click.argument("role_name", metavar="ROLE", type=click.Choice([one.value for one in ROLE_TITLES]))
@json_option
@acts
async def grant(admin: Admin, name: str, role_name: str, as_json: bool) -> None:
    made = await admin.call("POST", "/admin/v1/roles", {"name": name, "role": role_name})
    if as_json:
        show(made)
        return
    click.echo(f"已授予 granted: {name} {role_name}")


@role.command("revoke", help="撤销角色 · take a role from NAME; takes a security administrator")
@click.argument("name")
@click.argument("role_name", metavar="ROLE", type=click.Choice([one.value for one in ROLE_TITLES]))
@json_option
@acts
async def revoke(admin: Admin, name: str, role_name: str, as_json: bool) -> None:
    made = await admin.call("DELETE", f"/admin/v1/roles/{name}/{role_name}")
    if as_json:
        show(made)
        return
    click.echo(f"已撤销 revoked: {name} {role_name}")
