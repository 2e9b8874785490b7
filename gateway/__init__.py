"""Hutong 护通: a case-notice gateway for the protection of children."""

__version__ = "0.1.0"
