"""hutong bench: what each part reaches against the limits of this machine, measured in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import click

from gateway.bench.accept import rest
from gateway.bench.catalogue import MEASUREMENTS, measurement_of
from gateway.bench.measuring import Effort, Row
from gateway.cli.frame import EXIT_NO, json_option, show, speaks, table

# Seconds for everything; what does not begin in time is named as left out.
WHOLE_SECONDS, QUICK_SECONDS = 540, 60
_PROFILED = ("accept",)


@click.command(
    help="测速 · measure NAME (a measurement or a row), or everything, against its yardstick in the same run"
)
@click.argument("name", required=False)
@click.option("--rounds", type=click.IntRange(1, 20), help="轮数 rounds, medians count")
@click.option("--quick", is_flag=True, help="快速，90 秒内 rougher, within 90 seconds")
@json_option
@speaks
async def bench(name: str | None, rounds: int | None, quick: bool, as_json: bool) -> None:
    wanted = list(MEASUREMENTS)
    if name is not None:
        found = measurement_of(name)
        if found is None:
            raise click.BadParameter(f"one of {', '.join(MEASUREMENTS)}", param_hint="NAME")
        wanted = [found]
    effort = Effort(
        rounds=rounds or (1 if quick else 3),
        seconds=1.0 if quick else 4.0,
        is_quick=quick,
        tell=lambda text: None if as_json else click.echo(f"… {text}", err=True),
    )
    ends = time.monotonic() + (QUICK_SECONDS if quick else WHOLE_SECONDS)
    rows: list[Row] = []
    left_out: list[str] = []
    for one in wanted:
        if time.monotonic() < ends or one == wanted[0]:
            rows += await MEASUREMENTS[one](effort)
        else:
            left_out.append(one)
    has_time = time.monotonic() < ends
    profile = await rest(effort) if has_time and not set(wanted).isdisjoint(_PROFILED) else ()
    if as_json:
        show(_document(rows, left_out, profile, effort))
    else:
        _print(rows, left_out, profile)
    if any(row.is_held is False for row in rows):
        raise SystemExit(EXIT_NO)


def _document(
    rows: Sequence[Row], left_out: Sequence[str], profile: Sequence[dict[str, Any]], effort: Effort
) -> dict[str, Any]:
    return {
        "rows": [row.document() for row in rows],
        "left_out": list(left_out),
        "profile": list(profile),
        "rounds": effort.rounds,
        "quick": effort.is_quick,
        "cores": len(os.sched_getaffinity(0)),
    }


def _print(rows: Sequence[Row], left_out: Sequence[str], profile: Sequence[dict[str, Any]]) -> None:
    marks = {True: "✓", False: "✗", None: ""}
    table(
        [
            {
                "row": row.name,
                "title": f"{row.zh} {row.en}",
                "yardstick": row.yardstick,
                "ratio": "—" if row.ratio is None else f"{row.ratio:.3g}",
                "gate": row.target.text(row.target.gate),
                "ambition": row.target.text(row.target.ambition),
                "held": marks[row.is_held] or row.skipped,
            }
            for row in rows
        ],
        {
            "row": "行 row",
            "title": "测什么 what",
            "yardstick": "尺度 yardstick",
            "ratio": "比值 ratio",
            "gate": "门槛 gate",
            "ambition": "目标 ambition",
            "held": "达标 held",
        },
    )
    for row in rows:
        if row.raw:
            click.echo(f"{row.name}: " + ", ".join(f"{name} {value:.4g}" for name, value in row.raw.items()))
    if left_out:
        click.echo("时间用尽，未测 left out, the time was over: " + ", ".join(left_out))
    if profile:
        click.echo("\n受理时事件循环的耗时 where the event loop's time goes while it accepts")
        table(
            [{"share": f"{one['share']:.1%}", "part": one["part"], "calls": one["calls"]} for one in profile],
            {"share": "占比 share", "part": "何处 part", "calls": "次数 calls"},
        )
