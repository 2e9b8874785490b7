"""Files: package data and, later, keys and object bodies kept in a folder."""
