"""How do requests that share a transaction get their outcomes, each its own?

They are applied kind by kind, in few statements, and the log records of all of them are written at the end. When one of
them breaks a rule, nothing of that counts: the engine rolls back and applies every request again in a savepoint of its
own, so one caller's trouble is never another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.engines.sql.transaction import Kind, Transaction
from gateway.model.errors import HutongError


@dataclass(slots=True)
class Waiting:
    """A caller's request, and what becomes of it: a result, or an exception to be raised."""

    kind: Kind[Any, Any]
    request: Any
    future: asyncio.Future[Any]
    outcome: Any = None


def resolve(group: Sequence[Waiting]) -> None:
    """Tell every caller. In the loop of their futures."""
    for one in group:
        if one.future.done():
            continue  # its caller gave up; the write stands
        if isinstance(one.outcome, BaseException):
            one.future.set_exception(one.outcome)
        else:
            one.future.set_result(one.outcome)


Open = TypeVar("Open", bound=Transaction)


@dataclass(frozen=True, slots=True)
class Groups(Generic[Open]):
    """What a database brings: the errors that end a transaction for everybody in it, the one that says an id is taken, and
    how records get into its log."""

    fatal: tuple[type[Exception], ...]
    taken: type[Exception]
    write_log: Callable[[Open], None]

    def together(self, tx: Open, group: Sequence[Waiting]) -> bool:
        """Apply all of them; returns whether anything was logged. Raises whatever one of them raises."""
        by_kind: dict[str, list[Waiting]] = {}
        for one in group:
            by_kind.setdefault(one.kind.name, []).append(one)
        for same in sorted(by_kind.values(), key=lambda several: several[0].kind.rank):
            results = same[0].kind.apply(tx, [one.request for one in same])
            for one, result in zip(same, results, strict=True):
                one.outcome = result
        has_logged = bool(tx.records)
        if has_logged:
            self.write_log(tx)
            tx.records.clear()
        return has_logged

    def one_by_one(self, tx: Open, group: Sequence[Waiting]) -> bool:
        """Apply each by itself; returns whether anything was logged. Raises only what is fatal."""
        has_logged = False
        for one in group:
            has_logged |= self._alone(tx, one)
        return has_logged

    def _alone(self, tx: Open, one: Waiting) -> bool:
        before, has_logged = tx.state.copy(), False
        tx.sql.bare("SAVEPOINT unit")
        try:
            has_logged = self.together(tx, [one])
        except self.fatal:
            raise
        except Exception as error:  # noqa: BLE001 - goes to the caller whose request it is
            tx.sql.bare("ROLLBACK TO unit")
            tx.records.clear()
            tx.state = before
            one.outcome = self._second_look(tx, one, error)
        tx.sql.bare("RELEASE unit")
        return has_logged

    def _second_look(self, tx: Open, one: Waiting, error: Exception) -> Any:
        if not isinstance(error, self.taken):
            return error
        if one.kind.again is not None:
            try:
                return one.kind.again(tx, one.request)
            except (LookupError, HutongError):
                pass  # not a repetition: the first error stands
        return HutongError(f"the store refuses this `{one.kind.name}`: an id in it is taken")
