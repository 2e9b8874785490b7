-- A withdrawal names a consent record by its id alone.
CREATE INDEX consent_by_id ON consent (id, epoch);
