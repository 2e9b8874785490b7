-- Where each policy pack is on its way; `steps` counts them, so that two people cannot take the same step twice.
CREATE TABLE policy_life (
  hash TEXT PRIMARY KEY REFERENCES policy_version (hash),
  region TEXT NOT NULL,
  steps INTEGER NOT NULL,
  document BLOB NOT NULL
) WITHOUT ROWID;
-- Who of the staff may do what, as now in force; how it came about is in the exchange log.
CREATE TABLE staff_role (
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  granted_by TEXT NOT NULL,
  granted_at INTEGER NOT NULL,
  PRIMARY KEY (name, role)
) WITHOUT ROWID;
