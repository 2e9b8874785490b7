-- Keys, wrapped under the key-encryption key; that key, wrapped under the root key, is a property.
CREATE TABLE property (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE data_key (id BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE named_secret (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE signing_key (
  number INTEGER PRIMARY KEY,
  kid TEXT NOT NULL UNIQUE,
  purpose TEXT NOT NULL,
  jwk BLOB NOT NULL,
  wrapped BLOB
);
CREATE UNIQUE INDEX signing_key_in_use ON signing_key (purpose) WHERE wrapped IS NOT NULL;
