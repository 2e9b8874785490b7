"""The system itself: clock, ids, the log of what a node does."""
