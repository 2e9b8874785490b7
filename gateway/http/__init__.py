"""The agencies' API over HTTP."""
