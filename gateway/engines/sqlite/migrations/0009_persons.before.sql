-- What new persons are described by, keyed: who shares a likeness may be the same person. Beside the aliases, never among them.
CREATE TABLE person_likeness (
  likeness BLOB NOT NULL,
  person BLOB NOT NULL,
  PRIMARY KEY (likeness, person)
) WITHOUT ROWID;
CREATE INDEX person_likeness_by_person ON person_likeness (person);
-- What officers found of two persons, state by state; `epoch` is the consent epoch that began with it. `first` is the smaller id.
CREATE TABLE person_pair (
  epoch INTEGER PRIMARY KEY,
  first BLOB NOT NULL,
  second BLOB NOT NULL,
  state TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  confirmed_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX person_pair_of ON person_pair (first, second, epoch);
CREATE INDEX person_pair_by_second ON person_pair (second);
