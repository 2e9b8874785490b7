"""How far does destroying reach in a database server?

Rows are deleted, and their tables vacuumed before an erasure is called done, so that no page of a table holds them as
a row any more. What a server keeps beyond that (its write-ahead log until it is recycled, archives, replicas, backups)
is out of a client's reach: there the erasure rests on the destroyed key alone, as for every backup (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.audit.record import PreparedRecord
from gateway.engines.postgres.connection import AWAY, connect, unavailable
from gateway.engines.postgres.readers import Readers
from gateway.engines.postgres.sequencer import Sequencer
from gateway.engines.postgres.writer import Writer
from gateway.engines.sql.retention import SqlRetention
from gateway.model.identifiers import PersonId

_TABLES = (
    "raw_body, person, person_alias, person_likeness, person_pair, notice_person, consent, log_subject, log_outbox, erasure, "
    "bulk_piece, bulk_row"
)


class PostgresRetention(SqlRetention):
    """RetentionStorage on the clustered store."""

    def __init__(self, writer: Writer, readers: Readers, sequencer: Sequencer, url: str) -> None:
        super().__init__(writer, readers)
        self._sequencer, self._url = sequencer, url

    async def forget(
        self, erasure: str, person: PersonId, subject: bytes, at: datetime, records: Sequence[PreparedRecord]
    ) -> int:
        await self._sequencer.settle()  # what still waits would lengthen the person's chain afterwards
        return await super().forget(erasure, person, subject, at, records)

    async def empty_journal(self) -> None:
        connection = await connect(self._url, takes_its_time=True)
        try:
            await connection.execute(f"VACUUM {_TABLES}")
        except AWAY as error:
            raise unavailable(error) from error
        finally:
            connection.terminate()
