-- What new persons are described by, keyed: who shares a likeness may be the same person. Beside the aliases, never among them.
CREATE TABLE person_likeness (
  likeness bytea NOT NULL,
  person bytea NOT NULL,
  PRIMARY KEY (likeness, person)
);
CREATE INDEX person_likeness_by_person ON person_likeness (person);
-- What officers found of two persons, state by state; `epoch` is the consent epoch that began with it. `first` is the smaller id.
CREATE TABLE person_pair (
  epoch bigint PRIMARY KEY,
  first bytea NOT NULL,
  second bytea NOT NULL,
  state text NOT NULL,
  asked_by text NOT NULL,
  confirmed_by text NOT NULL,
  reason text NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX person_pair_of ON person_pair (first, second, epoch);
CREATE INDEX person_pair_by_second ON person_pair (second);
