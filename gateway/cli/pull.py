"""hutong pull: fetch what waits for an office, verify it, write it down, acknowledge it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import click

from gateway.cli.frame import json_option, show, speaks
from gateway.cli.submit import SUFFIXES, profile_option
from gateway.client.agency import AgencyClient, Answered, Inbound, Profile
from gateway.engines.file_drop.inbox import suffix_of

_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9._-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,80}encoding=[\"']([A-Za-z0-9._-]+)")
_DIGEST = re.compile(r"\b(?:sha256|sm3):[0-9a-f]{64}\b")


@click.command(help="收取 · fetch, verify and acknowledge what waits for OFFICE")
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--follow", is_flag=True, help="持续等待 go on waiting")
@click.option("--max", "limit", default=20, help="每次最多 at most, per fetch")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="逐件写入此目录，按格式取扩展名 write each release to a file there, named by its format",
)
@click.option(
    "--attachments",
    type=click.Path(path_type=Path),
    help="附件原文写入此目录，文件名为摘要 write the documents that releases name to this folder, each under its digest",
)
@click.option(
    "--no-ack", is_flag=True, help="不确认，租约到期后重发 leave unacknowledged: due again when the lease is over"
)
@click.option("--accept", default="", help="想要的媒体类型 media type wanted, e.g. application/cloudevents+json")
@click.option("--officer", default="", help="经办人代号 pseudonym of the officer acting")
@click.option("--purpose", default="", metavar="P..", help="只取为此目的送来的 what was routed for this purpose alone")
@profile_option
@json_option
@speaks
async def pull(
    office: str,
    follow: bool,
    limit: int,
    out: Path | None,
    attachments: Path | None,
    no_ack: bool,
    accept: str,
    officer: str,
    purpose: str,
    profile: Path,
    as_json: bool,
) -> None:
    async with AgencyClient(Profile.load(profile, office), officer=officer, purpose=purpose) as client:
        while True:
            inbound = await client.pull(limit, wait_seconds=30 if follow else 0, accept=accept)
            for item in inbound:
                is_told = _take(item, out, as_json)  # written down before it is acknowledged
                if attachments is not None:
                    await _fetch_documents(client, item, attachments)
                if is_told and not no_ack:
                    await client.acknowledge(item)
            if not inbound and not follow:
                return


async def _fetch_documents(client: AgencyClient, item: Inbound, folder: Path) -> None:
    """Every document the release names, in whatever format it came: a digest reads the same in all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for digest in sorted(set(_DIGEST.findall(item.body.decode("utf-8", "replace")))):
        try:
            whole = await client.attachment(item, digest)
        except Answered as refused:
            if refused.status != 404:
                raise
            click.echo(f"尚无此附件 not there {digest}", err=True)
            continue
        (folder / digest.replace(":", "-")).write_bytes(whole)


def _take(item: Inbound, out: Path | None, as_json: bool) -> bool:
    """Write a release down or print it; False for a workbook on a screen, which nobody would have seen."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{item.delivery}.{item.revision}{suffix_of(item.content_type, SUFFIXES)}"
        part = path.with_name(path.name + ".part")
        part.write_bytes(item.body)
        part.replace(path)
    text = readable(item.body, item.content_type)
    if as_json:
        body = {"body": text} if text is not None else {"body_base64": base64.b64encode(item.body).decode("ascii")}
        show({"delivery": item.delivery, "revision": item.revision, "content_type": item.content_type, **body})
    else:
        click.echo(f"{item.delivery}.{item.revision} {item.content_type} {len(item.body)} bytes")
        if out is None and text is None:
            click.echo(
                "（不是文本，未确认收到；请用 --out 目录 no text, left unacknowledged: give --out DIR）", err=True
            )
            return False
        if out is None:
            click.echo(text)
    return True


def readable(body: bytes, content_type: str) -> str | None:
    """A release as text for people, by the charset that its media type or its XML declaration names, else UTF-8; None
    for what is no text, such as a workbook. What is written to files stays the exact bytes."""
    named = _CHARSET.search(content_type)
    declared = _XML_ENCODING.match(body)
    charset = named[1] if named else declared[1].decode("ascii") if declared else "utf-8"
    try:
        return body.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return None
