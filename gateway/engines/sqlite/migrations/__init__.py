"""Numbered pairs of SQL: `NNNN_name.before.sql` adds what the new code needs and the old code ignores, `.after.sql` takes away what only the old code used."""
