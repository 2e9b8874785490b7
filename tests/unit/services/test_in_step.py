"""Whoever is at the same step takes it before anybody takes the next."""

from __future__ import annotations

import asyncio

from gateway.services.in_step import in_step


async def test_all_take_one_step_before_anybody_takes_the_next():
    taken: list[tuple[str, int]] = []

    async def walk(name: str) -> None:
        for step in range(3):
            await in_step()
            taken.append((name, step))

    await asyncio.gather(*map(walk, "abc"))
    assert taken == [(name, step) for step in range(3) for name in "abc"]


async def test_nobody_beside_is_no_wait():
    async with asyncio.timeout(60):
        await in_step()
