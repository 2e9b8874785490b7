-- Whose content may not be destroyed for now.
CREATE TABLE legal_hold (
  id TEXT PRIMARY KEY,
  person BLOB NOT NULL,
  authority TEXT NOT NULL,
  set_by TEXT NOT NULL,
  set_at INTEGER NOT NULL,
  lifted_at INTEGER
) WITHOUT ROWID;
CREATE INDEX legal_hold_by_person ON legal_hold (person) WHERE lifted_at IS NULL;
-- Erasures asked for, approved and done; `person` is emptied when done.
CREATE TABLE erasure (
  id TEXT PRIMARY KEY,
  person BLOB NOT NULL,
  authority TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  approved_by TEXT,
  done_at INTEGER
) WITHOUT ROWID;
CREATE INDEX erasure_open ON erasure (asked_at) WHERE done_at IS NULL;
