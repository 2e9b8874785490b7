-- name: epochs
-- The epochs in force.
SELECT policy, consent, directory FROM epoch;

-- name: set_epochs
-- Put new epochs in force.
UPDATE epoch SET policy = ?, consent = ?, directory = ?;

-- name: offices
-- All offices as now in force.
SELECT version, document FROM office ORDER BY id;

-- name: put_office
-- Put a version of an office in force.
INSERT INTO office (id, version, document) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, document = excluded.document;

-- name: keep_office_version
-- Keep a version of an office.
INSERT INTO office_version (id, version, changed_at, document) VALUES (?, ?, ?, ?);

-- name: use_once
-- Remember a one-time value.
INSERT INTO one_time (realm, value, until) VALUES (?, ?, ?) ON CONFLICT (realm, value) DO NOTHING;

-- name: forget_one_time
-- Forget one-time values whose time is well over, at most so many.
DELETE FROM one_time WHERE (realm, value) IN (SELECT realm, value FROM one_time WHERE until <= ? ORDER BY until LIMIT ?);

-- name: add_policy
-- Keep the documents of a policy; the same hash is the same documents.
INSERT INTO policy_version (hash, documents) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING;

-- name: activate_policy
-- Say that a policy is in force from this epoch on.
INSERT INTO policy_activation (epoch, hash, region, effective_from, activated_by) VALUES (?, ?, ?, ?, ?);

-- name: active_policy
-- The policy activated last for a region.
SELECT hash FROM policy_activation WHERE region = ? ORDER BY epoch DESC LIMIT 1;

-- name: activations
-- Everything that was ever put in force for a region, the latest first.
SELECT hash, effective_from, activated_by FROM policy_activation WHERE region = ? ORDER BY epoch DESC;

-- name: policy_documents
-- The documents of a pack in any state.
SELECT documents FROM policy_version WHERE hash = ?;

-- name: policy_lives
-- The way of every pack.
SELECT document FROM policy_life ORDER BY hash;

-- name: policy_steps
-- How many steps a pack has taken.
SELECT steps FROM policy_life WHERE hash = ?;

-- name: put_policy_life
-- Keep the way of a pack as it now is.
INSERT INTO policy_life (hash, region, steps, document) VALUES (?, ?, ?, ?)
ON CONFLICT (hash) DO UPDATE SET region = excluded.region, steps = excluded.steps, document = excluded.document;

-- name: staff_roles
-- All roles in force.
SELECT name, role, granted_by, granted_at FROM staff_role ORDER BY name, role;

-- name: grant_role
-- Give a role to a person who does not have it.
INSERT INTO staff_role (name, role, granted_by, granted_at) VALUES (?, ?, ?, ?) ON CONFLICT (name, role) DO NOTHING;

-- name: revoke_role
-- Take a role away.
DELETE FROM staff_role WHERE name = ? AND role = ?;

-- name: add_consent
-- Keep a state of a consent record.
INSERT INTO consent (epoch, id, person, state, recorded_at, document) VALUES (?, ?, ?, ?, ?, ?);

-- name: consents_of
-- The newest state of every consent record of a person.
SELECT c.id, c.document, c.state, c.recorded_at FROM consent AS c
WHERE c.person = :person AND c.epoch = (SELECT max(l.epoch) FROM consent AS l WHERE l.person = :person AND l.id = c.id)
ORDER BY c.id;

-- name: consents_named
-- The newest state of every consent record in a range of ids.
SELECT c.id, c.person, c.document, c.state, c.recorded_at FROM consent AS c
WHERE c.id > :first AND c.id < :last AND c.epoch = (SELECT max(l.epoch) FROM consent AS l WHERE l.id = c.id)
ORDER BY c.id;
