-- name: add_emergency
-- Keep an emergency access.
INSERT INTO emergency (id, office, case_id, granted_at, until, key, document) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: emergency_by_id
-- One emergency access.
SELECT id, office, case_id, granted_at, until, key, document, reviewed_at, outcome FROM emergency WHERE id = ?;

-- name: emergency_in_force
-- The access of an office to a case that runs longest.
SELECT id, office, case_id, granted_at, until, key, document, reviewed_at, outcome FROM emergency
WHERE office = ? AND case_id = ? AND until > ? ORDER BY until DESC LIMIT 1;

-- name: emergencies_unreviewed
-- Emergency accesses that wait for review, oldest first.
SELECT id, office, case_id, granted_at, until, key, document, reviewed_at, outcome FROM emergency INDEXED BY emergency_unreviewed
WHERE outcome IS NULL ORDER BY granted_at LIMIT ?;

-- name: emergencies_newest
-- All emergency accesses, newest first.
SELECT id, office, case_id, granted_at, until, key, document, reviewed_at, outcome FROM emergency INDEXED BY emergency_by_time
ORDER BY granted_at DESC LIMIT ?;

-- name: count_outcomes
-- How often a review of an office's accesses ended so.
SELECT count(*) FROM emergency INDEXED BY emergency_by_outcome WHERE office = ? AND outcome = ? AND reviewed_at >= ?;

-- name: review_emergency
-- Keep what a review found; the first counts.
UPDATE emergency SET reviewed_at = ?, outcome = ?, document = ? WHERE id = ? AND outcome IS NULL;

-- name: last_delivery_of_notice
-- The number of the last delivery of a notice.
SELECT max(number) FROM delivery WHERE number >= ? << 12 AND number < (? + 1) << 12;

-- name: urgency_of_notice
-- How urgent a notice is.
SELECT urgency FROM notice WHERE number = ?;
