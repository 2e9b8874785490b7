-- name: occupied_lanes
-- Which of the lanes have a delivery that holds up others. The lanes come end to end, with their size and count; one row with all answers.
WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < :count)
SELECT json_group_array(json_array(hex(substr(:keys, :size * n + 1, :size)))) FROM each
WHERE EXISTS (SELECT 1 FROM delivery WHERE lane = substr(:keys, :size * n + 1, :size) AND state < 2);

-- name: add_deliveries
-- Store the deliveries of a group.
INSERT INTO delivery (number, id, recipient, state, urgency, overtakes, lane, due_at, ready_at, expires_at, updated_at, reason, route)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_expiries
-- Note when deliveries of a notice run out.
INSERT OR IGNORE INTO expiry (at, notice) VALUES (?, ?);

-- name: leasable
-- Deliveries of one recipient, urgency and purpose (its place in `lanes.pack_route`) that may be leased now, longest ready first.
SELECT number FROM delivery INDEXED BY delivery_inbox
WHERE recipient = ? AND urgency = ? AND state = 1 AND ready_at <= ? AND expires_at > ? AND substr(route, 3, 3) LIKE ?
ORDER BY ready_at LIMIT ?;

-- name: lease
-- Give deliveries to a holder until an instant: pairs of number and token, as JSON.
UPDATE delivery SET lease_token = granted.token, lease_expires_at = :until, ready_at = :until, lease_disclosed = 0
FROM (SELECT value ->> 0 AS number, value ->> 1 AS token FROM json_each(:granted)) AS granted
WHERE delivery.number = granted.number;

-- name: keep_leased
-- Let a live lease last until another instant: until, ordered id, token, now.
UPDATE delivery SET lease_expires_at = ?1, ready_at = CASE WHEN ready_at IS NULL THEN ready_at ELSE ?1 END
WHERE id = ?2 AND lease_token = ?3 AND lease_expires_at > ?4;

-- name: bring_forward
-- Let what is put off beyond an instant be due now: its place in its lane stays.
UPDATE delivery SET due_at = :now, ready_at = CASE WHEN ready_at IS NULL THEN ready_at ELSE :now END,
       lease_token = NULL, lease_expires_at = NULL, lease_disclosed = 0
WHERE state = 1 AND (due_at > :latest OR lease_expires_at > :latest);

-- name: delivery_by_number
-- One delivery with what it takes from its notice.
SELECT d.number, d.id, d.recipient, d.state, d.urgency, d.overtakes, d.lane, d.due_at, d.expires_at, d.updated_at, d.lease_token,
       d.lease_expires_at, d.attempts, d.revision, d.release_digest, d.reason, d.route,
       n.id, n.type, n.case_id, n.sender, n.received_at,
       EXISTS (SELECT 1 FROM delivery AS p WHERE p.lane = d.lane AND p.state = 2 AND p.number < d.number)
FROM delivery AS d JOIN notice AS n ON n.number = d.number >> 12
WHERE d.number = ?;

-- name: delivery_by_id
-- One delivery with what it takes from its notice, by its ordered id.
SELECT d.number, d.id, d.recipient, d.state, d.urgency, d.overtakes, d.lane, d.due_at, d.expires_at, d.updated_at, d.lease_token,
       d.lease_expires_at, d.attempts, d.revision, d.release_digest, d.reason, d.route,
       n.id, n.type, n.case_id, n.sender, n.received_at,
       EXISTS (SELECT 1 FROM delivery AS p WHERE p.lane = d.lane AND p.state = 2 AND p.number < d.number)
FROM delivery AS d JOIN notice AS n ON n.number = d.number >> 12
WHERE d.id = ?;

-- name: standing
-- What a write about a delivery has to know, by its ordered id.
SELECT number, recipient, state, lane, overtakes, lease_token, lease_expires_at, lease_disclosed, attempts, revision, release_digest
FROM delivery WHERE id = ?;

-- name: disclosed
-- Count the attempt and keep what was released.
UPDATE delivery SET lease_disclosed = 1, attempts = ?, revision = ?, release_digest = ?, updated_at = ? WHERE number = ?;

