"""How fast is a ledger as one file, against the same rows sent one by one?

The same rows in the same native format (a school office's CSV), on one core: each alone from 64 keep-alive clients, and all
in one bulk file until its last row is a notice. The rate of one client that waits for each receipt is told beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence

import aiohttp

from gateway.assembly import ADMIN_SOCKET
from gateway.bench.measuring import Effort, Row, at_least, medians
from gateway.bench.node import Node, running_node
from gateway.bench.processes import CORES, cpu_seconds
from gateway.client.agency import AgencyClient, Profile
from gateway.crypto.signing import SigningKey, new_signing_key
from gateway.model.identifiers import OfficeId

OFFICE = OfficeId("education.440113.bench")
CLIENTS = 64
_CSV = "text/csv"
_LOOK_SECONDS = 0.02
_HEADINGS = (
    "通报编号,事件类型,发送时间,姓名,性别,出生日期,现住址行政区划,就学状态,健康状况,是否留守儿童,成员1姓名,成员1关系,"
    "扩展:台账.变动类型,扩展:台账.最近核实日期,扩展:台账.理由"
)
_ROW = (
    "{number},台账监测,2026-11-01 08:00:00,李小测,男,2015-03-01,440113102005,在学,健康或良好,是,李某测,祖父,"
    "add,2026-03-01,sweep"
)


def ledger(run: str, rows: Sequence[int]) -> bytes:
    lines = [_HEADINGS, *(_ROW.format(number=f"{run}-{row:06d}") for row in rows)]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode("utf-8")


async def bulk(effort: Effort) -> Sequence[Row]:
    """Rows of one bulk file a second, against the same rows one by one."""
    count = 400 if effort.is_quick else 2_000
    ratios, raws = [], []
    key = new_signing_key()
    async with running_node(CORES[:1]) as node:
        await _enrol(node, key)
        async with AgencyClient(Profile(OFFICE, node.url, key)) as client:
            await client.submit(ledger("warm", [0]), _CSV)
            for number in range(effort.rounds):
                effort.tell(f"bulk {number + 1}/{effort.rounds}")
                alone, alone_cpu = await _rate(node, count, _one_by_one(client, f"a{number}", count))
                waiting, _ = await _rate(node, count // 5, _in_turn(client, f"w{number}", count // 5))
                whole, whole_cpu = await _rate(node, count, _as_file(client, f"f{number}", count))
                ratios.append(whole / alone)
                raws.append(
                    {
                        "bulk_per_second": whole, "one_by_one_per_second": alone, "one_client_per_second": waiting,
                        "bulk_cpu_us": whole_cpu * 1e6, "one_by_one_cpu_us": alone_cpu * 1e6,
                    }
                )  # fmt: skip
    return (
        Row("bulk", "批量文件：每秒行数", "rows of a bulk file a second", "one by one", at_least(2, 4), ratios, medians(raws)),
    )  # fmt: skip


async def _rate(node: Node, count: int, work: Awaitable[None]) -> tuple[float, float]:
    """Rows a second, and the node's CPU for each."""
    begin, spent = time.perf_counter(), cpu_seconds(node.pid)
    await work
    return count / (time.perf_counter() - begin), (cpu_seconds(node.pid) - spent) / count


async def _one_by_one(client: AgencyClient, run: str, count: int) -> None:
    rows = iter(range(count))

    async def one_client() -> None:
        for row in rows:
            await client.submit(ledger(run, [row]), _CSV)

    await asyncio.gather(*(one_client() for _ in range(CLIENTS)))


async def _in_turn(client: AgencyClient, run: str, count: int) -> None:
    for row in range(count):
        await client.submit(ledger(run, [row]), _CSV)


async def _as_file(client: AgencyClient, run: str, count: int) -> None:
    taken = await client.submit_file(ledger(run, range(count)), _CSV)
    while (status := await client.file(taken["file"]))["state"] != "done":  # noqa: ASYNC110 - as an office does
        await asyncio.sleep(_LOOK_SECONDS)
    if status["accepted"] != count:
        raise RuntimeError(f"of {count} rows {status['accepted']} were accepted")


async def _enrol(node: Node, key: SigningKey) -> None:
    connector = aiohttp.UnixConnector(str(node.directory / "data" / ADMIN_SOCKET))
    document = {
        "id": OFFICE,
        "name_zh": "测速用教育单位",
        "adapter": "education",
        "media_type": _CSV,
        "keys": [key.public().jwk()],
    }
    async with (
        aiohttp.ClientSession(connector=connector, headers={"Hutong-Operator": "bench"}) as session,
        session.post("http://admin/admin/v1/offices", json=document) as response,
    ):
        if response.status >= 400:
            raise RuntimeError(f"the office was not enrolled: {await response.text()}")
