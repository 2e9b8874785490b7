"""Write out the log for somebody outside: every file of tlog-tiles, the checkpoint, and the records that may be opened.

What is written verifies with `hutong_verify.py log FOLDER --policy POLICY --records
FOLDER/records.jsonl`. Exporting is an event that the caller logs.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from gateway.audit.export import first_line, record_line
from gateway.audit.opening import Opening, open_slot, read_opening
from gateway.audit.record import link_bytes, names_by_version
from gateway.audit.tiles import ENTRIES, tile_path, tiles_of
from gateway.model.errors import Tampered, Unavailable
from gateway.ports.log_storage import LogStorage
from gateway.services.publish import Publisher

PAGE = 1000

# The secrets of a record's slots by slot number (from 1), those that this reader may open and that still exist.
Secrets = Callable[[Opening], Mapping[int, bytes]]


def no_slots(opening: Opening) -> Mapping[int, bytes]:
    return {}


async def export_files(publisher: Publisher) -> AsyncIterator[tuple[str, bytes]]:
    """Path and content of every file under the newest checkpoint, the checkpoint last."""
    latest = publisher.latest
    if latest is None:
        raise Unavailable("no checkpoint was signed yet")
    size = latest.checkpoint.size
    for level, index, width in tiles_of(size):
        yield tile_path(level, index, width), await publisher.tree.tile(level, index, size)
        if level == 0:
            yield tile_path(ENTRIES, index, width), await publisher.tree.bundle(index, size)
    yield "checkpoint", latest.note


async def export_records(log: LogStorage, start: int, stop: int, secrets: Secrets = no_slots) -> AsyncIterator[bytes]:
    """Lines of `records.jsonl` for leaves `start .. stop-1`, the line of names first. Tampered when one is missing."""
    yield first_line(names_by_version())
    for page in range(start, stop, PAGE):
        records = await log.records(page, min(page + PAGE, stop))
        for index, record in zip(range(page, min(page + PAGE, stop)), [*records, None], strict=False):
            if record is None or record.index != index:
                raise Tampered(f"the record of leaf {index} is missing")
            yield record_line(index, record.opening, _opened(read_opening(record.opening), secrets))


def _opened(opening: Opening, secrets: Secrets) -> dict[int, dict[str, Any]]:
    opened: dict[int, dict[str, Any]] = {}
    for number, secret in secrets(opening).items():
        slot = open_slot(opening, number, secret)
        link = {} if slot.link is None else {"link": json.loads(link_bytes(slot.link))}
        opened[number] = {"salts": b64encode(slot.salts).decode(), "values": dict(slot.values), **link}
    return opened
