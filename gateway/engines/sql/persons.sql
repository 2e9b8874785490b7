-- name: alike
-- Who shares a likeness with somebody, likeness by likeness from after one.
SELECT l.likeness, l.person FROM (
  SELECT likeness FROM person_likeness WHERE likeness > ? GROUP BY likeness HAVING count(*) > 1 ORDER BY likeness LIMIT ?
) AS d JOIN person_likeness AS l ON l.likeness = d.likeness;

-- name: pairs
-- What stands of every pair.
SELECT p.first, p.second, p.state, p.asked_by, p.confirmed_by, p.reason, p.at FROM person_pair AS p
WHERE p.epoch = (SELECT max(l.epoch) FROM person_pair AS l WHERE l.first = p.first AND l.second = p.second);

-- name: state_of_pair
-- What stands of one pair.
SELECT state FROM person_pair WHERE first = ? AND second = ? ORDER BY epoch DESC LIMIT 1;

-- name: pairs_mark
-- How many states of pairs are kept, and the newest one's epoch.
SELECT count(*), coalesce(max(epoch), 0) FROM person_pair;

-- name: add_pair
-- Keep a state of a pair.
INSERT INTO person_pair (epoch, first, second, state, asked_by, confirmed_by, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: forget_likenesses
-- Forget what a person was described by.
DELETE FROM person_likeness WHERE person = ?;

-- name: forget_pairs_of_first
-- Forget what was found of a person and others.
DELETE FROM person_pair WHERE first = ?;

-- name: forget_pairs_of_second
-- Forget what was found of others and a person.
DELETE FROM person_pair WHERE second = ?;
