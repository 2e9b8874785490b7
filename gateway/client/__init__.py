"""The agency's side of the API: what an office's own system does to take part."""
