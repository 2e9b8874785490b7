"""What is different about deliveries when many nodes lease from one inbox?

Rows that another node is about to lease are passed over, not waited for; and a page is read back in one question.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.engines.sql.deliveries import TOKEN_BYTES, URGENCIES, LeaseRequest, SqlDeliveries
from gateway.engines.sql.transaction import Transaction
from gateway.model.delivery import Delivery


class PostgresDeliveries(SqlDeliveries):
    """DeliveryStorage on the clustered store."""

    def _leased(self, tx: Transaction, request: LeaseRequest) -> Sequence[Delivery]:
        numbers: list[int] = []
        for urgency in URGENCIES:
            if len(numbers) < request.limit:
                values = (
                    request.recipient,
                    urgency,
                    request.now,
                    request.now,
                    request.purposes,
                    request.limit - len(numbers),
                )
                numbers += [row[0] for row in tx.sql.all("leasable_alone", values)]
        if not numbers:
            return []
        tokens = [secrets.token_urlsafe(TOKEN_BYTES) for _ in numbers]
        tx.sql.run("lease", (tokens, [request.until] * len(numbers), numbers))
        return self._deliveries(tx.sql, numbers)

    def _deliveries(self, sql: Any, numbers: Iterable[int]) -> list[Delivery]:
        wanted = list(numbers)
        return [self._delivery(row) for row in sql.all("deliveries_by_number", (wanted,))] if wanted else []
