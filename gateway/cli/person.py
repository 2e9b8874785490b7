"""hutong person: who may be one person, and what two compliance officers find of them (DOMAIN 3.5, S2, S11)."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.frame import Admin, acts, json_option, show, table

_STATES = {
    "asked": "已提出，须另一人在一日内确认 noted: a second person confirms within a day",
    "joined": "已认定为同一人 joined: what limits one limits both",
    "parting": "已提出解除，须另一人在一日内确认 noted: still joined until a second person confirms within a day",
    "parted": "已解除 parted: two persons again",
    "declined": "认定不是同一人 two persons: proposed no more",
}
_CONTRADICTIONS = {
    "conflicting-identifiers": "证件号码不一致 conflicting identifiers",
    "conflicting-sex": "性别不一致 conflicting sex",
}
_TWO_HELP = "KIND:NUMBER（如 ID:…）或人员编号 or a person id"


@click.group(help="人员 · persons on record who may be one: proposals, join, part, decline")
def person() -> None:
    pass


@person.command(
    "proposals", help="疑似同一人 · persons who look alike, without names or numbers; --joined: who is joined now"
)
@click.option("--joined", is_flag=True, help="已认定的 the pairs that are one")
@click.option("--after", default="", help="续接 go on behind an answer")
@click.option("--limit", default=50, help="条数 rows")
@json_option
@acts
async def proposals(admin: Admin, joined: bool, after: str, limit: int, as_json: bool) -> None:
    if joined:
        pairs = await admin.call("GET", "/admin/v1/persons/joined")
        columns = {
            "first": "甲 first",
            "second": "乙 second",
            "state": "状态 state",
            "officers": "经办 officers",
            "at": "时间 at",
        }
        show(pairs) if as_json else table(pairs, columns)
        return
    found = await admin.call("POST", "/admin/v1/persons/proposals", {"after": after, "limit": limit})
    if as_json:
        show(found)
        return
    for one in found["proposals"]:
        click.echo(f"{one['first']['person']}  {one['second']['person']}")
        for code in one["contradictions"]:
            click.echo(f"  ！{_CONTRADICTIONS[code]}")
        if one["asked_by"]:
            click.echo(f"  已由 {one['asked_by']} 提出 asked for by, waits for a second person")
        for title, side in (("甲 first", one["first"]), ("乙 second", one["second"])):
            for told in side["notices"]:
                click.echo(f"  {title}  {told['received_at']}  {told['type']}  {told['sender']}  {told['notice']}")
    if not found["proposals"]:
        click.echo("（无 none）")
    if found["after"]:
        click.echo(f"续 more: hutong person proposals --after {found['after']}")


def _finding(name: str, path: str, help_text: str) -> None:
    @person.command(name, help=f"{help_text}. FIRST, SECOND: {_TWO_HELP}")
    @click.argument("first")
    @click.argument("second")
    @click.option("--reason", required=True, help="理由代码 a code, e.g. same-child-by-visit")
    @json_option
    @acts
    async def find(admin: Admin, as_json: bool, **asked: str) -> None:
        done: dict[str, Any] = await admin.call("POST", f"/admin/v1/persons/{path}", asked)
        if as_json:
            show(done)
            return
        click.echo(_STATES[done["state"]])
        for code in done["contradictions"]:
            click.echo(f"  ！{_CONTRADICTIONS[code]}")


_finding("join", "joining", "认定同一人 · find that two persons are one, with two officers")
_finding("part", "parting", "解除认定 · find that joined persons are two, with two officers")
_finding("decline", "declining", "不予认定 · find that two who look alike are two; one officer is enough")
