-- name: stage_piece
-- Keep one sealed piece of a file; the same piece again changes nothing.
INSERT INTO bulk_piece (file, number, ciphertext) VALUES (?, ?, ?) ON CONFLICT (file, number) DO UPDATE SET ciphertext = excluded.ciphertext;

-- name: take_file
-- A file counts from now on, unless it was taken before.
INSERT INTO bulk_file (id, office, file_key, media_type, size, pieces, key, header, receipt, received_at, raw_expires_at, receipt_expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (file_key) DO NOTHING;

-- name: file_by_key
-- The file that was taken under a key.
SELECT id, office, media_type, size, pieces, key, header, receipt, received_at, stage, next_row, row_count, accepted, refused, finished_at
FROM bulk_file WHERE file_key = ?;

-- name: file_by_id
-- A file.
SELECT id, office, media_type, size, pieces, key, header, receipt, received_at, stage, next_row, row_count, accepted, refused, finished_at
FROM bulk_file WHERE id = ?;

-- name: files_of_office
-- The files of one office, newest first.
SELECT id, office, media_type, size, pieces, key, header, receipt, received_at, stage, next_row, row_count, accepted, refused, finished_at
FROM bulk_file WHERE office = ? ORDER BY received_at DESC LIMIT ?;

-- name: files_open
-- Files that are not done, oldest first.
SELECT id, office, media_type, size, pieces, key, header, receipt, received_at, stage, next_row, row_count, accepted, refused, finished_at
FROM bulk_file WHERE finished_at IS NULL ORDER BY received_at LIMIT ?;

-- name: file_piece
-- One sealed piece.
SELECT ciphertext FROM bulk_piece WHERE file = ? AND number = ?;

-- name: add_row_outcome
-- What a row became; its first outcome stands.
INSERT INTO bulk_row (file, row, position, notice, problem)
VALUES (?, ?, ?, (SELECT number FROM notice WHERE id = ?), ?) ON CONFLICT (file, row) DO NOTHING;

-- name: advance_file
-- How far a file is.
UPDATE bulk_file SET stage = :stage, next_row = :next_row, row_count = coalesce(:rows, row_count), accepted = accepted + :accepted,
  refused = refused + :refused, finished_at = :finished WHERE id = :file;

-- name: file_to_forget
-- Whether a file was to lose its pieces when done, because a person in it was erased.
SELECT key FROM bulk_file WHERE id = ? AND forget = 1 AND raw_gone = 0;

-- name: drop_pieces
-- Forget the pieces of a file.
DELETE FROM bulk_piece WHERE file = ?;

-- name: raw_is_gone
-- Note that a file's pieces are gone.
UPDATE bulk_file SET raw_gone = 1 WHERE id = ?;

-- name: file_rows
-- What the rows became, from after one.
SELECT b.row, b.position, n.id, b.problem, r.receipt FROM bulk_row AS b
LEFT JOIN notice AS n ON n.number = b.notice LEFT JOIN receipt AS r ON r.notice = b.notice
WHERE b.file = ? AND b.row > ? ORDER BY b.row LIMIT ?;

-- name: file_rows_refused
-- The same of those that became no notice.
SELECT b.row, b.position, NULL, b.problem, NULL FROM bulk_row AS b
WHERE b.file = ? AND b.row > ? AND b.notice IS NULL ORDER BY b.row LIMIT ?;

-- name: drop_orphan_pieces
-- Forget staged pieces of no file, made before an id.
DELETE FROM bulk_piece WHERE file < ? AND file NOT IN (SELECT id FROM bulk_file);

-- name: count_pieces
-- How many pieces of a file are there.
SELECT count(*) FROM bulk_piece WHERE file = ?;

-- name: files_naming_done
-- Files that are done and have a row that names a person, with the key of their pieces.
SELECT id, key FROM bulk_file WHERE raw_gone = 0 AND finished_at IS NOT NULL AND id IN (
  SELECT b.file FROM notice_person AS p JOIN bulk_row AS b ON b.notice = p.notice WHERE p.person = ?);

-- name: forget_when_done
-- Files still in work that name a person lose their pieces when they are done.
UPDATE bulk_file SET forget = 1 WHERE finished_at IS NULL AND id IN (
  SELECT b.file FROM notice_person AS p JOIN bulk_row AS b ON b.notice = p.notice WHERE p.person = ?);

-- name: expired_files
-- Done files whose bytes have had their time; those that name somebody under a legal hold stay.
SELECT f.id, f.key FROM bulk_file AS f WHERE f.raw_expires_at <= ? AND f.raw_gone = 0 AND f.finished_at IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM legal_hold AS h CROSS JOIN notice_person AS p CROSS JOIN bulk_row AS b
  WHERE h.lifted_at IS NULL AND p.person = h.person AND b.notice = p.notice AND b.file = f.id
) ORDER BY f.raw_expires_at LIMIT ?;

-- name: forgotten_files
-- Files whose receipts have had their time.
SELECT id FROM bulk_file WHERE receipt_expires_at <= ? AND raw_gone = 1 ORDER BY receipt_expires_at LIMIT ?;

-- name: forget_file_rows
-- Forget what the rows of a file became.
DELETE FROM bulk_row WHERE file = ?;

-- name: forget_file
-- Forget a file.
DELETE FROM bulk_file WHERE id = ?;
