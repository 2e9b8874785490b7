"""Frozen facts: what the gateway speaks about. Nothing here acts, waits or looks at the clock."""
