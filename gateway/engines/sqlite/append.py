"""How does a record become a leaf in the transaction that it tells of?

The writer gathers the records of a group and appends them at its end: each gets its
place, its links in the chains of its persons, and its hash on a copy of the tree's
edge, which becomes the edge once COMMIT has returned. At start-up, and whenever the
outcome of a commit is unknown, the edge is read back and compared with the stored head;
what does not fit stops the store.
"""

from __future__ import annotations

from typing import cast

from gateway.audit.leaf import entry_bytes, entry_root, leaf_hash
from gateway.audit.merkle import TILE_WIDTH, Edge
from gateway.engines.sql.transaction import Transaction
from gateway.engines.sql.values import blob_of, millis, subject_blob, text_of
from gateway.engines.sqlite.connection import Statements
from gateway.model.audit import FIRST_LINK, Link
from gateway.model.errors import Tampered
from gateway.model.identifiers import EventId


def load_edge(sql: Statements) -> Edge:
    """The edge as committed. Tampered when leaves, rows above them and head do not fit each other."""
    head = sql.one("log_head")
    count = sql.one("leaf_count")
    leaves = int(count[0] or 0) if count else 0
    if head is None:
        if leaves:
            raise _broken(sql, "the log has leaves but no head")
        return Edge()
    size, root, upper = head
    if size != leaves:
        raise _broken(sql, f"the log's head counts {size} leaves and there are {leaves}")
    last = [leaf_hash(row[0]) for row in sql.all("leaf_entries", (size - size % TILE_WIDTH, size))]
    try:
        edge = Edge.load(size, last, upper)
    except ValueError as broken:
        raise _broken(sql, "the log's edge does not fit its size") from broken
    if edge.root() != root:
        raise _broken(sql, "the log's leaves do not give its root")
    return edge


def _broken(sql: Statements, what: str) -> Tampered:
    """Names the first leaf that no signature in the store vouches for: what comes before can be checked against it."""
    signed = sql.one("latest_checkpoint")
    return Tampered(
        f"{what}; the newest checkpoint is of {0 if signed is None else signed[0]} leaves",
        remedy="restore the store from a backup",
    )


def write_log(tx: Transaction) -> None:
    """Append the gathered records: places, links, leaves, full tiles, head."""
    sql, edge = cast("Statements", tx.sql), tx.state.edge  # the writer of this engine makes no other
    named = [[subject_blob(subject) for subject in record.subjects] for record in tx.records]
    chains = tx.state.chains
    for name, link in _chain_heads(sql, {one for names in named for one in names if chains.get(one) is None}):
        chains.move(name, link)
    rows: list[tuple[int, bytes, bytes]] = []
    kept: list[tuple[int, str, int, bytes]] = []
    hashes: list[bytes] = []
    subjects: list[tuple[bytes, int, int]] = []
    place = edge.size
    for prepared, names in zip(tx.records, named, strict=True):
        links = [chains.get(name) or FIRST_LINK for name in names]
        root, packed = prepared.keep(links)
        for name, link in zip(names, links, strict=True):
            subjects.append((name, link.seq, place))
            chains.move(name, Link(link.seq + 1, prepared.event_id, root))
        entry = entry_bytes(root)
        hashes.append(leaf_hash(entry))
        rows.append((place, blob_of(prepared.event_id), entry))
        kept.append((place, prepared.name, millis(prepared.at), packed))
        place += 1
    tiles = edge.extend(hashes)
    sql.many("add_leaves", rows)
    sql.many("add_log_records", kept)
    if subjects:
        sql.many("add_log_subjects", sorted(subjects))
    if tiles:
        sql.many("add_tiles", [(tile.level, tile.index, tile.data) for tile in tiles])
    # the rows above the leaves, up to 8 KiB, change only when a tile is full
    if tiles or len(rows) == edge.size:
        sql.run("set_log_head", (edge.size, edge.root(), edge.upper()))
    else:
        sql.run("move_log_head", (edge.size, edge.root()))


def _chain_heads(sql: Statements, subjects: set[bytes]) -> list[tuple[bytes, Link]]:
    """The link that the next record of each known subject gets."""
    if not subjects:
        return []
    rows = sql.gathered("chain_heads", {"subjects": b"".join(sorted(subjects)), "count": len(subjects)})
    blob = bytes.fromhex
    return [
        (blob(subject), Link(chain + 1, EventId(text_of(blob(event))), entry_root(blob(entry))))
        for subject, chain, event, entry in rows
    ]
