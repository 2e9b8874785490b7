"""Simulated agency systems, the demo and the synthetic family generator."""
