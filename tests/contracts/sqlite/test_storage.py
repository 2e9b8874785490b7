"""The embedded store keeps the promises of the storage ports."""

from tests.contracts.storage.every_suite import classes

globals().update(classes())
