"""hutong log: search the exchange log, prove what it says, verify that nobody rewrote it, make reports."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import (
    EXIT_NO,
    Admin,
    acts,
    json_option,
    show,
    table,
)
from gateway.model.errors import InvalidDocument, Tampered

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PERSON_HELP = "KIND:NUMBER（如 ID:…）或人员编号 or a person id; - 从标准输入读取 reads standard input"


@click.group(help="交换日志 · the exchange log")
def log() -> None:
    pass


@log.command("search", help="检索 · newest first; the search itself is logged")
@click.option("--event", help="事件 event, e.g. disclosure_decided")
@click.option("--office", help="单位 office")
@click.option("--officer", help="经办人 OFFICE/REFERENCE, for staff staff/NAME")
@click.option("--person", help=f"儿童或其他人员 a child or another person: {_PERSON_HELP}")
@click.option("--case", help="个案 case id")
@click.option("--notice", help="通报 notice id")
@click.option("--delivery", help="投递 delivery id")
@click.option("--field", help="字段 field shown, e.g. minor.name")
@click.option("--purpose", help="目的 purpose, e.g. P01")
@click.option("--basis", help="依据 legal basis, e.g. L20")
@click.option("--policy", help="规则版本 policy hash")
@click.option("--outcome", help="结果 outcome")
@click.option("--obligation", help="义务 obligation, e.g. log_use")
@click.option("--flag", help="标记 flag, e.g. late-report")
@click.option("--type", help="通报类型 notice type, e.g. RPT-M")
@click.option("--since", help="起，RFC 3339 from then on")
@click.option("--until", help="止，RFC 3339 until then")
@click.option("--before", type=int, help="从此序号之前 continue before this leaf")
@click.option("--limit", default=50, help="条数 rows")
@json_option
@acts
async def search(admin: Admin, as_json: bool, **query: Any) -> None:
    query["person"] = _person(query["person"])
    given = {name: value for name, value in query.items() if value is not None}
    found = await admin.call("POST", "/admin/v1/log/search", given)
    if as_json:
        show(found)
    else:
        columns = {"index": "序号 index", "at": "时间 time", "event": "事件 event", "title": "", "about": "谁、何事 who and what",
                   "event_id": "编号 id"}  # fmt: skip
        table([{**one, "about": _about(one["envelope"])} for one in found], columns)


@log.command("show", help="查看 · one record, opened")
@click.argument("event_id")
@acts
async def show_(admin: Admin, event_id: str) -> None:
    show(await admin.call("GET", f"/admin/v1/log/records/{event_id}"))


@log.command("prove", help="取证 · EVENT_ID...: an evidence bundle, or with --inclusion one record's tlog-proof")
@click.argument("events", nargs=-1, required=True, metavar="EVENT_ID...")
@click.option("--inclusion", is_flag=True, help="只要包含证明 the inclusion proof alone")
@click.option("--out", type=click.Path(path_type=Path), help="写入文件 write to this file")
@acts
async def prove(admin: Admin, events: tuple[str, ...], inclusion: bool, out: Path | None) -> None:
    if inclusion:
        if len(events) != 1:
            raise InvalidDocument("an inclusion proof is about one record")
        text = (await admin.call("GET", f"/admin/v1/log/records/{events[0]}/proof"))["proof"]
    else:
        bundle = await admin.call("POST", "/admin/v1/log/bundle", {"events": list(events)})
        text = json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    _write(text.encode(), out)


@log.command("trust", help="信任 · the trust policy file (tlog-policy) that readers and witnesses check this log with")
@acts
async def trust(admin: Admin) -> None:
    found = await admin.call("GET", "/admin/v1/log/trust")
    click.echo(found["policy"], nl=False)


@log.command("request", help="见证请求 · write a request to FILE for WITNESS, who is reached by removable medium")
@click.argument("witness")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--old", type=int, help="见证方所在条数 where it stands, if it said so; else what it last cosigned")
@acts
async def request(admin: Admin, witness: str, file: Path, old: int | None) -> None:
    asked = {"witness": witness, **({} if old is None else {"old": old})}
    made = await admin.call("POST", "/admin/v1/log/witness-requests", asked)
    file.write_bytes(made["request"].encode())
    click.echo(f"已写入 written {file}: {made['old']} → {made['size']} 条 records")
    click.echo(f"见证方 the witness: hutong witness cosign FOLDER {file.name} {file.name}.reply")


@log.command("cosigned", help="收回见证 · take the reply that WITNESS wrote for the request in FILE")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("reply", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@acts
async def cosigned(admin: Admin, file: Path, reply: Path) -> None:
    try:
        brought = {"request": file.read_bytes().decode(), "reply": reply.read_bytes().decode()}
    except ValueError:
        raise InvalidDocument("a request and its reply are text") from None
    kept = (await admin.call("POST", "/admin/v1/log/cosignatures", brought))["kept"]
    click.echo(f"已收回见证签名 kept {kept} 行 lines")


@log.command("export", help="导出 · everything an offline verifier needs, into FOLDER; the export is logged")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@acts
async def export(admin: Admin, folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise InvalidDocument("the folder is not empty", remedy="choose a new one")
    buffer, started = bytearray(), set[Path]()
    files = 0
    async for piece in admin.fetch("/admin/v1/log/export", {}):
        buffer += piece
        while (end := buffer.find(b"\n")) >= 0:
            head = json.loads(buffer[:end])
            if len(buffer) < end + 1 + head["size"]:
                break
            data = bytes(buffer[end + 1 : end + 1 + head["size"]])
            del buffer[: end + 1 + head["size"]]
            path = folder / head["path"]
            if folder.resolve() not in path.resolve().parents:
                raise Tampered("the export names a file outside its folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab" if path in started else "wb") as file:
                file.write(data)
            files += path not in started
            started.add(path)
    click.echo(f"已导出 exported {files} 个文件 files → {folder}")
    click.echo(
        "先核对 trust.policy 中的公钥与另行取得的是否一致 first compare its keys with those you were given elsewhere"
    )
    click.echo(
        f"核验 verify: python3 hutong_verify.py log {folder} --policy {folder}/trust.policy --records {folder}/records.jsonl"
    )


@log.command("verify", help="核验 · read everything back, recompute the root, open every record")
@click.option("--person", help=f"只核验此人的记录链 the chain of this person against the whole log: {_PERSON_HELP}")
@json_option
@acts
async def verify(admin: Admin, person: str | None, as_json: bool) -> None:
    if person is not None:
        await _verify_chains(admin, _person(person), as_json)
        return
    outcome = await admin.call("GET", "/admin/v1/log/verification")
    if as_json:
        show(outcome)
    elif outcome["verified"]:
        click.echo(f"日志完整 verified: {outcome['size']} 条 records, root {outcome['root']}")
    else:
        click.echo(f"日志被改动 NOT verified: {outcome['reason']} at {outcome['first_bad']}", err=True)
    if not outcome["verified"]:
        raise SystemExit(EXIT_NO)


async def _verify_chains(admin: Admin, person: str | None, as_json: bool) -> None:
    chains = await admin.call("POST", "/admin/v1/log/person-verification", {"person": person})
    if as_json:
        show(chains)
    for one in chains if not as_json else ():
        if one["whole"]:
            click.echo(f"记录链完整 the chain is whole: {one['records']} 条 records, {one['size']} leaves tried")
        else:
            click.echo(f"记录链不完整 NOT whole: {one['reason']} at {one['first_bad']}", err=True)
    if not all(one["whole"] for one in chains):
        raise SystemExit(EXIT_NO)


@log.command(
    "report", help="报告 · SUBJECT: a child (KIND:NUMBER or person id), or the name of a report; without: the names"
)
@click.argument("subject", required=False)
@click.option("--person", help=f"报告涉及的人员 the person a named report is about: {_PERSON_HELP}")
@click.option(
    "--for-guardian", help="监护人（须核查利益冲突） the guardian it is for: KIND:NUMBER, checked for conflict"
)
@click.option("--notice", help="通报 notice id")
@click.option("--office", help="单位 office")
@click.option("--since", help="起，RFC 3339 from then on")
@click.option("--until", help="止，RFC 3339 until then")
@click.option("--before", type=int, help="续接 continue a report that was cut")
@click.option(
    "--format", "format_", type=click.Choice(["document", "json", "csv", "bundle"]), default="document", show_default=True,
    help="格式 printable document with evidence, JSON, CSV, or the evidence alone",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="写入文件 write to this file")
@acts
async def report(
    admin: Admin, subject: str | None, person: str | None, for_guardian: str | None, format_: str, out: Path | None, **asked: Any
) -> None:  # fmt: skip
    names = await admin.call("GET", "/admin/v1/log/reports")
    if subject is None:
        table(names, {"name": "名称 name", "zh": "报告", "en": "report"})
        return
    body: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    body["format"] = format_
    if subject in {one["name"] for one in names}:
        path = f"/admin/v1/log/reports/{subject}"
        if (about := _person(person)) is not None:
            body["person"] = about
    elif subject != "-" and ":" not in subject and not _ID.fullmatch(subject):
        raise InvalidDocument("there is no such report", remedy="see the names: hutong log report")
    else:
        path, body = "/admin/v1/log/person-report", {"format": format_, "person": _person(subject)}
        if for_guardian is not None:
            body["for_guardian"] = for_guardian
    if format_ == "document" and out is None and sys.stdout.isatty():
        raise InvalidDocument(
            "a printable document is for a browser, not for a terminal", remedy="give --out FILE.html"
        )
    _write(b"".join([piece async for piece in admin.fetch(path, body)]), out)


def _about(envelope: dict[str, Any]) -> str:
    """Who, to whom, about what kind of notice and why: the rest of a record is `hutong log show`."""
    told = [str(envelope[name]) for name in ("actor", "office", "type", "purpose", "reason") if envelope.get(name)]
    if recipient := envelope.get("recipient"):
        told.insert(1, f"→ {recipient}")
    if shown := envelope.get("fields"):
        told.append(f"{len(shown)} 项 fields")
    return " ".join(told)


def _person(text: str | None) -> str | None:
    """`-` reads an identifier from standard input, so that it stays in no history of commands."""
    return sys.stdin.readline().strip() if text == "-" else text


def _write(data: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.write(b"" if data.endswith(b"\n") else b"\n")
    else:
        out.write_bytes(data)
        click.echo(f"已写入 written {out}")