-- name: count_attempt
-- Count a try that failed before anything was disclosed.
UPDATE delivery SET attempts = attempts + 1 WHERE number = ?;

-- name: add_case_handle
-- Let a recipient answer by the handle it was given for the case.
INSERT INTO case_handle (office, handle, case_id)
SELECT ?, ?, case_id FROM notice WHERE number = ?
ON CONFLICT (office, handle) DO NOTHING;

-- name: move
-- Move a delivery to a state; the lease is over.
UPDATE delivery SET state = ?, updated_at = ?, reason = ?, due_at = coalesce(?, due_at), ready_at = ?, parked_at = coalesce(?, parked_at),
       lease_token = NULL, lease_expires_at = NULL, lease_disclosed = 0
WHERE number = ?;

-- name: tell_sender
-- Note a move of a delivery for the sender of its notice, under that sender's next number.
INSERT INTO delivery_change (sender, number, delivery, state, at, reason)
SELECT n.sender, 1 + coalesce((SELECT max(c.number) FROM delivery_change AS c WHERE c.sender = n.sender), 0), ?, ?, ?, ?
FROM notice AS n WHERE n.number = ? >> 12;

-- name: changes_after
-- How the deliveries of one sender's notices moved, from after one of its numbers.
SELECT c.number, n.id, n.type, d.recipient, c.state, c.at, c.reason, d.route
FROM delivery_change AS c CROSS JOIN delivery AS d ON d.number = c.delivery CROSS JOIN notice AS n ON n.number = c.delivery >> 12
WHERE c.sender = ? AND c.number > ? ORDER BY c.number LIMIT ?;

-- name: changes_of_notice
-- How the deliveries of one notice moved, in order.
SELECT c.number, n.id, n.type, d.recipient, c.state, c.at, c.reason, d.route
FROM notice AS n JOIN delivery AS d ON d.number >= n.number << 12 AND d.number < (n.number + 1) << 12
JOIN delivery_change AS c ON c.delivery = d.number
WHERE n.id = ? ORDER BY c.number;

-- name: first_in_lane
-- The first delivery of a lane that holds up others.
SELECT number, state, due_at, ready_at FROM delivery INDEXED BY delivery_lane WHERE lane = ? AND state < 2 ORDER BY rowid LIMIT 1;

-- name: free_first_in_lane
-- Let the first of a lane be leased when it is due.
UPDATE delivery SET ready_at = max(due_at, coalesce(lease_expires_at, 0)) WHERE number = ? AND state = 1 AND ready_at IS NULL;

-- name: hold_up_lane
-- Make those that do not overtake wait behind a delivery that came back.
UPDATE delivery SET ready_at = NULL WHERE lane = ? AND state = 1 AND overtakes = 0 AND number > ?;

-- name: deliveries_of_notice
-- What the sender may know of the deliveries of a notice.
SELECT id, recipient, state, attempts, updated_at, reason, number, lane, route FROM delivery WHERE number >= ? << 12 AND number < (? + 1) << 12 ORDER BY number;

-- name: first_ready_recipient
-- The first office in the inbox order after a given one.
SELECT recipient FROM delivery INDEXED BY delivery_inbox WHERE state = 1 AND recipient > ? ORDER BY recipient LIMIT 1;

-- name: next_ready
-- When the next delivery of one recipient and urgency may be leased.
SELECT ready_at FROM delivery INDEXED BY delivery_inbox
WHERE recipient = ? AND urgency = ? AND state = 1 AND ready_at IS NOT NULL AND max(ready_at, ?) < expires_at
ORDER BY ready_at LIMIT 1;

-- name: run_out
-- Open deliveries whose time has run out, by the instants noted for their notices.
SELECT d.number FROM expiry AS e CROSS JOIN delivery AS d
WHERE e.at <= :now AND d.number >= e.notice << 12 AND d.number < (e.notice + 1) << 12 AND d.expires_at = e.at AND d.state <= 2
ORDER BY e.at, e.notice LIMIT :limit;

