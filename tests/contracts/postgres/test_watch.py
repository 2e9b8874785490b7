"""The anomaly signals over the clustered log: the tests of the embedded one, on this engine's store."""

import pytest

from tests.contracts.sqlite import test_watch

pytestmark = pytest.mark.services

globals().update({name: value for name, value in vars(test_watch).items() if name.startswith("test_")})
