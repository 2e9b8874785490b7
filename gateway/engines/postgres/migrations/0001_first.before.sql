-- Everything the first release needs, as in the embedded store. Instants are milliseconds UTC, ids 16 bytes, states the numbers of values.py.

CREATE TABLE property (
  name text PRIMARY KEY,
  value bytea NOT NULL
);

-- The versions that a prepared write is compared with; one row.
CREATE TABLE epoch (
  one bigint PRIMARY KEY CHECK (one = 1),
  policy bigint NOT NULL,
  consent bigint NOT NULL,
  directory bigint NOT NULL
);
INSERT INTO epoch VALUES (1, 0, 0, 0);

-- Notices in order of acceptance; a row never changes. `content` holds persons and sealed segments.
CREATE TABLE notice (
  number bigint PRIMARY KEY,
  id bytea NOT NULL UNIQUE,
  type text NOT NULL,
  case_id bytea NOT NULL,
  sender text NOT NULL,
  urgency bigint NOT NULL,
  received_at bigint NOT NULL,
  flags text NOT NULL,
  replies_to bytea,
  header_key text NOT NULL,
  header bytea NOT NULL,
  content bytea NOT NULL
);
CREATE INDEX notice_by_case ON notice (case_id);

-- What happened to a notice afterwards.
CREATE TABLE notice_end (
  notice bigint PRIMARY KEY,
  withdrawn_at bigint,
  reason text,
  superseded_by bytea
);

-- The bytes as received, sealed under a key of their own, for a limited time.
CREATE TABLE raw_body (
  notice bigint PRIMARY KEY,
  expires_at bigint NOT NULL,
  person bytea,
  compartment text NOT NULL,
  key text NOT NULL,
  ciphertext bytea NOT NULL
);
CREATE INDEX raw_body_by_expiry ON raw_body (expires_at);

CREATE TABLE receipt (
  notice bigint PRIMARY KEY,
  expires_at bigint NOT NULL,
  idempotency_key bytea NOT NULL,
  native_id_key bytea NOT NULL,
  body_digest bytea NOT NULL,
  receipt bytea NOT NULL
);
CREATE INDEX receipt_by_expiry ON receipt (expires_at);

-- Finds a receipt by the first eight bytes of either of its keys: random keys touch as few pages as they can.
CREATE TABLE receipt_key (
  head bigint NOT NULL,
  notice bigint NOT NULL,
  PRIMARY KEY (head, notice)
);

CREATE TABLE person (
  id bytea PRIMARY KEY,
  key text NOT NULL
);

CREATE TABLE person_alias (
  alias bytea PRIMARY KEY,
  person bytea NOT NULL
);
CREATE INDEX person_alias_by_person ON person_alias (person);

-- In which notices a person is named: what an erasure or an export has to visit.
CREATE TABLE notice_person (
  person bytea NOT NULL,
  notice bigint NOT NULL,
  ref text NOT NULL,
  PRIMARY KEY (person, notice, ref)
);

-- One notice for one recipient. `number` is the notice's number times 4096 plus the place in it.
-- `ready_at` is when it may be leased: due, or the end of a lease; null while it waits in its lane or is not due.
CREATE TABLE delivery (
  number bigint PRIMARY KEY,
  id bytea NOT NULL UNIQUE,
  recipient text NOT NULL,
  state bigint NOT NULL,
  urgency bigint NOT NULL,
  overtakes bigint NOT NULL,
  lane bytea NOT NULL,
  due_at bigint NOT NULL,
  ready_at bigint,
  expires_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  lease_token text,
  lease_expires_at bigint,
  lease_disclosed bigint NOT NULL DEFAULT 0,
  attempts bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL DEFAULT 0,
  release_digest bytea,
  parked_at bigint,
  reason text NOT NULL,
  route text NOT NULL
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
  at bigint NOT NULL,
  notice bigint NOT NULL,
  PRIMARY KEY (at, notice)
);

CREATE TABLE case_handle (
  office text NOT NULL,
  handle bytea NOT NULL,
  case_id bytea NOT NULL,
  PRIMARY KEY (office, handle)
);

-- Offices as now in force, and every version before.
CREATE TABLE office (
  id text PRIMARY KEY,
  version bigint NOT NULL,
  document bytea NOT NULL
);
CREATE TABLE office_version (
  id text NOT NULL,
  version bigint NOT NULL,
  changed_at bigint NOT NULL,
  document bytea NOT NULL,
  PRIMARY KEY (id, version)
);

CREATE TABLE one_time (
  realm text NOT NULL,
  value bytea NOT NULL,
  until bigint NOT NULL,
  PRIMARY KEY (realm, value)
);
CREATE INDEX one_time_by_end ON one_time (until);

CREATE TABLE policy_version (
  hash text PRIMARY KEY,
  documents bytea NOT NULL
);
CREATE TABLE policy_activation (
  epoch bigint PRIMARY KEY,
  hash text NOT NULL REFERENCES policy_version (hash),
  region text NOT NULL,
  effective_from bigint NOT NULL,
  activated_by text NOT NULL
);
CREATE INDEX policy_activation_by_region ON policy_activation (region, epoch);
CREATE INDEX policy_activation_by_hash ON policy_activation (hash, epoch);

-- Every state of every consent record; the one of the highest epoch counts.
CREATE TABLE consent (
  epoch bigint PRIMARY KEY,
  id text NOT NULL,
  person bytea NOT NULL,
  state text NOT NULL,
  recorded_at bigint NOT NULL,
  document bytea NOT NULL
);
CREATE INDEX consent_by_person ON consent (person, id, epoch);

