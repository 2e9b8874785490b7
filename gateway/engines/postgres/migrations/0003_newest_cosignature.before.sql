-- When did a witness last cosign anything? Asked at every start, whatever the size of the log.
CREATE INDEX log_cosignature_newest ON log_cosignature (witness, at);
