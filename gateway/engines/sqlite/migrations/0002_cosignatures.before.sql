-- The lines with which witnesses cosigned a checkpoint. They come after the note, so they stand beside it.
CREATE TABLE log_cosignature (
  size INTEGER NOT NULL REFERENCES log_checkpoint (size),
  witness TEXT NOT NULL,
  at INTEGER NOT NULL,
  line BLOB NOT NULL,
  PRIMARY KEY (size, witness, at)
) WITHOUT ROWID;
CREATE TRIGGER log_cosignature_stays BEFORE UPDATE ON log_cosignature BEGIN SELECT RAISE(ABORT, 'cosignatures never change'); END;
CREATE TRIGGER log_cosignature_remains BEFORE DELETE ON log_cosignature BEGIN SELECT RAISE(ABORT, 'cosignatures are never removed'); END;
