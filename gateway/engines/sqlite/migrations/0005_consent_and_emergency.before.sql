-- A withdrawal names a consent record by its id alone.
CREATE INDEX consent_by_id ON consent (id, epoch);

-- Emergency access: which office, to which case, until when, and what a second person found. `document` is sealed under `key`.
CREATE TABLE emergency (
  id TEXT PRIMARY KEY,
  office TEXT NOT NULL,
  case_id BLOB NOT NULL,
  granted_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  reviewed_at INTEGER,
  outcome TEXT,
  key TEXT NOT NULL,
  document BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX emergency_by_office ON emergency (office, case_id, until);
CREATE INDEX emergency_by_outcome ON emergency (office, outcome, reviewed_at) WHERE outcome IS NOT NULL;
CREATE INDEX emergency_unreviewed ON emergency (granted_at) WHERE outcome IS NULL;
CREATE INDEX emergency_by_time ON emergency (granted_at);
