-- Files of many rows, worked off behind single notices. `stage` is reports, rest or done; rows count from 0.
CREATE TABLE bulk_file (
  id BLOB PRIMARY KEY,
  office TEXT NOT NULL,
  file_key BLOB NOT NULL UNIQUE,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  pieces INTEGER NOT NULL,
  key TEXT NOT NULL,
  header BLOB NOT NULL,
  receipt BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  raw_expires_at INTEGER NOT NULL,
  receipt_expires_at INTEGER NOT NULL,
  stage TEXT NOT NULL DEFAULT 'reports',
  next_row INTEGER NOT NULL DEFAULT 0,
  row_count INTEGER,
  accepted INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  finished_at INTEGER,
  raw_gone INTEGER NOT NULL DEFAULT 0,
  forget INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX bulk_file_open ON bulk_file (received_at) WHERE finished_at IS NULL;
CREATE INDEX bulk_file_by_office ON bulk_file (office, received_at);
CREATE INDEX bulk_file_by_raw_expiry ON bulk_file (raw_expires_at) WHERE raw_gone = 0;
CREATE INDEX bulk_file_by_expiry ON bulk_file (receipt_expires_at);
CREATE TABLE bulk_piece (
  file BLOB NOT NULL,
  number INTEGER NOT NULL,
  ciphertext BLOB NOT NULL,
  PRIMARY KEY (file, number)
);
-- What each row became: a notice by its number, or the problem.
CREATE TABLE bulk_row (
  file BLOB NOT NULL,
  row INTEGER NOT NULL,
  position TEXT NOT NULL,
  notice INTEGER,
  problem BLOB NOT NULL,
  PRIMARY KEY (file, row)
) WITHOUT ROWID;
CREATE INDEX bulk_row_by_notice ON bulk_row (notice) WHERE notice IS NOT NULL;
CREATE INDEX bulk_row_refused ON bulk_row (file, row) WHERE notice IS NULL;
