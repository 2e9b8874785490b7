"""How does a node learn which epochs are in force, when another node may have raised them?"""

from __future__ import annotations

from gateway.engines.sql.registry import SqlDirectory
from gateway.model.errors import Unavailable
from gateway.ports.storage import Epochs


class PostgresDirectory(SqlDirectory):
    """DirectoryStorage on the clustered store."""

    async def epochs(self) -> Epochs:
        row = await self._readers.ask(lambda sql: sql.one("epochs"))
        if row is None:
            raise Unavailable("the store has no epochs", remedy="run `hutong migrate`")
        return Epochs(*row)
