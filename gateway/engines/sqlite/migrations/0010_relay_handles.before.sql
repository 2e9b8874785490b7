-- The older code gives out handles that lead nowhere, as before; nothing is taken away.
-- Which handles an office may send a message through: a keyed digest of the handle and where the value stands, never the
-- value. `delivery` and `notice` are numbers.
CREATE TABLE relay_handle (
  office TEXT NOT NULL,
  handle BLOB NOT NULL,
  delivery INTEGER NOT NULL,
  notice INTEGER NOT NULL,
  path TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (office, handle, delivery)
) WITHOUT ROWID;
CREATE INDEX relay_handle_by_notice ON relay_handle (notice);
CREATE INDEX relay_handle_by_expiry ON relay_handle (expires_at);
