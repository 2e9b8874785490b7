-- name: log_head
-- The head as committed.
SELECT size, root, upper FROM log_head;

-- name: set_log_head
-- Move the head with the rows above the leaves.
INSERT INTO log_head (one, size, root, upper) VALUES (1, ?, ?, ?)
ON CONFLICT (one) DO UPDATE SET size = excluded.size, root = excluded.root, upper = excluded.upper;

-- name: move_log_head
-- Move the head where the rows above the leaves stay as they are.
UPDATE log_head SET size = ?, root = ? WHERE one = 1;

-- name: leaf_count
-- How many leaves there are, by the last place.
SELECT max(place) + 1 FROM log_leaf;

-- name: leaf_entries
-- The entries of leaves from a place up to before another.
SELECT entry FROM log_leaf WHERE place >= ? AND place < ? ORDER BY place;

-- name: chain_heads
-- The newest record of each subject: subject, running number, event, entry. The subjects come end to end, 32 bytes each, with their count;
-- one row with all answers.
WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < :count)
SELECT json_group_array(json_array(hex(s.subject), s.chain, hex(l.event), hex(l.entry)))
FROM each
CROSS JOIN log_subject AS s ON s.subject = substr(:subjects, 32 * n + 1, 32)
  AND s.chain = (SELECT max(chain) FROM log_subject WHERE subject = substr(:subjects, 32 * n + 1, 32))
CROSS JOIN log_leaf AS l ON l.place = s.place;

-- name: add_leaves
-- Append leaves.
INSERT INTO log_leaf (place, event, entry) VALUES (?, ?, ?);

-- name: add_log_records
-- Keep what opens the leaves.
INSERT INTO log_record (place, name, at, opening) VALUES (?, ?, ?, ?);

-- name: add_log_subjects
-- Lengthen the chains of persons.
INSERT INTO log_subject (subject, chain, place) VALUES (?, ?, ?);

-- name: add_tiles
-- Keep full tiles.
INSERT INTO log_tile (level, place, data) VALUES (?, ?, ?);

-- name: tile
-- A full tile.
SELECT data FROM log_tile WHERE level = ? AND place = ?;

-- name: log_record_at
-- A record by its place.
SELECT l.place, l.event, r.name, r.at, l.entry, r.opening FROM log_leaf AS l JOIN log_record AS r ON r.place = l.place WHERE l.place = ?;

-- name: log_records
-- The records of leaves from a place up to before another.
SELECT l.place, l.event, r.name, r.at, l.entry, r.opening FROM log_leaf AS l JOIN log_record AS r ON r.place = l.place
WHERE l.place >= ? AND l.place < ? ORDER BY l.place;

-- name: place_of_event
-- Where the record of an event is.
SELECT place FROM log_leaf WHERE event = ?;

-- name: newest_places
-- Places before another, newest first.
SELECT place FROM log_record WHERE place < ? ORDER BY place DESC LIMIT ?;

-- name: newest_places_of_word
-- Places of records with a word, before another place, newest first.
SELECT place FROM log_word WHERE word = ? AND place < ? ORDER BY place DESC LIMIT ?;

-- name: places_of_word
-- Places, or numbers of field sets, with a word.
SELECT place FROM log_word WHERE word = ?;

-- name: events_with_word
-- The events of the records with a word.
SELECT r.name FROM log_word AS w CROSS JOIN log_record AS r ON r.place = w.place WHERE w.word = ?;

-- name: time_of_place
-- When the record at a place was made.
SELECT at FROM log_record WHERE place = ?;

-- name: newest_places_of_subject
-- Places of records about a subject, before another place, newest first.
SELECT place FROM log_subject WHERE subject = ? AND place < ? ORDER BY chain DESC LIMIT ?;

-- name: has_word
-- Whether a record has a word.
SELECT 1 FROM log_word WHERE word = ? AND place = ?;

-- name: has_subject
-- Whether a record is about a subject.
SELECT 1 FROM log_subject WHERE subject = ? AND place = ?;

-- name: forget_subject
-- Drop the chain of an erased person.
DELETE FROM log_subject WHERE subject = ?;

-- name: indexed_until
-- Up to where the search index is filled.
SELECT value FROM property WHERE name = 'log-indexed';

-- name: set_indexed_until
-- Say up to where the search index is filled.
INSERT INTO property (name, value) VALUES ('log-indexed', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: openings_from
-- Openings to be indexed.
SELECT place, opening FROM log_record WHERE place >= ? ORDER BY place LIMIT ?;

-- name: add_words
-- Fill the search index.
INSERT OR IGNORE INTO log_word (word, place) VALUES (?, ?);

-- name: settle_words
-- Take a word from the records that have another.
DELETE FROM log_word WHERE word = ?1 AND place IN (SELECT place FROM log_word WHERE word = ?2);

-- name: forget_words
-- Empty the search index.
DELETE FROM log_word;

-- name: put_checkpoint
-- Keep a signed note; the first of a size stays.
INSERT INTO log_checkpoint (size, root, note, signed_at) VALUES (?, ?, ?, ?) ON CONFLICT (size) DO NOTHING;

-- name: checkpoint
-- The note of a size.
SELECT root, note FROM log_checkpoint WHERE size = ?;

-- name: checkpoints_after
-- The notes of larger trees than one, smallest first.
SELECT size, root, note FROM log_checkpoint WHERE size > ? ORDER BY size LIMIT ?;

-- name: cosigned
-- Every line kept for a size.
SELECT witness, line FROM log_cosignature WHERE size = ? ORDER BY witness, at;

-- name: latest_checkpoint
-- The newest note.
SELECT size, note FROM log_checkpoint ORDER BY size DESC LIMIT 1;

-- name: keep_cosignature
-- Keep a witness's line; the same line twice is one.
INSERT INTO log_cosignature (size, witness, at, line) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: last_cosigned
-- When a witness last cosigned anything, and how much.
SELECT at, size FROM log_cosignature WHERE witness = ? ORDER BY at DESC, size DESC LIMIT 1;

-- name: cosignatures
-- The newest line of each witness for a size.
SELECT line FROM log_cosignature AS c WHERE size = ?1
  AND at = (SELECT max(at) FROM log_cosignature WHERE size = ?1 AND witness = c.witness) ORDER BY witness;

-- name: places_of_subject
-- Where the records of a subject are, in the order of its chain.
SELECT place FROM log_subject WHERE subject = ? ORDER BY chain;
