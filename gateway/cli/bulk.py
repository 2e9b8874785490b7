"""hutong bulk: how far bulk files are and what became of their rows, from the office's side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import json_option, show, speaks, table
from gateway.cli.submit import profile_option
from gateway.client.agency import AgencyClient, Profile

office_option = click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")


_STAGES = {"reports": "先找报告 reports first", "rest": "逐行处理 working off rows", "done": "完成 done"}


@click.group(help="批量文件 · bulk files of many rows, sent with `hutong submit --bulk`")
def bulk() -> None:
    pass


@bulk.command("list", help="列出 · the office's bulk files, newest first")
@office_option
@profile_option
@json_option
@speaks
async def list_(office: str, profile: Path, as_json: bool) -> None:
    async with AgencyClient(Profile.load(profile, office)) as client:
        found = (await client.files())["files"]
    if as_json:
        show(found)
        return
    table(
        found,
        {
            "file": "文件 file",
            "state": "状态 state",
            "rows": "行数 rows",
            "accepted": "受理 accepted",
            "refused": "拒收 refused",
            "received_at": "收到 received",
        },
    )


@bulk.command("show", help="进度 · how far FILE is")
@click.argument("file", metavar="FILE")
@office_option
@profile_option
@json_option
@speaks
async def show_(file: str, office: str, profile: Path, as_json: bool) -> None:
    async with AgencyClient(Profile.load(profile, office)) as client:
        found = await client.file(file)
    if as_json:
        show(found)
        return
    rows = found.get("rows", "?")
    click.echo(
        f"{_STAGES[found['stage']]}  至第 {found['at_row']} 行 at row  共 rows {rows}  "
        f"受理 accepted {found['accepted']}  拒收 refused {found['refused']}"
    )


@bulk.command("rows", help="各行 · the receipt or the problems of each row of FILE")
@click.argument("file", metavar="FILE")
@click.option("--refused", "only_refused", is_flag=True, help="只看拒收的行 only rows that became no notice")
@click.option("--after", default="0", help="游标，从此继续 continue from this cursor")
@office_option
@profile_option
@json_option
@speaks
async def rows(file: str, only_refused: bool, after: str, office: str, profile: Path, as_json: bool) -> None:
    async with AgencyClient(Profile.load(profile, office)) as client:
        cursor = after
        while True:
            page = await client.file_rows(file, cursor, only_refused=only_refused)
            for row in page["rows"]:
                if as_json:
                    show(row)
                else:
                    _tell(row)
            if not page["rows"]:
                return
            cursor = page["cursor"]


def _tell(row: Mapping[str, Any]) -> None:
    click.echo(f"{row['position']} {row['status']} {row.get('notice', '')}".rstrip())
    for problem in row.get("problems", ()):
        where = f"{problem['native']} = {problem['position']}" if "native" in problem else problem["position"]
        click.echo(f"  {problem['code']} {where}: {problem['message']}  → {problem['remedy']}".rstrip())
