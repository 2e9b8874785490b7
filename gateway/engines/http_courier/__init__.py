"""The courier port over HTTP: one keep-alive session per office."""
