-- name: property
-- A property of the store.
SELECT value FROM property WHERE name = ?;
