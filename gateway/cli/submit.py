"""hutong submit: push a file as an office, from the office's side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import EXIT_REFUSED, json_option, show, speaks
from gateway.client.agency import AgencyClient, Profile
from gateway.config import LimitSettings
from gateway.http.in_chinese import both

_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES = {
    ".json": "application/cloudevents+json",
    ".hl7": "application/hl7-v2+er7",
    ".fhir.json": "application/fhir+json",
    ".fhir.xml": "application/fhir+xml",
    ".ndjson": "application/fhir+ndjson",
    ".cda.xml": "application/cda+xml",
    ".cda": "application/cda+xml",
    ".xml": "application/xml",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    # what is no xlsx is refused by what it holds, with what to do
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".xlsb", ".et", ".ods"), _WORKBOOK),
    ".jsonl": "application/jsonl",
}

# How files of what was received are called, by media type or by its structured suffix.
SUFFIXES = {
    "application/cloudevents+json": ".json",
    "application/json": ".json",
    "application/fhir+json": ".fhir.json",
    "application/fhir+xml": ".fhir.xml",
    "application/hl7-v2": ".hl7",
    "application/hl7-v2+er7": ".hl7",
    "application/hl7-v3+xml": ".cda.xml",
    "application/cda+xml": ".cda.xml",
    "application/xml": ".xml",
    "application/jsonl": ".jsonl",
    "+xml": ".xml",
    "+json": ".json",
    "+jsonl": ".jsonl",
    "text/csv": ".csv",
    _WORKBOOK: ".xlsx",
}

ROW_TYPES = frozenset({MEDIA_TYPES[".csv"], MEDIA_TYPES[".xlsx"], MEDIA_TYPES[".jsonl"]})

profile_option = click.option(
    "--profile", type=click.Path(path_type=Path), default=Path("offices"), help="单位配置目录 folder of office profiles"
)


@click.command(help="报送 · sign FILE and push it as OFFICE; prints the signed receipt")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--media-type", help="媒体类型，默认按扩展名 media type, by default from the file's name")
@click.option("--check", "is_check", is_flag=True, help="只校验不存储 sandbox: nothing is stored")
@click.option(
    "--bulk/--no-bulk",
    "bulk",
    default=None,
    help="作为批量文件 as a bulk file, its rows to follow; by default above 1 MiB where the file holds rows",
)
@click.option(
    "--attach",
    "attached",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="先上传此附件，可多次；通报以摘要引用它 upload this document first; the notice names it by its digest",
)
@click.option("--officer", default="", help="经办人代号 pseudonymous reference to the officer acting")
@profile_option
@json_option
@speaks
async def submit(
    file: Path,
    office: str,
    media_type: str | None,
    is_check: bool,
    bulk: bool | None,
    attached: tuple[Path, ...],
    officer: str,
    profile: Path,
    as_json: bool,
) -> None:
    body = file.read_bytes()
    kind = media_type or media_type_of(file, body)
    if bulk is None:
        bulk = len(body) > LimitSettings().max_body_bytes and kind in ROW_TYPES and not is_check
    async with AgencyClient(Profile.load(profile, office), officer=officer) as client:
        for document in () if is_check else attached:
            digest = await client.upload(document)
            if not as_json:
                click.echo(f"附件已上传 uploaded {document.name}: {digest}")
        if bulk:
            taken = await client.submit_file(body, kind)
            if as_json:
                show(taken)
            else:
                click.echo(f"{taken['type']} file {taken['file']}")
                click.echo(f"  各行进度 rows follow: hutong bulk show {taken['file']} --as {office}")
            return
        answer = await (client.check(body, kind) if is_check else client.submit(body, kind))
    items = answer if isinstance(answer, list) else [answer]
    if as_json:
        show(answer)
    else:
        for item in items:
            _tell(item)
    if any(item.get("problems") for item in items):
        raise SystemExit(EXIT_REFUSED)


def _tell(receipt: Mapping[str, Any]) -> None:
    """A receipt; or, of one of several notices, why it was refused while others may have been taken."""
    if not receipt.get("problems"):
        click.echo(f"{receipt.get('type', 'refused')} {receipt.get('notice', '')} {receipt.get('id', '')}".rstrip())
        for gap in receipt.get("gaps", ()):
            click.echo(f"  缺口 gap {gap['position']}: [{gap['code']}] {both(gap.get('message', ''))}".rstrip())
        for flag in receipt.get("flags", ()):
            click.echo(f"  标记 flag {flag}")
        return
    click.echo(f"拒收 refused {receipt.get('position', '')}: {both(receipt.get('title', ''))}".rstrip())
    for problem in receipt["problems"]:
        where = f"{problem['native']} = {problem['position']}" if "native" in problem else problem["position"]
        click.echo(f"  {where}: [{problem['code']}] {both(problem['message'])} → {both(problem['remedy'])}")


def media_type_of(file: Path, body: bytes, otherwise: str = "application/octet-stream") -> str:
    """By the longest known ending of the file's name; a `.json` is looked into."""
    lowered = file.name.lower()
    ending = max((known for known in MEDIA_TYPES if lowered.endswith(known)), key=len, default="")
    return _json_kind(body) if ending == ".json" else MEDIA_TYPES.get(ending, otherwise)


def _json_kind(body: bytes) -> str:
    """A JSON file is a CloudEvent, a batch of them, a FHIR resource, or an agency's own JSON, which may be a list as well."""
    try:
        document = json.loads(body)
    except ValueError:
        return "application/json"
    several = isinstance(document, list)
    first = (document or [None])[0] if isinstance(document, list) else document
    if isinstance(first, dict) and "resourceType" in first:
        return "application/fhir+json"
    if isinstance(first, dict) and "specversion" in first:
        return "application/cloudevents-batch+json" if several else "application/cloudevents+json"
    return "application/json"
