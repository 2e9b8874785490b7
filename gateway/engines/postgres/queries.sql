-- name: lock
-- Take locks until the transaction ends, in the order given: for oneself, or together with others.
SELECT count(pg_advisory_xact_lock(number)) FILTER (WHERE alone), count(pg_advisory_xact_lock_shared(number)) FILTER (WHERE NOT alone)
FROM unnest(?::bigint[], ?::boolean[]) AS wanted (number, alone);

-- name: clock
-- What time it is for the database.
SELECT clock_timestamp();

-- name: epochs_and_numbers
-- The epochs in force, and the first of 256 numbers for the new notices of a group.
SELECT policy, consent, directory, nextval('notice_numbers') FROM epoch;

-- name: moved_by_deliveries
-- Lane and sender of deliveries, by their ordered ids.
SELECT d.lane, n.sender FROM delivery AS d JOIN notice AS n ON n.number = d.number >> 12 WHERE d.id = ANY (?::bytea[]);

-- name: moved_by_notices
-- Lanes of the deliveries of notices, and their senders.
SELECT d.lane, n.sender FROM notice AS n JOIN delivery AS d ON d.number >= n.number << 12 AND d.number < (n.number + 1) << 12
WHERE n.id = ANY (?::bytea[]);

-- name: receipts_of_keys
-- Receipts under any of the keys whose first eight bytes are given; the caller compares the whole keys. Looked up one by one
-- (OFFSET and LIMIT see to it): joined, a young store would read all receipts for each group.
SELECT r.idempotency_key, r.native_id_key, r.body_digest, r.receipt, r.expires_at
FROM jsonb_array_elements_text(:heads::jsonb) AS h (head)
CROSS JOIN LATERAL (SELECT notice FROM receipt_key WHERE head = h.head::bigint OFFSET 0) AS k
CROSS JOIN LATERAL (SELECT * FROM receipt WHERE notice = k.notice LIMIT 1) AS r;

-- name: persons_present
-- Which of the persons are there.
SELECT id, id FROM person WHERE id = ANY (?::bytea[]);

-- name: persons_of_aliases
-- Whom those of the aliases that are known belong to.
SELECT alias, person FROM person_alias WHERE alias = ANY (?::bytea[]);

-- name: mark_withdrawn
-- Say that a notice was withdrawn; the first time counts.
INSERT INTO notice_end AS e (notice, withdrawn_at, reason) VALUES (?, ?, ?)
ON CONFLICT (notice) DO UPDATE SET withdrawn_at = coalesce(e.withdrawn_at, excluded.withdrawn_at), reason = coalesce(e.reason, excluded.reason);

-- name: has_event
-- Whether a log record of this event is there.
SELECT 1 FROM log_event WHERE event = ?;

-- name: occupied_lanes
-- Which of the lanes have a delivery that holds up others. Looked up one by one, as receipts are: joined, a young store would
-- read all open deliveries for each group.
SELECT w.key FROM unnest(?::bytea[]) AS w (key)
CROSS JOIN LATERAL (SELECT 1 FROM delivery WHERE lane = w.key AND state < 2 LIMIT 1) AS first;

-- name: leasable_alone
-- Deliveries of one recipient, urgency and purpose that may be leased now, longest ready first; those another node looks at are passed over.
SELECT number FROM delivery
WHERE recipient = ? AND urgency = ? AND state = 1 AND ready_at <= ? AND expires_at > ? AND substr(route, 3, 3) LIKE ?
ORDER BY ready_at LIMIT ? FOR UPDATE SKIP LOCKED;

-- name: lease
-- Give deliveries to a holder until an instant, each with its own token.
UPDATE delivery AS d SET lease_token = g.token, lease_expires_at = g.until, ready_at = g.until, lease_disclosed = 0
FROM unnest(?::text[], ?::bigint[], ?::bigint[]) AS g (token, until, number) WHERE d.number = g.number;

-- name: deliveries_by_number
-- Deliveries with what they take from their notices, in the order given.
SELECT d.number, d.id, d.recipient, d.state, d.urgency, d.overtakes, d.lane, d.due_at, d.expires_at, d.updated_at, d.lease_token,
       d.lease_expires_at, d.attempts, d.revision, d.release_digest, d.reason, d.route,
       n.id, n.type, n.case_id, n.sender, n.received_at,
       EXISTS (SELECT 1 FROM delivery AS p WHERE p.lane = d.lane AND p.state = 2 AND p.number < d.number)
FROM unnest(?::bigint[]) WITH ORDINALITY AS w (number, place)
JOIN delivery AS d ON d.number = w.number JOIN notice AS n ON n.number = d.number >> 12
ORDER BY w.place;

-- name: tell_sender
-- Note a move of a delivery for the sender of its notice, under that sender's next number.
INSERT INTO delivery_change (sender, number, delivery, state, at, reason)
SELECT n.sender, 1 + coalesce((SELECT max(c.number) FROM delivery_change AS c WHERE c.sender = n.sender), 0),
       ?::bigint, ?::bigint, ?::bigint, ?::text
FROM notice AS n WHERE n.number = ?::bigint >> 12;

-- name: first_in_lane
-- The first delivery of a lane that holds up others.
SELECT number, state, due_at, ready_at FROM delivery WHERE lane = ? AND state < 2 ORDER BY number LIMIT 1;

-- name: free_first_in_lane
-- Let the first of a lane be leased when it is due.
UPDATE delivery SET ready_at = greatest(due_at, coalesce(lease_expires_at, 0)) WHERE number = ? AND state = 1 AND ready_at IS NULL;

