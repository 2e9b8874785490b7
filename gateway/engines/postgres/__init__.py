"""The clustered engine: one PostgreSQL, any number of gateway nodes."""
