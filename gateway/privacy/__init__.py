"""Minimise, pseudonymise, release. Only this room makes what may leave the gateway."""
