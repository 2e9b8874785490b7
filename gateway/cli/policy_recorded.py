"""hutong policy replay|simulate|preview: why was this shown, what would a draft change, what would two offices see?

`replay EVENT` and `simulate` ask the running gateway's log; with a file of recorded
decisions (JSON lines) they need none. `preview` asks the running gateway.

Exit codes: 0 the same, or nothing to say; 1 a decision differs; 3 refused; 4 no gateway runs here.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import (
    EXIT_NO,
    Admin,
    acts,
    config_option,
    json_option,
    operator_option,
    settings_of,
    show,
    speaks,
    table,
)
from gateway.cli.policy_life import short
from gateway.cli.policy_source import (
    IN_FORCE,
    WORDS,
    Asking,
    asked_of_gateway,
    asks,
    which_option,
)
from gateway.cli.submit import media_type_of
from gateway.engines.files.documents import default_catalogue
from gateway.model.access import PRESETS, Facet
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import FieldId, PolicyHash
from gateway.policy.compiled import Policy
from gateway.policy.replay import RecordedDecision
from gateway.policy.replay import replay as decide_again
from gateway.policy.replay import simulate as ask_draft
from gateway.policy.rows import facet_names, facet_text


def _records(path: Path) -> list[RecordedDecision]:
    """One JSON object per line: id, policy, outcome, facts, accepts, shown (field to facet names), persons."""
    records: list[RecordedDecision] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            read = json.loads(line)
            shown = {
                FieldId(name): Facet(sum(Facet[facet.upper()] for facet in facets))
                for name, facets in read["shown"].items()
            }
            records.append(
                RecordedDecision(
                    read["id"], PolicyHash(read["policy"]), read["outcome"], read["facts"], frozenset(read["accepts"]), shown, read.get("persons", {})
                )
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise click.ClickException(f"{path}:{number}: 不是决定记录 not a recorded decision") from error
    return records


_stored = click.option("--policy", "which", metavar="WHICH", default=IN_FORCE, help=f"{WORDS} [in-force 生效的]")


def join(group: click.Group) -> None:
    for command in (replay, simulate, preview, stale_grants):
        group.add_command(command)


@click.command(
    "replay",
    help="重算一次披露 · decide a recorded disclosure again: WHAT is the event of the log, or a file of recorded decisions."
    " A disclosure of the log is decided under the policy it names; of an accepted notice the event tells by which tables and"
    " rules it was routed. --policy is for a file. Exit 1 when it differs",
)
@click.argument("what", metavar="WHAT")
@asks(which_option)
async def replay(asking: Asking, what: str) -> None:
    if Path(what).is_file():
        holds = _replay_file(Path(what), await asking.policy(), asking.as_json)
    else:
        found = await asking.gateway().call("GET", f"/admin/v1/replays/{what}")
        holds = bool(found["holds"])
        if asking.as_json:
            show(found)
        elif "rules" in found:
            _print_routing(found)
        else:
            _print_replay(found)
    if not holds:
        sys.exit(EXIT_NO)


@click.command("stale-grants", help="久未使用的许可 · permits that no disclosure rested on for --days")
@click.option("--days", default=90, help="天数 days")
@json_option
@acts
async def stale_grants(admin: Admin, days: int, as_json: bool) -> None:
    found = await admin.call("GET", "/admin/v1/policies:stale-grants", days=days)
    if as_json:
        show(found)
    else:
        table(found, {"rule": "规则 rule", "title": "名称 title", "citation": "依据 citation"})


def _print_routing(found: dict[str, Any]) -> None:
    click.echo(f"{found['event']}  {found['at']}  {found['type']} {found['notice']}")
    click.echo(f"当时的策略 policy then in force: {found['policy'] or '节点自身的文件 the files of the node'}")
    click.echo(f"当时的路由表 routing tables: {found['tables']}")
    columns = {"id": "规则 rule", "zh": "名称 title", "holds": "成立 holds", "recipients": "送给 recipients", "citation": "依据 citation"}  # fmt: skip
    table(found["rules"], columns)
    if found["undecidable"]:
        click.echo(f"无法重算 undecidable: {found['undecidable']}")
    else:
        click.echo("= 与规则相符 it follows from these rules" if found["holds"] else "≠ 与规则不符 it does not follow")


def _print_replay(found: dict[str, Any]) -> None:
    catalogue = default_catalogue().fields
    click.echo(f"{found['event']}  {found['at']}  → {found['recipient']}  目的 purpose {found['purpose']}")
    click.echo(f"当时的策略 policy then in force: {found['policy']}")
    click.echo("当时的事实 facts: " + "  ".join(f"{name}={value}" for name, value in found["facts"].items()))
    rows = [
        {"field": name, "zh": spec.title_zh if (spec := catalogue.get(FieldId(name))) else "", "form": form}
        for name, form in found["fields"].items()
    ]
    table(rows, {"field": "字段 field", "zh": "名称 title", "form": "所见 form"})
    click.echo(f"依据规则 because: {' '.join(found['because'])}")
    if found["limits"]:
        click.echo(f"限制 limits: {' '.join(found['limits'])}")
    for one in found["differences"]:
        click.echo(f"≠ {one['field']}: 记录 recorded {one['recorded']}，重算 now {one['now']}")
    if found["undecidable"]:
        click.echo(f"无法重算 undecidable: {found['undecidable']}")
    else:
        click.echo("= 重算结果相同 the same again" if found["holds"] else "≠ 重算结果不同 it comes out differently")


def _replay_file(records: Path, compiled: Policy, as_json: bool) -> bool:
    found = [decide_again(one, compiled) for one in _records(records)]
    if as_json:
        show([
            {
                "id": one.id, "holds": one.holds, "same_policy": one.same_policy, "undecidable": one.undecidable,
                "differences": [
                    {"field": d.field, "recorded": facet_names(d.recorded), "now": facet_names(d.now)}
                    for d in one.differences
                ],
            }
            for one in found
        ])  # fmt: skip
    else:
        for one in found:
            mark = "=" if one.holds else "≠"
            click.echo(f"{mark} {one.id} {one.undecidable} {' '.join(d.field for d in one.differences)}".rstrip())
        click.echo(f"{sum(one.holds for one in found)}/{len(found)} 相同 the same")
    return all(one.holds for one in found)


@click.command(
    "simulate",
    help="草案对既往披露的影响 · what a draft would have changed in the log's disclosures, or in a file of recorded decisions",
)
@click.argument("records", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--since", help="从何时起 from when on, RFC 3339 with offset")
@click.option("--most", default=10_000, help="最多条数，从最新起 how many, the newest first")
@asks(_stored)
async def simulate(asking: Asking, records: Path | None, since: str | None, most: int) -> None:
    if records is not None:
        asked = ask_draft(await asking.policy(), _records(records))
        found: dict[str, Any] = {
            "records": asked.records, "changed": [one.id for one in asked.changed],
            "undecidable": [one.id for one in asked.undecidable],
            "no_longer_delivered": asked.no_longer_delivered, "newly_delivered": asked.newly_delivered,
            "fields": [{"field": one, "more": more, "less": less} for one, (more, less) in sorted(asked.by_field.items())],
        }  # fmt: skip
    else:
        document = {**asked_of_gateway(asking.which), "most": most, **({} if since is None else {"since": since})}
        found = await asking.gateway().call("POST", "/admin/v1/policies:simulate", document)
    if asking.as_json:
        show(found)
        return
    table(found["fields"], {"field": "字段 field", "more": "看到更多 sees more", "less": "看到更少 sees less"})
    click.echo(
        f"记录 records {found['records']}  改变 changed {len(found['changed'])}  无法重算 undecidable {len(found['undecidable'])}  "
        f"不再送达 no longer delivered {found['no_longer_delivered']}  新送达 newly delivered {found['newly_delivered']}"
    )


@click.command(
    "preview",
    help="并排预览 · what two offices would see of WHAT, a file with one message (synthetic identities only) or a notice's id"
    " (forms, no values)",
)
@click.argument("what", metavar="WHAT")
@click.option(
    "--to", "recipients", multiple=True, required=True, metavar="OFFICE", help="接收单位，可多次 recipient, repeatable"
)
@click.option("--from", "sender", default="", metavar="OFFICE", help="报送单位（文件时） sender of the file")
@click.option("--media-type", help="媒体类型，默认按扩展名 media type, by default from the file's name")
@_stored
@operator_option
@config_option
@json_option
@speaks
async def preview(
    what: str, recipients: tuple[str, ...], sender: str, media_type: str | None, which: str, operator: str,
    config: Path, as_json: bool,
) -> None:  # fmt: skip
    document: dict[str, Any] = {**asked_of_gateway(which), "recipients": list(recipients)}
    file = Path(what)
    if file.is_file():
        if not sender:
            raise InvalidDocument("a file has a sender", remedy="give --from OFFICE")
        body = file.read_bytes()
        document |= {
            "body_base64": b64encode(body).decode(), "media_type": media_type or media_type_of(file, body), "sender": sender,
        }  # fmt: skip
    else:
        document["notice"] = what
    found = await Admin(settings_of(config), operator).call("POST", "/admin/v1/policies:preview", document)
    if as_json:
        show(found)
    else:
        _print_preview(found)


def _print_preview(found: dict[str, Any]) -> None:
    catalogue, seen = default_catalogue().fields, found["recipients"]
    click.echo(f"{found['type']}  策略 policy {short(found['policy'])}")
    rows: list[dict[str, Any]] = [{"field": "送达 delivered", **{one["recipient"]: _gate(one) for one in seen}}]
    rows += [{"field": "目的 purpose", **{one["recipient"]: one["purpose"] for one in seen}}]
    for name in sorted({name for one in seen for name in one["fields"]}):
        spec = catalogue.get(FieldId(name))
        row: dict[str, Any] = {"field": name, "zh": "" if spec is None else spec.title_zh}
        for one in seen:
            row[one["recipient"]] = _form(one, name)
        rows.append(row)
    table(rows, {"field": "字段 field", "zh": "名称 title", **{one["recipient"]: one["recipient"] for one in seen}})
    for one in seen:
        if one["obligations"]:
            click.echo(f"{one['recipient']} 须履行 owes: {' '.join(one['obligations'])}")
    if any(one["body"] is None and one["delivers"] for one in seen):
        click.echo("只列形式，不列内容 forms only: content of a stored notice needs a grant")
        return
    for one in seen:
        if one["body"] is not None:
            click.echo(f"── {one['recipient']} ──")
            click.echo(json.dumps(one["body"], ensure_ascii=False, indent=2, sort_keys=True))


def _gate(one: dict[str, Any]) -> str:
    if not one["delivers"]:
        return f"否 no ({' '.join(one['cut_by']) or '无规则准许 no rule permits'})"
    return "是 yes" if one["routed"] else "是 yes（未列入路由 not routed there）"


def _form(one: dict[str, Any], name: str) -> str:
    if not one["delivers"]:
        return "-"
    seen = one["fields"].get(name)
    if seen is None or seen["form"] == "withhold":
        return "-" if seen is None or not seen["cut_by"] else f"-  ⊣ {seen['cut_by'][0]}"
    named = PRESETS.get(seen["form"])
    text = seen["form"] if named is None else str(facet_text(named))
    return f"{text}  ← {seen['because'][0]}" if seen["because"] else text
