"""The doorbell within one process."""
