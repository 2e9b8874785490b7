-- Everything the first release needs. Instants are milliseconds UTC, ids 16 bytes, states the numbers of values.py.

CREATE TABLE property (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

-- The versions that a prepared write is compared with; one row.
CREATE TABLE epoch (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  policy INTEGER NOT NULL,
  consent INTEGER NOT NULL,
  directory INTEGER NOT NULL
);
INSERT INTO epoch VALUES (1, 0, 0, 0);

-- Notices in order of acceptance; a row never changes. `content` holds persons and sealed segments.
CREATE TABLE notice (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  type TEXT NOT NULL,
  case_id BLOB NOT NULL,
  sender TEXT NOT NULL,
  urgency INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  flags TEXT NOT NULL,
  replies_to BLOB,
  header_key TEXT NOT NULL,
  header BLOB NOT NULL,
  content BLOB NOT NULL
);
CREATE INDEX notice_by_case ON notice (case_id);

-- What happened to a notice afterwards.
CREATE TABLE notice_end (
  notice INTEGER PRIMARY KEY,
  withdrawn_at INTEGER,
  reason TEXT,
  superseded_by BLOB
);

-- The bytes as received, sealed under a key of their own, for a limited time.
CREATE TABLE raw_body (
  notice INTEGER PRIMARY KEY,
  expires_at INTEGER NOT NULL,
  person BLOB,
  compartment TEXT NOT NULL,
  key TEXT NOT NULL,
  ciphertext BLOB NOT NULL
);
CREATE INDEX raw_body_by_expiry ON raw_body (expires_at);

CREATE TABLE receipt (
  notice INTEGER PRIMARY KEY,
  expires_at INTEGER NOT NULL,
  idempotency_key BLOB NOT NULL,
  native_id_key BLOB NOT NULL,
  body_digest BLOB NOT NULL,
  receipt BLOB NOT NULL
);
CREATE INDEX receipt_by_expiry ON receipt (expires_at);

-- Finds a receipt by the first eight bytes of either of its keys: random keys touch as few pages as they can.
CREATE TABLE receipt_key (
  head INTEGER NOT NULL,
  notice INTEGER NOT NULL,
  PRIMARY KEY (head, notice)
) WITHOUT ROWID;

CREATE TABLE person (
  id BLOB PRIMARY KEY,
  key TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE person_alias (
  alias BLOB PRIMARY KEY,
  person BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX person_alias_by_person ON person_alias (person);

-- In which notices a person is named: what an erasure or an export has to visit.
CREATE TABLE notice_person (
  person BLOB NOT NULL,
  notice INTEGER NOT NULL,
  ref TEXT NOT NULL,
  PRIMARY KEY (person, notice, ref)
) WITHOUT ROWID;

-- One notice for one recipient. `number` is the notice's number times 4096 plus the place in it.
-- `ready_at` is when it may be leased: due, or the end of a lease; null while it waits in its lane or is not due.
CREATE TABLE delivery (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  recipient TEXT NOT NULL,
  state INTEGER NOT NULL,
  urgency INTEGER NOT NULL,
  overtakes INTEGER NOT NULL,
  lane BLOB NOT NULL,
  due_at INTEGER NOT NULL,
  ready_at INTEGER,
  expires_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  lease_token TEXT,
  lease_expires_at INTEGER,
  lease_disclosed INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  release_digest BLOB,
  parked_at INTEGER,
  reason TEXT NOT NULL,
  route TEXT NOT NULL
);
CREATE INDEX delivery_inbox ON delivery (recipient, urgency, ready_at) WHERE state = 1;
CREATE INDEX delivery_leased ON delivery (recipient, lease_expires_at) WHERE lease_token IS NOT NULL;
CREATE INDEX delivery_held ON delivery (recipient) WHERE state = 0;
CREATE INDEX delivery_parked ON delivery (parked_at) WHERE state = 2;
CREATE INDEX delivery_parked_by_recipient ON delivery (recipient, reason) WHERE state = 2;
CREATE INDEX delivery_lane ON delivery (lane) WHERE state < 2;
CREATE INDEX delivery_parked_lane ON delivery (lane) WHERE state = 2;

-- When deliveries of a notice run out, one row per distinct instant; looked at once, when it has come.
CREATE TABLE expiry (
  at INTEGER NOT NULL,
  notice INTEGER NOT NULL,
  PRIMARY KEY (at, notice)
) WITHOUT ROWID;

CREATE TABLE case_handle (
  office TEXT NOT NULL,
  handle BLOB NOT NULL,
  case_id BLOB NOT NULL,
  PRIMARY KEY (office, handle)
) WITHOUT ROWID;

-- Offices as now in force, and every version before.
CREATE TABLE office (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  document BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE office_version (
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  document BLOB NOT NULL,
  PRIMARY KEY (id, version)
) WITHOUT ROWID;

CREATE TABLE one_time (
  realm TEXT NOT NULL,
  value BLOB NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (realm, value)
) WITHOUT ROWID;
CREATE INDEX one_time_by_end ON one_time (until);

CREATE TABLE policy_version (
  hash TEXT PRIMARY KEY,
  documents BLOB NOT NULL
);
CREATE TABLE policy_activation (
  epoch INTEGER PRIMARY KEY,
  hash TEXT NOT NULL REFERENCES policy_version (hash),
  region TEXT NOT NULL,
  effective_from INTEGER NOT NULL,
  activated_by TEXT NOT NULL
);
CREATE INDEX policy_activation_by_region ON policy_activation (region, epoch);
CREATE INDEX policy_activation_by_hash ON policy_activation (hash, epoch);

-- Every state of every consent record; the one of the highest epoch counts.
CREATE TABLE consent (
  epoch INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  person BLOB NOT NULL,
  state TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  document BLOB NOT NULL
);
CREATE INDEX consent_by_person ON consent (person, id, epoch);

-- The exchange log. Leaves hold no personal data and are never changed.
CREATE TABLE log_leaf (
  place INTEGER PRIMARY KEY,
  event BLOB NOT NULL UNIQUE,
  entry BLOB NOT NULL
);
-- What opens a leaf, packed: the envelope with its secret, and slots sealed under secrets that are not in this store.
CREATE TABLE log_record (
  place INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  at INTEGER NOT NULL,
  opening BLOB NOT NULL
);
-- The chain of each person, under a keyed name; deleted when the person is erased.
CREATE TABLE log_subject (
  subject BLOB NOT NULL,
  chain INTEGER NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (subject, chain)
) WITHOUT ROWID;
CREATE TABLE log_tile (
  level INTEGER NOT NULL,
  place INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (level, place)
);
CREATE TABLE log_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  upper BLOB NOT NULL
);
CREATE TABLE log_checkpoint (
  size INTEGER PRIMARY KEY,
  root BLOB NOT NULL,
  note BLOB NOT NULL,
  signed_at INTEGER NOT NULL
);
-- The search index: one row per word of a record. Outside the proof, filled behind the writes, rebuilt at will.
CREATE TABLE log_word (
  word TEXT NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (word, place)
) WITHOUT ROWID;

-- Defence in depth; what finds a change for certain is the tree.
CREATE TRIGGER log_leaf_stays BEFORE UPDATE ON log_leaf BEGIN SELECT RAISE(ABORT, 'leaves never change'); END;
CREATE TRIGGER log_leaf_remains BEFORE DELETE ON log_leaf BEGIN SELECT RAISE(ABORT, 'leaves are never removed'); END;
CREATE TRIGGER log_tile_stays BEFORE UPDATE ON log_tile BEGIN SELECT RAISE(ABORT, 'tiles never change'); END;
CREATE TRIGGER log_tile_remains BEFORE DELETE ON log_tile BEGIN SELECT RAISE(ABORT, 'tiles are never removed'); END;
CREATE TRIGGER log_checkpoint_stays BEFORE UPDATE ON log_checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints never change'); END;
CREATE TRIGGER log_checkpoint_remains BEFORE DELETE ON log_checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints are never removed'); END;
