"""The store's rooms that both databases share: what a write means, and what a question asks, over named queries."""

from gateway.engines.queries import load

QUERIES = load(
    "gateway.engines.sql",
    "notices.sql",
    "deliveries.sql",
    "log.sql",
    "registry.sql",
    "emergencies.sql",
    "persons.sql",
    "retention.sql",
    "files.sql",
    "relays.sql",
    "store.sql",
)
