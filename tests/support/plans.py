"""How does the server go about each of the store's queries? Its generic plan, as the indexes and whole tables it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg

from gateway.engines.postgres.connection import connect
from gateway.engines.postgres.store import QUERIES


async def plans(url: str) -> dict[str, tuple[str, ...]]:
    """Of each query what a node's session makes the server read, in order: `table by index`, `table as a whole`, or `all of index`.

    Queries that touch no table are left out.
    """
    connection = await connect(url)
    try:
        return await _plans(connection)
    finally:
        await connection.close()


async def _plans(connection: asyncpg.Connection) -> dict[str, tuple[str, ...]]:
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    found = {}
    for name, query in QUERIES.items():
        prepared = await connection.prepare(query.text)
        count = len(prepared.get_parameters())
        await connection.execute(f"PREPARE asked AS {query.text}")
        given = f"({', '.join(['NULL'] * count)})" if count else ""
        text = await connection.fetchval(f"EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE asked {given}")
        await connection.execute("DEALLOCATE asked")
        if reads := tuple(_reads(json.loads(text)[0]["Plan"])):
            found[name] = reads
    return found


def _reads(node: Mapping[str, Any], is_cut: bool = False) -> Iterator[str]:
    if node["Node Type"] == "Limit":
        is_cut = True
    if "Index Name" in node and "Index Cond" not in node and not is_cut:
        yield f"all of {node['Index Name']}"
    elif "Index Name" in node and "Relation Name" in node:
        yield f"{node['Relation Name']} by {node['Index Name']}"
    elif node["Node Type"] == "Bitmap Index Scan":
        yield f"by {node['Index Name']}"
    elif node["Node Type"] in ("Seq Scan", "Sample Scan"):
        yield f"{node['Relation Name']} as a whole"
    for part in node.get("Plans", ()):
        yield from _reads(part, is_cut)
