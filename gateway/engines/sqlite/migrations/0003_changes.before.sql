-- How deliveries moved, numbered for each sender of their notices, so that it can ask what is new.
CREATE TABLE delivery_change (
  sender TEXT NOT NULL,
  number INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  state INTEGER NOT NULL,
  at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (sender, number)
) WITHOUT ROWID;
