-- Files of many rows, worked off behind single notices. `stage` is reports, rest or done; rows count from 0.
CREATE TABLE bulk_file (
  id bytea PRIMARY KEY,
  office text NOT NULL,
  file_key bytea NOT NULL UNIQUE,
  media_type text NOT NULL,
  size bigint NOT NULL,
  pieces bigint NOT NULL,
  key text NOT NULL,
  header bytea NOT NULL,
  receipt bytea NOT NULL,
  received_at bigint NOT NULL,
  raw_expires_at bigint NOT NULL,
  receipt_expires_at bigint NOT NULL,
  stage text NOT NULL DEFAULT 'reports',
  next_row bigint NOT NULL DEFAULT 0,
  row_count bigint,
  accepted bigint NOT NULL DEFAULT 0,
  refused bigint NOT NULL DEFAULT 0,
  finished_at bigint,
  raw_gone bigint NOT NULL DEFAULT 0,
  forget bigint NOT NULL DEFAULT 0
);
CREATE INDEX bulk_file_open ON bulk_file (received_at) WHERE finished_at IS NULL;
CREATE INDEX bulk_file_by_office ON bulk_file (office, received_at);
CREATE INDEX bulk_file_by_raw_expiry ON bulk_file (raw_expires_at) WHERE raw_gone = 0;
CREATE INDEX bulk_file_by_expiry ON bulk_file (receipt_expires_at);
CREATE TABLE bulk_piece (
  file bytea NOT NULL,
  number bigint NOT NULL,
  ciphertext bytea NOT NULL,
  PRIMARY KEY (file, number)
);
-- What each row became: a notice by its number, or the problem.
CREATE TABLE bulk_row (
  file bytea NOT NULL,
  row bigint NOT NULL,
  position text NOT NULL,
  notice bigint,
  problem bytea NOT NULL,
  PRIMARY KEY (file, row)
);
CREATE INDEX bulk_row_by_notice ON bulk_row (notice) WHERE notice IS NOT NULL;
CREATE INDEX bulk_row_refused ON bulk_row (file, row) WHERE notice IS NULL;
