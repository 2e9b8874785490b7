"""How does a node talk to the database, and which of its errors mean what?

Every session ends a transaction that its node has left standing (a paused process, a half-open connection) and a wait
for a lock that takes too long: nobody else waits for a node that is gone.
"""

from __future__ import annotations

from collections.abc import Callable

import asyncpg

from gateway.model.errors import Unavailable

# A transaction that waits for its node for five seconds is ended: a paused node holds up nobody for longer. One that only reads
# holds up nobody, and goes on after half a minute of a starved machine: a verification need not begin again.
#
# Every question has an index to go by (a test holds that). Left alone the server reads a table as a whole while it believes
# it small: a young store's statistics say so for minutes, and each group of notices then read all receipts there were.
# Nor are plans made anew for the values of one call: they would be the same, and cost more than what they plan.
SESSION = {
    "application_name": "hutong",
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "10s",
    "statement_timeout": "12s",
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
}
READING = {"idle_in_transaction_session_timeout": "30s"}
TAKING_ITS_TIME = {"statement_timeout": "0", "enable_seqscan": "on", "plan_cache_mode": "auto"}
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 15.0  # a half-open connection is found by then

# The transaction lost against another one and may simply be tried again.
LOST = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

# The server is away, starts, stops, is full or does not answer; the outcome of a commit may be unknown.
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a lock that was not to be had in time
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # it became a standby, or its operator's guard against a full disk closed it
    asyncpg.PostgresIOError,
    asyncpg.InternalServerError,
    OSError,
    TimeoutError,
)

# Called with the name of a durable step before it happens and, for a commit, after it; raises to make it fail.
FaultPoint = Callable[[str], None]


def no_fault(step: str) -> None:
    """Nothing fails on purpose."""


def unavailable(error: BaseException) -> Unavailable:
    away = Unavailable("the store is out of reach", remedy="see `hutong doctor`")
    away.__cause__ = error
    return away


async def connect(url: str, *, takes_its_time: bool = False, only_reads: bool = False) -> asyncpg.Connection:
    """A connection of our own. Raises Unavailable; never names the address or the user.

    `takes_its_time`: for migrations, moves and vacuum, whose single statements may run for minutes.
    """
    settings = SESSION | (TAKING_ITS_TIME if takes_its_time else {}) | (READING if only_reads else {})
    try:
        return await asyncpg.connect(
            url,
            server_settings=settings,
            timeout=CONNECT_SECONDS,
            command_timeout=None if takes_its_time else COMMAND_SECONDS,
        )
    except (*AWAY, asyncpg.PostgresError) as error:
        raise unavailable(error) from error
