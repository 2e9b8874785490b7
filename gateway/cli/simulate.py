"""hutong simulate: synthetic families and whole scenarios, as files in every agency's native format.

Exit codes: 0 written, 2 wrong usage.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from gateway.cli.frame import json_option, show, table
from gateway.simulation.scenarios import WRITERS, write_all


@click.command(
    help="生成合成案例 · write synthetic cases in all native formats; the same seed gives the same bytes.\n\n"
    "身份号码均为 999999 前缀，与任何真人无关。Every identity has the area prefix 999999, which no division has."
)
@click.option("--seed", default=1, show_default=True, help="随机种子 seed")
@click.option("--cases", default=22, show_default=True, type=click.IntRange(1, 100_000), help="案例数 how many cases")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="输出目录 folder")
@click.option("--agency", type=click.Choice(sorted(WRITERS)), help="只生成该单位的 one agency alone")
@json_option
def simulate(seed: int, cases: int, out: Path, agency: str | None, as_json: bool) -> None:
    written = write_all(out, seed, cases, agency)
    if as_json:
        show({"seed": seed, "cases": cases, "folder": str(out), "messages": written})
        return
    by_agency = Counter(str(entry["agency"]) for entry in written)
    table(
        [{"agency": name, "files": count} for name, count in sorted(by_agency.items())],
        {"agency": "单位 agency", "files": "文件 files"},
    )
    click.echo(f"清单 list: {out / 'cases.json'}")
