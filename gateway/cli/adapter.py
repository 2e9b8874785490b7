"""hutong adapter: what the adapters speak, whether they keep their promises, and what one makes of a file.

`decode`, `encode` and `check` run here, without a gateway, and store nothing. `unmapped` asks the running gateway.

Exit codes: 0 done (decode: everything was accepted, gaps or not), 1 the answer is no (a check failed, an item was
refused), 2 wrong usage, 3 refused (a real identity without --allow-real), 4 no gateway runs.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from adapters.conformance import Sample, run
from adapters.conformance.bodies import example_bodies
from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.converters import CHINA
from adapters.kit.formats import FormatChoice
from adapters.registry import load_adapters
from gateway.cli.frame import (
    EXIT_NO,
    Admin,
    config_option,
    fail,
    json_option,
    settings_of,
    show,
    speaks,
    table,
)
from gateway.cli.submit import media_type_of
from gateway.engines.files.documents import default_rules
from gateway.http.in_chinese import both
from gateway.http.problems import in_both
from gateway.model.agency import Office
from gateway.model.errors import InvalidDocument, NotPermitted, Problem
from gateway.model.identifiers import NoticeType, OfficeId, parse_office_id
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Adapter, RefusedItem
from gateway.simulation.releases import everything_but
from gateway.simulation.scenarios import WRITERS, messages
from gateway.validation.validate import validate

SYNTHETIC = "999999"
_NUMBER = re.compile(r"(?<![0-9])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_SAMPLED_CASES = 8

agency_argument = click.argument("agency", metavar="AGENCY")
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
real_option = click.option(
    "--allow-real", is_flag=True, help="允许非合成身份号码 take identity numbers outside the area prefix 999999"
)
media_option = click.option("--media-type", default="", help="媒体类型 media type, by default from the file or adapter")


@click.group(name="adapter", help="适配器 · what agencies' formats are read and written by")
def adapter() -> None:
    pass


@adapter.command(
    "list", help="列出 · name, agency, media types, types sent and conveyed, built-in and plugged-in alike"
)
@json_option
def list_(as_json: bool) -> None:
    rows = [
        {
            "name": one.name, "agency": one.agency, "media_types": list(one.media_types), "sends": sorted(one.sends),
            "conveys": sorted(one.conveys), "manifest": dict(getattr(one, "manifest", {})),
        }
        for one in _adapters().values()
    ]  # fmt: skip
    if as_json:
        show(rows)
        return
    counted: list[dict[str, Any]] = [
        {"name": one.name, "sends": len(one.sends), "conveys": len(one.conveys), "media_types": one.media_types}
        for one in _adapters().values()
    ]
    table(
        counted,
        {
            "name": "名称 name",
            "sends": "发送类型 sends",
            "conveys": "承载类型 conveys",
            "media_types": "媒体类型 media types",
        },
    )


@adapter.command(
    "check", help="符合性检查 · the conformance suite on one adapter; FILES are further samples of its format"
)
@agency_argument
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seed", default=1, show_default=True, help="随机种子 seed")
@click.option("--effort", default=60, show_default=True, help="变体数量 how many seeded variations")
@json_option
def check(agency: str, files: tuple[Path, ...], seed: int, effort: int, as_json: bool) -> None:
    chosen = _adapter(agency)
    samples: list[Sample] = [(file.read_bytes(), media_type_of(file, file.read_bytes())) for file in files]
    if agency in WRITERS:
        samples += [(one.file.body, one.file.media_type) for one in messages(seed, _SAMPLED_CASES, agency)]
    outcome = run(chosen, everything_but, example_bodies(), samples, seed=seed, effort=effort, judge=_intake)
    if as_json:
        show(
            {
                "adapter": agency,
                "conforms": not any(one.failed for one in outcome),
                "checks": [
                    {
                        "name": one.name, "state": one.state, "tried": one.tried, "note": one.not_applicable,
                        "findings": [{"where": found.where, "what": found.what} for found in one.findings],
                    }
                    for one in outcome
                ],
            }
        )  # fmt: skip
    else:
        words = {"passed": "通过 passed", "failed": "未通过 FAILED", "skipped": "未试 skipped"}
        for one in outcome:
            click.echo(f"{words[one.state]}  {one.name}  {one.zh} · {one.en} ({one.tried})")
            for found in one.findings:
                click.echo(f"    {found.where}: {found.what}")
    if any(one.failed for one in outcome):
        sys.exit(EXIT_NO)


@adapter.command(
    "decode",
    help="解码 · FILE as the adapter understands it: canonical JSON, gaps at native positions, what intake refuses",
)
@agency_argument
@file_argument
@media_option
@click.option("--as", "office", default="", metavar="OFFICE", help="发送单位 sender, by default AGENCY.440113")
@real_option
@json_option
def decode(agency: str, file: Path, media_type: str, office: str, allow_real: bool, as_json: bool) -> None:
    chosen = _adapter(agency)
    raw = file.read_bytes()
    sender = _office(chosen, office)
    decoded = chosen.decode(raw, media_type or media_type_of(file, raw, chosen.media_types[0]), sender, {})
    if not allow_real:
        _synthetic_only(
            [(item.data, dict(item.reporter)) for item in decoded.items if isinstance(item, SubmittedNotice)]
        )
    told = [_told(item) for item in decoded.items]
    if as_json:
        show(told)
    else:
        for number, one in enumerate(told, 1):
            _print_item(number, one)
    if any(one["outcome"] == "refused" or one["intake"] for one in told):
        sys.exit(EXIT_NO)


@adapter.command(
    "encode", help="编码 · a canonical JSON FILE (CloudEvent, or `type` and `data`) as the agency would write it"
)
@agency_argument
@file_argument
@media_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="写入文件 write here, not to the screen")
@real_option
@json_option
def encode(agency: str, file: Path, media_type: str, out: Path | None, allow_real: bool, as_json: bool) -> None:
    chosen = _adapter(agency)
    if not isinstance(chosen, MappedAdapter | FormatChoice):
        raise click.UsageError("此适配器不能代写原生报文 this adapter has no writer of its agency's own messages")
    document = _document(file)
    if not allow_real:
        _synthetic_only([document])
    kind = str(document["type"]).removeprefix("hutong.notice.").removesuffix(".v1")
    if kind not in chosen.conveys:
        raise click.UsageError(f"此格式不承载 this format does not convey {kind}")
    outgoing = Outgoing(
        NoticeType(kind), str(document.get("id", "1")), str(document.get("subject", "")), _time(document)
    )
    written = chosen.write_native(document["data"], outgoing, media_type, document.get("reporter"))
    if out is not None:
        out.write_bytes(written.body)
    if as_json:
        text = None if out is not None else written.body.decode("utf-8", "replace")
        show({"media_type": written.media_type, "bytes": len(written.body), "text": text})
    elif out is None:
        sys.stdout.buffer.write(written.body)
    else:
        click.echo(f"{out}  {written.media_type}  {len(written.body)} B")


@adapter.command("unmapped", help="未能映射 · what an office's system sent and no rule could map: by position and code")
@click.argument("office", metavar="OFFICE")
@click.option(
    "--days", default=7, show_default=True, type=click.IntRange(1, 366), help="最近几天 the last so many days"
)
@config_option
@json_option
@speaks
async def unmapped(office: str, days: int, config: Path, as_json: bool) -> None:
    found = await Admin(settings_of(config)).call("GET", f"/admin/v1/offices/{office}/unmapped", days=days)
    if as_json:
        show(found)
        return
    click.echo(f"{office}: 有缺口的通报 notices with gaps {found['notices_with_gaps']}, {days} 天 days")
    table(
        found["rows"],
        {
            "count": "次数 count",
            "code": "代码 code",
            "position": "原生位置 native position",
            "target": "目标 target",
            "newest": "最近 newest",
        },
    )
    if found["truncated"]:
        click.echo("（只看了最近的一部分 only the newest were looked at）")


def _intake(item: SubmittedNotice) -> tuple[Problem, ...]:
    """What intake has against a notice by its schema."""
    valid = validate(item, default_rules(), datetime.now(CHINA).date())
    return valid if isinstance(valid, tuple) else ()


def _adapter(name: str) -> Adapter:
    known = _adapters()
    if name not in known:
        raise click.UsageError(f"没有此适配器 no such adapter: {name}; " + ", ".join(sorted(known)))
    return known[name]


def _adapters() -> Mapping[str, Adapter]:
    """All that are installed; one that does not load is named, with all that is wrong with it."""
    try:
        return load_adapters()
    except InvalidDocument as broken:
        raise SystemExit(fail(broken)) from broken


def _office(chosen: Adapter, named: str) -> Office:
    office = parse_office_id(named) if named else OfficeId(f"{chosen.agency or 'community'}.440113")
    return Office(office, office, adapter=chosen.name)


def _synthetic_only(documents: list[Any]) -> None:
    """Identity numbers outside the area prefix 999999 may be somebody's. Exits 3; the number is not shown."""
    text = json.dumps(documents, ensure_ascii=False, default=str)
    if any(not number.startswith(SYNTHETIC) for number in _NUMBER.findall(text)):
        problem = Problem("real-identity", "persons.id_no", "an identity number may be a real person's", "--allow-real")
        refused = NotPermitted(
            "synthetic identities only (area prefix 999999)",
            remedy="give --allow-real where you may process this data",
            problems=(problem,),
        )
        sys.exit(fail(refused))