-- The exchange log. Leaves hold no personal data and are never changed.
CREATE TABLE log_leaf (
  place bigint PRIMARY KEY,
  event bytea NOT NULL UNIQUE,
  entry bytea NOT NULL
);
-- What opens a leaf, packed: the envelope with its secret, and slots sealed under secrets that are not in this store.
CREATE TABLE log_record (
  place bigint PRIMARY KEY,
  name text NOT NULL,
  at bigint NOT NULL,
  opening bytea NOT NULL
);
-- The chain of each person, under a keyed name; deleted when the person is erased.
CREATE TABLE log_subject (
  subject bytea NOT NULL,
  chain bigint NOT NULL,
  place bigint NOT NULL,
  PRIMARY KEY (subject, chain)
);
CREATE TABLE log_tile (
  level bigint NOT NULL,
  place bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (level, place)
);
-- The tree as the sequencer last left it; every integration compares and sets it.
CREATE TABLE log_head (
  one bigint PRIMARY KEY CHECK (one = 1),
  size bigint NOT NULL,
  root bytea NOT NULL,
  upper bytea NOT NULL
);
-- Every event that was ever logged, whether its record has its place already or not: it is told once.
CREATE TABLE log_event (
  event bytea PRIMARY KEY
);
-- Records of committed writes that wait for their place in the tree, in the order of their numbers.
CREATE TABLE log_outbox (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event bytea NOT NULL,
  name text NOT NULL,
  at bigint NOT NULL,
  prepared bytea NOT NULL
);
CREATE TABLE log_indexed (
  one bigint PRIMARY KEY CHECK (one = 1),
  until bigint NOT NULL
);
-- Numbers for notices, drawn by the group; a draw that was rolled back leaves a gap.
CREATE SEQUENCE notice_numbers AS bigint INCREMENT BY 256 START WITH 1;
CREATE TABLE log_checkpoint (
  size bigint PRIMARY KEY,
  root bytea NOT NULL,
  note bytea NOT NULL,
  signed_at bigint NOT NULL
);
-- The search index: one row per word of a record. Outside the proof, filled behind the writes, rebuilt at will.
CREATE TABLE log_word (
  word text NOT NULL,
  place bigint NOT NULL,
  PRIMARY KEY (word, place)
);

-- The lines with which witnesses cosigned a checkpoint. They come after the note, so they stand beside it.
CREATE TABLE log_cosignature (
  size bigint NOT NULL REFERENCES log_checkpoint (size),
  witness text NOT NULL,
  at bigint NOT NULL,
  line bytea NOT NULL,
  PRIMARY KEY (size, witness, at)
);
-- How deliveries moved, numbered for each sender of their notices, so that it can ask what is new.
CREATE TABLE delivery_change (
  sender text NOT NULL,
  number bigint NOT NULL,
  delivery bigint NOT NULL,
  state bigint NOT NULL,
  at bigint NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (sender, number)
);
-- Where each policy pack is on its way; `steps` counts them, so that two people cannot take the same step twice.
CREATE TABLE policy_life (
  hash text PRIMARY KEY REFERENCES policy_version (hash),
  region text NOT NULL,
  steps bigint NOT NULL,
  document bytea NOT NULL
);
-- Who of the staff may do what, as now in force; how it came about is in the exchange log.
CREATE TABLE staff_role (
  name text NOT NULL,
  role text NOT NULL,
  granted_by text NOT NULL,
  granted_at bigint NOT NULL,
  PRIMARY KEY (name, role)
);
-- A withdrawal names a consent record by its id alone.
CREATE INDEX consent_by_id ON consent (id, epoch);

-- Emergency access: which office, to which case, until when, and what a second person found. `document` is sealed under `key`.
CREATE TABLE emergency (
  id text PRIMARY KEY,
  office text NOT NULL,
  case_id bytea NOT NULL,
  granted_at bigint NOT NULL,
  until bigint NOT NULL,
  reviewed_at bigint,
  outcome text,
  key text NOT NULL,
  document bytea NOT NULL
);
CREATE INDEX emergency_by_office ON emergency (office, case_id, until);
CREATE INDEX emergency_by_outcome ON emergency (office, outcome, reviewed_at) WHERE outcome IS NOT NULL;
CREATE INDEX emergency_unreviewed ON emergency (granted_at) WHERE outcome IS NULL;
CREATE INDEX emergency_by_time ON emergency (granted_at);
-- Whose content may not be destroyed for now.
CREATE TABLE legal_hold (
  id text PRIMARY KEY,
  person bytea NOT NULL,
  authority text NOT NULL,
  set_by text NOT NULL,
  set_at bigint NOT NULL,
  lifted_at bigint
);
CREATE INDEX legal_hold_by_person ON legal_hold (person) WHERE lifted_at IS NULL;
-- Erasures asked for, approved and done; `person` is emptied when done.
CREATE TABLE erasure (
  id text PRIMARY KEY,
  person bytea NOT NULL,
  authority text NOT NULL,
  asked_by text NOT NULL,
  asked_at bigint NOT NULL,
  approved_by text,
  done_at bigint
);
CREATE INDEX erasure_open ON erasure (asked_at) WHERE done_at IS NULL;
-- Defence in depth; what finds a change for certain is the tree.
CREATE FUNCTION log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what was logged never changes and is never removed' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER log_leaf_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaf FOR EACH STATEMENT EXECUTE FUNCTION log_stays();
CREATE TRIGGER log_tile_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_tile FOR EACH STATEMENT EXECUTE FUNCTION log_stays();
CREATE TRIGGER log_checkpoint_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION log_stays();
CREATE TRIGGER log_cosignature_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON log_cosignature FOR EACH STATEMENT EXECUTE FUNCTION log_stays();
