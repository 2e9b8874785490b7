"""Copies of a gateway's folders that can be put back: whole, checked, data and keys apart."""
