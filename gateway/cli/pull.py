"""hutong pull: fetch what waits for an office, verify it, write it down, acknowledge it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.frame import json_option, show, speaks
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Inbound, Profile


@click.command(help="收取 · fetch, verify and acknowledge what waits for OFFICE")
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--follow", is_flag=True, help="持续等待 go on waiting")
@click.option("--max", "limit", default=20, help="每次最多 at most, per fetch")
@click.option("--out", type=click.Path(path_type=Path), help="逐件写入此目录 write each release to a file there")
@click.option(
    "--no-ack", is_flag=True, help="不确认，租约到期后重发 leave unacknowledged: due again when the lease is over"
)
@click.option("--accept", default="", help="想要的媒体类型 media type wanted, e.g. application/cloudevents+json")
@profile_option
@json_option
@speaks
async def pull(
    office: str, follow: bool, limit: int, out: Path | None, no_ack: bool, accept: str, profile: Path, as_json: bool
) -> None:
    async with AgencyClient(Profile.load(profile, office)) as client:
        while True:
            inbound = await client.pull(limit, wait_seconds=30 if follow else 0, accept=accept)
            for item in inbound:
                _take(item, out, as_json)  # written down before it is acknowledged
                if not no_ack:
                    await client.acknowledge(item)
            if not inbound and not follow:
                return


def _take(item: Inbound, out: Path | None, as_json: bool) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{item.delivery}.{item.revision}"
        path.with_suffix(f".{item.revision}.part").write_bytes(item.body)
        path.with_suffix(f".{item.revision}.part").replace(path)
    if as_json:
        show({"delivery": item.delivery, "revision": item.revision, "content_type": item.content_type,
              "body": item.body.decode("utf-8", "backslashreplace")})  # fmt: skip
    else:
        click.echo(f"{item.delivery}.{item.revision} {item.content_type} {len(item.body)} bytes")
        if out is None:
            click.echo(item.body.decode("utf-8", "backslashreplace"))
