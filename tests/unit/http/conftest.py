import pytest

from tests.unit.http.standins import StandIn


@pytest.fixture
async def standin():
    made = await StandIn().start()
    yield made
    await made.stop()
