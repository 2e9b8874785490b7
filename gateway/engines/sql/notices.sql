-- name: last_notice
-- The number of the newest notice, or nothing in an empty store.
SELECT max(number) FROM notice;

-- name: receipts_of_keys
-- Receipts under any of the keys whose first eight bytes are given; the caller compares the whole keys.
SELECT r.idempotency_key, r.native_id_key, r.body_digest, r.receipt, r.expires_at
FROM json_each(:heads) AS h
CROSS JOIN receipt_key AS k ON k.head = h.value
CROSS JOIN receipt AS r ON r.notice = k.notice;

-- name: person_of_alias
-- The person known under one alias, with the person's key.
SELECT a.person, p.key FROM person_alias AS a JOIN person AS p ON p.id = a.person WHERE a.alias = ?;

-- name: persons_present
-- Which of the persons are there. The ids come end to end, with their size and count; one row with all answers.
WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < :count)
SELECT json_group_array(json_array(hex(p.id), hex(p.id))) FROM each CROSS JOIN person AS p ON p.id = substr(:keys, :size * n + 1, :size);

-- name: persons_of_aliases
-- Whom those of the aliases that are known belong to. They come end to end, with their size and count; one row with all answers.
WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < :count)
SELECT json_group_array(json_array(hex(a.alias), hex(a.person))) FROM each CROSS JOIN person_alias AS a ON a.alias = substr(:keys, :size * n + 1, :size);

-- name: add_notices
-- Store the notices of a group.
INSERT INTO notice (number, id, type, case_id, sender, urgency, received_at, flags, replies_to, header_key, header, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_raw_bodies
-- Store the bytes as received, sealed.
INSERT INTO raw_body (notice, expires_at, person, compartment, key, ciphertext) VALUES (?, ?, ?, ?, ?, ?);

-- name: add_receipts
-- Store what was answered.
INSERT INTO receipt (notice, expires_at, idempotency_key, native_id_key, body_digest, receipt) VALUES (?, ?, ?, ?, ?, ?);

-- name: add_receipt_keys
-- Make receipts findable by the heads of their keys.
INSERT INTO receipt_key (head, notice) VALUES (?, ?);

-- name: add_persons
-- Store new persons with their keys.
INSERT INTO person (id, key) VALUES (?, ?);

-- name: add_aliases
-- Store the aliases of new persons.
INSERT INTO person_alias (alias, person) VALUES (?, ?);

-- name: add_likenesses
-- Store what new persons are described by, keyed.
INSERT INTO person_likeness (likeness, person) VALUES (?, ?);

-- name: add_notice_persons
-- Say which persons a notice names.
INSERT INTO notice_person (person, notice, ref) VALUES (?, ?, ?);

-- name: notice_by_id
-- A notice with what happened to it afterwards.
SELECT n.number, n.type, n.case_id, n.sender, n.urgency, n.received_at, n.flags, n.header_key, n.header, n.content,
       e.withdrawn_at, e.superseded_by
FROM notice AS n LEFT JOIN notice_end AS e ON e.notice = n.number
WHERE n.id = ?;

-- name: raw_of_notice
-- The bytes as received of a notice, while their time runs.
SELECT r.person, r.compartment, r.key, r.ciphertext
FROM notice AS n JOIN raw_body AS r ON r.notice = n.number
WHERE n.id = ? AND r.expires_at > ?;

-- name: summary_of_notice
-- Operational metadata of one notice.
SELECT number, id, type, case_id, sender, urgency, received_at, flags FROM notice WHERE id = ?;

-- name: summaries_of_case
-- Operational metadata of the notices of a case, oldest first.
SELECT number, id, type, case_id, sender, urgency, received_at, flags FROM notice WHERE case_id = ? ORDER BY number;

-- name: number_of_notice
-- The internal number of a notice.
SELECT number FROM notice WHERE id = ?;

-- name: mark_withdrawn
-- Say that a notice was withdrawn; the first time counts.
INSERT INTO notice_end (notice, withdrawn_at, reason) VALUES (?, ?, ?)
ON CONFLICT (notice) DO UPDATE SET withdrawn_at = coalesce(withdrawn_at, excluded.withdrawn_at), reason = coalesce(reason, excluded.reason);

-- name: is_withdrawn
-- Whether a notice was withdrawn before.
SELECT 1 FROM notice_end WHERE notice = ? AND withdrawn_at IS NOT NULL;

-- name: mark_superseded
-- Say which notice took the place of another; the newest counts.
INSERT INTO notice_end (notice, superseded_by) VALUES (?, ?)
ON CONFLICT (notice) DO UPDATE SET superseded_by = excluded.superseded_by;

-- name: notices_of_person
-- The notices that name a person, newest first.
SELECT n.id, n.type FROM notice_person AS p JOIN notice AS n ON n.number = p.notice
WHERE p.person = ? ORDER BY p.notice DESC LIMIT ?;

-- name: case_of_handle
-- The case that an office knows by a handle.
SELECT case_id FROM case_handle WHERE office = ? AND handle = ?;

-- name: expired_receipts
-- Receipts whose time has run out, at most so many.
SELECT notice, idempotency_key, native_id_key FROM receipt WHERE expires_at <= ? ORDER BY expires_at LIMIT ?;

-- name: discard_receipts
-- Forget receipts.
DELETE FROM receipt WHERE notice = ?;

-- name: discard_receipt_keys
-- Forget the keys of receipts.
DELETE FROM receipt_key WHERE head = ? AND notice = ?;

-- name: has_event
-- Whether a log record of this event is there, and where.
SELECT place FROM log_leaf WHERE event = ?;
