"""What is a write, and what may its code ask of whichever database it runs on?

A write is a function over named queries, run for all requests of one kind that share a transaction (`Kind`). It says
what it does once, here in `engines/sql`; an engine brings the connection it runs on (`Statements`), the transaction it
shares with others (`Writer`) and the place where questions are answered beside it (`Readers`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from gateway.audit.merkle import Edge
from gateway.engines.sql.chains import Chains
from gateway.ports.storage import Epochs, Stale

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord

Request = TypeVar("Request")
Result = TypeVar("Result")
Answer = TypeVar("Answer")
Row = tuple[Any, ...]
Values = Mapping[str, Any] | Sequence[Any]


class Rows(Protocol):
    """What one statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchone(self) -> Row | None: ...

    def fetchall(self) -> list[Row]: ...


@dataclass(frozen=True, slots=True)
class Keys:
    """Any number of keys, for a query that takes them."""

    keys: Collection[bytes]


class Statements(Protocol):
    """Runs named queries on one connection."""

    @property
    def asks_together(self) -> bool:
        """Whether a question is a journey, so that many had better go together."""
        ...

    def run(self, name: str, values: Values = ()) -> Rows: ...

    def many(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a query for each row; rows to be inserted go in few statements."""
        ...

    def insert_all(self, tables: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Insert rows into several tables, each once, by a query for one row: one journey where a statement is a journey."""
        ...

    def all(self, name: str, values: Values = ()) -> list[Row]: ...

    def all_of_keys(self, name: str, keys: Iterable[bytes]) -> list[Row]:
        """The rows of a query that takes any number of keys."""
        ...

    def together(self, questions: Sequence[tuple[str, Values | Keys]]) -> list[list[Row]]:
        """What each of several questions gives: one journey where a question is a journey."""
        ...

    def one(self, name: str, values: Values = ()) -> Row | None: ...

    def bare(self, sql: str) -> None:
        """A transaction statement: BEGIN, SAVEPOINT, RELEASE, ROLLBACK."""
        ...


class Readers(Protocol):
    """Answers questions beside the writer, each in a read transaction."""

    async def ask(self, question: Callable[[Statements], Answer]) -> Answer:
        """Raises Unavailable when the store is out of reach."""
        ...


@dataclass(slots=True)
class State:
    """What the writer knows of the store as committed: changed only by the transaction it belongs to."""

    epochs: Epochs
    next_notice: int
    edge: Edge
    chains: Chains = field(default_factory=Chains)

    def copy(self) -> State:
        return State(self.epochs, self.next_notice, self.edge.copy(), self.chains.copy())


@dataclass(slots=True)
class Transaction:
    """One open transaction: its statements, its working state, and the log records gathered so far."""

    sql: Statements
    state: State
    records: list[PreparedRecord] = field(default_factory=list)

    def log(self, records: Sequence[PreparedRecord]) -> int:
        """Add records to those that become leaves at the end; returns the place of the first."""
        place = self.state.edge.size + len(self.records)
        self.records.extend(records)
        return place

    def stale(self, epochs: Epochs) -> Stale | None:
        """Stale when something was prepared under other epochs than those now in force."""
        now = self.state.epochs
        if epochs == now:
            return None
        for what in ("policy", "consent", "directory"):
            if getattr(epochs, what) != getattr(now, what):
                return Stale(what)
        return None


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Result]):
    """One kind of write. `apply` takes all requests of a group and answers each; kinds of lower `rank` go first.

    `again` answers a request whose log records are there already (a repetition after `Unavailable`).
    """

    name: str
    rank: int
    apply: Callable[[Transaction, Sequence[Request]], Sequence[Result]]
    again: Callable[[Transaction, Request], Result] | None = None


class Writer(Protocol):
    """Applies requests, as many as wait in one transaction."""

    async def submit(self, kind: Kind[Request, Result], request: Request) -> Result:
        """Returns once the request is durable. Raises Unavailable when the store is out of reach: then it may be or not."""
        ...
