"""Use cases, one verb per file: they join the pure rooms to the ports."""
