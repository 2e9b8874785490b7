-- name: joined_entries
-- The entries of leaves from a place up to before another, end to end; how many there are and how long the shortest and the longest is.
SELECT count(*), min(length(entry)), max(length(entry)), CAST(group_concat(entry, '') AS BLOB)
FROM (SELECT entry FROM log_leaf WHERE place >= ? AND place < ? ORDER BY place);