-- name: forget_expiries
-- Drop noted instants that have come and concern no open delivery any more, at most so many.
DELETE FROM expiry WHERE (at, notice) IN (
  SELECT e.at, e.notice FROM expiry AS e
  WHERE e.at <= :now AND NOT EXISTS (
    SELECT 1 FROM delivery AS d
    WHERE d.number >= e.notice << 12 AND d.number < (e.notice + 1) << 12 AND d.expires_at = e.at AND d.state <= 2
  )
  ORDER BY e.at LIMIT :limit
);

-- name: parked_at
-- When a delivery was parked, and its number.
SELECT parked_at, number FROM delivery WHERE id = ?;

-- name: parked_after
-- Dead letters in order of parking after a place in it.
SELECT d.number FROM delivery AS d INDEXED BY delivery_parked JOIN notice AS n ON n.number = d.number >> 12
WHERE d.state = 2 AND (d.parked_at, d.number) > (:parked_at, :number) AND d.parked_at >= :since AND d.parked_at < :until
  AND (:recipient IS NULL OR d.recipient = :recipient) AND (:sender IS NULL OR n.sender = :sender)
  AND (:reason IS NULL OR d.reason = :reason) AND (:type IS NULL OR n.type = :type) AND (:id IS NULL OR d.id = :id)
ORDER BY d.parked_at, d.number LIMIT :limit;

-- name: held_after
-- What waits for a person, for one recipient, in order of arrival after a place in it.
SELECT number FROM delivery INDEXED BY delivery_held WHERE recipient = :recipient AND state = 0 AND number > :number ORDER BY number LIMIT :limit;

-- name: number_of
-- The number of a delivery.
SELECT number FROM delivery WHERE id = ?;

-- name: count_leased
-- How many deliveries of an office are under a live lease.
SELECT count(*) FROM delivery INDEXED BY delivery_leased WHERE recipient = ? AND lease_token IS NOT NULL AND lease_expires_at > ?;

-- name: under_lease
-- What is under a live lease for one recipient, the first to lapse first.
SELECT number FROM delivery INDEXED BY delivery_leased WHERE recipient = ? AND lease_token IS NOT NULL AND lease_expires_at > ? ORDER BY lease_expires_at LIMIT ?;

-- name: waiting_due
-- By recipient: how many are due or leased, how many under a live lease, since when the longest of those has been due, and the longest that may be leased now (by urgency; under a lease that has run out).
SELECT w.recipient, w.due,
       (SELECT count(*) FROM delivery INDEXED BY delivery_leased WHERE recipient = w.recipient AND lease_token IS NOT NULL AND lease_expires_at > :now),
       (SELECT min(due_at) FROM delivery INDEXED BY delivery_leased WHERE recipient = w.recipient AND lease_token IS NOT NULL AND lease_expires_at > :now),
       (SELECT due_at FROM delivery INDEXED BY delivery_inbox WHERE recipient = w.recipient AND urgency = 2 AND state = 1 AND ready_at <= :now ORDER BY ready_at LIMIT 1),
       (SELECT due_at FROM delivery INDEXED BY delivery_inbox WHERE recipient = w.recipient AND urgency = 1 AND state = 1 AND ready_at <= :now ORDER BY ready_at LIMIT 1),
       (SELECT due_at FROM delivery INDEXED BY delivery_inbox WHERE recipient = w.recipient AND urgency = 0 AND state = 1 AND ready_at <= :now ORDER BY ready_at LIMIT 1),
       (SELECT min(due_at) FROM delivery INDEXED BY delivery_leased WHERE recipient = w.recipient AND lease_token IS NOT NULL AND lease_expires_at <= :now)
FROM (SELECT recipient, count(*) AS due FROM delivery INDEXED BY delivery_inbox WHERE state = 1 GROUP BY recipient) AS w;

-- name: waiting_held
-- By recipient: how many wait for a person.
SELECT recipient, count(*) FROM delivery INDEXED BY delivery_held WHERE state = 0 GROUP BY recipient;

-- name: waiting_parked
-- By recipient and reason: how many dead letters.
SELECT recipient, reason, count(*) FROM delivery INDEXED BY delivery_parked_by_recipient WHERE state = 2 GROUP BY recipient, reason;
