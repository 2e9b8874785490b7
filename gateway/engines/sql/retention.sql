-- name: add_hold
-- Set a legal hold.
INSERT INTO legal_hold (id, person, authority, set_by, set_at) VALUES (?, ?, ?, ?, ?);

-- name: lift_hold
-- Lift a legal hold that stands.
UPDATE legal_hold SET lifted_at = ? WHERE id = ? AND lifted_at IS NULL;

-- name: hold_by_id
-- A legal hold.
SELECT id, person, authority, set_by, set_at, lifted_at FROM legal_hold WHERE id = ?;

-- name: standing_holds
-- The holds that stand, oldest first.
SELECT id, person, authority, set_by, set_at, lifted_at FROM legal_hold WHERE lifted_at IS NULL ORDER BY id;

-- name: holds_of
-- The legal holds that stand on a person.
SELECT id, person, authority, set_by, set_at, lifted_at FROM legal_hold WHERE person = ? AND lifted_at IS NULL ORDER BY id;

-- name: add_erasure
-- Note that an erasure was asked for.
INSERT INTO erasure (id, person, authority, asked_by, asked_at) VALUES (?, ?, ?, ?, ?);

-- name: approve_erasure
-- Note who approved it; the first counts.
UPDATE erasure SET approved_by = ? WHERE id = ? AND approved_by IS NULL AND done_at IS NULL;

-- name: erasure_by_id
-- An erasure.
SELECT id, person, authority, asked_by, asked_at, approved_by, done_at FROM erasure WHERE id = ?;

-- name: erasures_open
-- Erasures that are not done.
SELECT id, person, authority, asked_by, asked_at, approved_by, done_at FROM erasure WHERE done_at IS NULL AND asked_at > 0 ORDER BY asked_at;

-- name: erasure_done
-- An erasure is done; whose it was is forgotten.
UPDATE erasure SET done_at = ?, person = x'' WHERE id = ?;

-- name: key_of_person
-- The key of a person.
SELECT key FROM person WHERE id = ?;

-- name: notices_naming
-- The notices that name a person, with the key of the bytes as received while they are there.
SELECT n.id, r.key FROM notice_person AS p JOIN notice AS n ON n.number = p.notice
LEFT JOIN raw_body AS r ON r.notice = n.number WHERE p.person = ? ORDER BY p.notice;

-- name: forget_raw_naming
-- Forget the bytes as received of every notice that names a person.
DELETE FROM raw_body WHERE notice IN (SELECT notice FROM notice_person WHERE person = ?);

-- name: forget_aliases
-- Forget under which keyed aliases a person was found.
DELETE FROM person_alias WHERE person = ?;

-- name: forget_person
-- Forget a person.
DELETE FROM person WHERE id = ?;

-- name: forget_places_of_person
-- Forget which notices name a person.
DELETE FROM notice_person WHERE person = ?;

-- name: forget_consents
-- Forget the consent records of a person.
DELETE FROM consent WHERE person = ?;

-- name: expired_raw_bodies
-- Bytes as received whose time has run out, at most so many; those that name somebody under a legal hold stay.
SELECT r.notice, r.key FROM raw_body AS r WHERE r.expires_at <= ? AND NOT EXISTS (
  SELECT 1 FROM legal_hold AS h JOIN notice_person AS p ON p.person = h.person WHERE h.lifted_at IS NULL AND p.notice = r.notice
) ORDER BY r.expires_at LIMIT ?;

-- name: discard_raw_body
-- Forget the bytes as received of one notice.
DELETE FROM raw_body WHERE notice = ?;
