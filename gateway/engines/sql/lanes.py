"""Which delivery of a lane may go, and what does a move of one change for the others?

A lane is (recipient, case). The rule: a delivery may be leased when it overtakes, or
when nothing before it in its lane is held or due. `ready_at` is kept so that it is set
exactly for those; the inbox index then needs no look at predecessors, and a lane with a
thousand waiting notices costs the same as one with a single one.

* A new delivery is ready when its lane is empty.
* When one leaves (any end, or a dead letter), the first that remains becomes ready.
* When a dead letter is driven again, those behind it wait again.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import orjson

from gateway.engines.sql.transaction import Statements
from gateway.engines.sql.values import DEAD, DUE, STATE_NUMBERS
from gateway.model.delivery import DeliveryState, NewDelivery
from gateway.model.identifiers import OfficeId


def pack_route(new: NewDelivery) -> str:
    """What never changes of a delivery: purpose, basis, rule, role, fallback level. The purpose's three letters stand at
    its third place, where `leasable` looks."""
    return _packed(new.purpose, new.legal_basis, new.rule, new.role, new.fallback_level)


@lru_cache(maxsize=1024)
def _packed(purpose: str, basis: tuple[str, ...], rule: str, role: str, level: int) -> str:
    return orjson.dumps([purpose, basis, rule, role, level]).decode()


def unpack_route(route: str) -> tuple[str, tuple[str, ...], str, str, int]:
    purpose, basis, rule, role, level = orjson.loads(route)
    return purpose, tuple(basis), rule, role, level


def move(
    sql: Statements,
    number: int,
    lane: bytes,
    overtakes: bool,
    before: int,
    after: DeliveryState,
    at: int,
    reason: str,
    due_at: int | None = None,
) -> None:
    """Move one delivery, tell its sender, and keep its lane's readiness true. Times in milliseconds; `due_at` only with `DUE`."""
    state = STATE_NUMBERS[after]
    if state == DUE and due_at is None:
        due_at = at
    # Where it is still in the lane's order it can be the first; whether it is, the lane says below.
    ready_at = due_at if state == DUE and overtakes else None
    parked_at = at if state == DEAD else None
    if (before, state) != (DUE, DUE):
        sql.run("tell_sender", (number, state, at, reason, number))
    sql.run("move", (state, at, reason, due_at if state == DUE else None, ready_at, parked_at, number))
    if before == DEAD and state == DUE:
        sql.run("hold_up_lane", (lane, number))
    first: tuple[Any, ...] | None = sql.one("first_in_lane", (lane,))
    if first is not None and first[1] == DUE and first[3] is None:
        sql.run("free_first_in_lane", (first[0],))


def end_open(
    sql: Statements,
    notice: int,
    state: DeliveryState,
    at: int,
    reason: str,
    recipients: Collection[OfficeId] | None = None,
) -> None:
    """End every open delivery of a notice (of some recipients only), leases and all."""
    for _, recipient, before, _, _, _, number, lane, _ in sql.all("deliveries_of_notice", (notice, notice)):
        if before <= DEAD and (recipients is None or recipient in recipients):
            move(sql, number, lane, False, before, state, at, reason)
