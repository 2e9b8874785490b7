-- name: property
-- A property of the key store.
SELECT value FROM property WHERE name = ?;

-- name: set_property
-- Set a property of the key store.
INSERT INTO property (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: drop_property
-- Drop a property of the key store.
DELETE FROM property WHERE name = ?;

-- name: add_data_keys
-- Keep fresh data keys, wrapped.
INSERT INTO data_key (id, wrapped) VALUES (?, ?);

-- name: data_key
-- One data key, wrapped.
SELECT wrapped FROM data_key WHERE id = ?;

-- name: unused_data_keys
-- The data keys from one on: what was in stock at a clean end.
SELECT id, wrapped FROM data_key WHERE id >= ? ORDER BY id;

-- name: overwrite_data_key
-- Put zeros in the place of a wrapped key.
UPDATE data_key SET wrapped = zeroblob(length(wrapped)) WHERE id = ?;

-- name: delete_data_key
-- Forget a data key.
DELETE FROM data_key WHERE id = ?;

-- name: named_secret
-- A named secret, wrapped.
SELECT wrapped FROM named_secret WHERE name = ?;

-- name: add_named_secret
-- Keep a named secret, wrapped.
INSERT INTO named_secret (name, wrapped) VALUES (?, ?);

-- name: current_signing_key
-- The signing key in use for a purpose, wrapped.
SELECT kid, wrapped FROM signing_key WHERE purpose = ? AND wrapped IS NOT NULL;

-- name: retire_signing_key
-- Destroy the private part of a purpose's key; its public part stays.
UPDATE signing_key SET wrapped = NULL WHERE purpose = ? AND wrapped IS NOT NULL;

-- name: add_signing_key
-- Keep a signing key: public part in the clear, private part wrapped.
INSERT INTO signing_key (kid, purpose, jwk, wrapped) VALUES (?, ?, ?, ?);

-- name: public_keys
-- The public parts of all signing keys, oldest first.
SELECT jwk FROM signing_key ORDER BY number;
