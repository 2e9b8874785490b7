"""The clustered store keeps the promises of the storage ports."""

import pytest

from tests.contracts.storage.every_suite import classes

pytestmark = pytest.mark.services

globals().update(classes())