-- name: deliveries_of_notice
-- What the sender may know of the deliveries of a notice.
SELECT id, recipient, state, attempts, updated_at, reason, number, lane, route FROM delivery
WHERE number >= ?::bigint << 12 AND number < (?::bigint + 1) << 12 ORDER BY number;

-- name: next_ready
-- When the next delivery of one recipient and urgency may be leased.
SELECT ready_at FROM delivery
WHERE recipient = ? AND urgency = ? AND state = 1 AND ready_at IS NOT NULL AND greatest(ready_at, ?) < expires_at
ORDER BY ready_at LIMIT 1;

-- name: parked_after
-- Dead letters in order of parking after a place in it.
SELECT d.number FROM delivery AS d JOIN notice AS n ON n.number = d.number >> 12
WHERE d.state = 2 AND (d.parked_at, d.number) > (:parked_at::bigint, :number::bigint)
  AND d.parked_at >= :since::bigint AND d.parked_at < :until::bigint
  AND (:recipient::text IS NULL OR d.recipient = :recipient::text) AND (:sender::text IS NULL OR n.sender = :sender::text)
  AND (:reason::text IS NULL OR d.reason = :reason::text) AND (:type::text IS NULL OR n.type = :type::text)
  AND (:id::bytea IS NULL OR d.id = :id::bytea)
ORDER BY d.parked_at, d.number LIMIT :limit;

-- name: last_delivery_of_notice
-- The number of the last delivery of a notice.
SELECT max(number) FROM delivery WHERE number >= ?::bigint << 12 AND number < (?::bigint + 1) << 12;

-- name: erasure_done
-- An erasure is done; whose it was is forgotten.
UPDATE erasure SET done_at = ?, person = ''::bytea WHERE id = ?;

-- name: add_log_events
-- Note events as told; one that was told before is refused.
INSERT INTO log_event (event) VALUES (?);

-- name: add_to_outbox
-- Let the records of committed writes wait for their places.
INSERT INTO log_outbox (event, name, at, prepared) VALUES (?, ?, ?, ?);

-- name: outbox_end
-- The number of the newest record that waits, or nothing.
SELECT max(number) FROM log_outbox;

-- name: waiting_records
-- The records that wait longest.
SELECT number, event, name, at, prepared FROM log_outbox ORDER BY number LIMIT ?;

-- name: leave_outbox
-- Take records out of the outbox: they have their places.
DELETE FROM log_outbox WHERE number = ANY (?::bigint[]);

-- name: set_log_head
-- Move the head, if it is where this sequencer left it.
UPDATE log_head SET size = ?, root = ?, upper = ? WHERE one = 1 AND size = ? AND root = ?;

-- name: move_log_head
-- Move the head where the rows above the leaves stay as they are, if it is where this sequencer left it.
UPDATE log_head SET size = ?, root = ? WHERE one = 1 AND size = ? AND root = ?;

-- name: begin_log_head
-- The head of an empty log.
INSERT INTO log_head (one, size, root, upper) VALUES (1, 0, ?, ''::bytea) ON CONFLICT (one) DO NOTHING;

-- name: chain_heads
-- The newest record of each subject: subject, running number, event, entry.
SELECT s.subject, s.chain, l.event, l.entry
FROM unnest(?::bytea[]) AS wanted (subject)
CROSS JOIN LATERAL (
  SELECT subject, chain, place FROM log_subject WHERE subject = wanted.subject ORDER BY chain DESC LIMIT 1
) AS s
JOIN log_leaf AS l ON l.place = s.place;

-- name: places_of_events
-- Where the records of events are, in the order given; nothing for one that still waits.
SELECT l.place FROM unnest(?::bytea[]) WITH ORDINALITY AS w (event, number) LEFT JOIN log_leaf AS l ON l.event = w.event ORDER BY w.number;

-- name: indexed_until
-- Up to where the search index is filled.
SELECT until FROM log_indexed;

-- name: set_indexed_until
-- Say up to where the search index is filled.
INSERT INTO log_indexed (one, until) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET until = excluded.until;

-- name: changes_after
-- How the deliveries of one sender's notices moved, from after one of its numbers.
SELECT c.number, n.id, n.type, d.recipient, c.state, c.at, c.reason, d.route
FROM delivery_change AS c JOIN delivery AS d ON d.number = c.delivery JOIN notice AS n ON n.number = c.delivery >> 12
WHERE c.sender = ? AND c.number > ? ORDER BY c.number LIMIT ?;

-- name: events_with_word
-- The events of the records with a word.
SELECT r.name FROM log_word AS w JOIN log_record AS r ON r.place = w.place WHERE w.word = ?;

-- name: places_that_have_word
-- Those of the places whose records have a word, newest first.
SELECT place FROM log_word WHERE word = ? AND place = ANY (?::bigint[]) ORDER BY place DESC;

-- name: places_that_have_subject
-- Those of the places whose records are about a subject, newest first.
SELECT place FROM log_subject WHERE subject = ? AND place = ANY (?::bigint[]) ORDER BY place DESC;

-- name: log_records_at
-- Records by their places, newest first.
SELECT l.place, l.event, r.name, r.at, l.entry, r.opening FROM log_leaf AS l JOIN log_record AS r ON r.place = l.place
WHERE l.place = ANY (?::bigint[]) ORDER BY l.place DESC;
