-- name: add_relay_handles
-- Keep that a delivery gave an office a relay handle.
INSERT OR IGNORE INTO relay_handle (office, handle, delivery, notice, path, expires_at) VALUES (?, ?, ?, ?, ?, ?);

-- name: relay_handles
-- The deliveries that gave an office a handle, the newest first, while their time runs.
SELECT d.id, r.path FROM relay_handle AS r JOIN delivery AS d ON d.number = r.delivery
WHERE r.office = ? AND r.handle = ? AND r.expires_at > ? ORDER BY r.delivery DESC LIMIT ?;

-- name: forget_relay_handles
-- Forget the handles that notices naming a person gave out.
DELETE FROM relay_handle WHERE notice IN (SELECT notice FROM notice_person WHERE person = ?);

-- name: expired_relay_handles
-- Handles whose time has run out, at most so many.
SELECT office, handle, delivery FROM relay_handle WHERE expires_at <= ? ORDER BY expires_at LIMIT ?;

-- name: discard_relay_handles
-- Forget a handle of a delivery.
DELETE FROM relay_handle WHERE office = ? AND handle = ? AND delivery = ?;