def _told(item: SubmittedNotice | RefusedItem) -> dict[str, Any]:
    if isinstance(item, RefusedItem):
        problems = [in_both(p.told()) for p in item.problems]
        return {"outcome": "refused", "position": item.position, "problems": problems, "intake": []}
    gaps = [{"code": g.code, "position": g.position, "message": both(g.message), "target": g.target} for g in item.gaps]
    return {
        "outcome": "accepted-with-gaps" if gaps else "accepted",
        "type": item.type,
        "id": item.native_id,
        "subject": item.subject,
        "time": None if item.time is None else item.time.isoformat(),
        "data": dict(item.data),
        "vault": sorted(item.reporter),
        "sealed": sorted(item.sealed),
        "gaps": gaps,
        "intake": [in_both(p.told()) for p in _intake(item)],
        "provenance": {entry.pointer: entry.source for entry in item.provenance},
    }


def _print_item(number: int, one: dict[str, Any]) -> None:
    words = {
        "accepted": "接收 accepted",
        "accepted-with-gaps": "接收，有缺口 accepted with gaps",
        "refused": "拒收 refused",
    }
    if one["outcome"] == "refused":
        click.echo(f"#{number} {words['refused']}")
        for problem in one["problems"]:
            click.echo(f"  {problem['position']}: [{problem['code']}] {problem['message']} → {problem['remedy']}")
        return
    click.echo(f"#{number} {words[one['outcome']]}  {one['type']}  {one['id']}")
    click.echo(json.dumps(one["data"], ensure_ascii=False, indent=2))
    for problem in one["intake"]:
        where = problem.get("native") or problem["position"]
        click.echo(
            f"  网关将拒收 intake refuses {where}: [{problem['code']}] {problem['message']} → {problem['remedy']}"
        )
    if one["vault"]:
        click.echo(f"  入保险库 to the vault: {' '.join(one['vault'])}")
    for gap in one["gaps"]:
        target = f" ({gap['target']})" if gap["target"] else ""
        click.echo(f"  缺口 gap {gap['position']}: [{gap['code']}] {gap['message']}{target}")


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except ValueError as broken:
        raise click.UsageError("文件不是 JSON the file is not JSON") from broken
    if isinstance(document, list) and len(document) == 1:  # as `decode --json` prints one notice
        document = document[0]
    if isinstance(document, list):
        raise click.UsageError(
            f"文件有 {len(document)} 条，请只留一条 the file holds {len(document)} notices: keep one"
        )
    if not isinstance(document, dict) or "type" not in document or not isinstance(document.get("data"), dict):
        raise click.UsageError("需要 type 与 data the file needs `type` and `data`")
    return document


def _time(document: dict[str, Any]) -> datetime:
    if not document.get("time"):
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(str(document["time"]))
    except ValueError as broken:
        raise click.UsageError("time 须为 RFC 3339 `time` is RFC 3339 with an offset") from broken
    if moment.tzinfo is None:
        raise click.UsageError("time 须含时差 `time` is RFC 3339 with an offset")
    return moment
