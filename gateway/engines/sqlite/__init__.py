"""The embedded store: one SQLite database, owned by one process."""
