"""Measurements; none of them is a test, each is run by hand or by `hutong bench`."""
