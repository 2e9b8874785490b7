"""A machine's clock is set a year ahead: nothing expires or is destroyed, reports go on, and the node says so."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from gateway.assembly_engines import steady_clock
from gateway.client.agency import Answered
from gateway.config import Settings
from gateway.engines.system.steady_clock import JUMPED, LONG_AFTER
from tests.support.town import town

SENDER, POLICE = "police.440100", "police.440113"
YEAR = timedelta(days=365)


class Wall:
    """The machine's clock, which somebody sets."""

    def __init__(self):
        self.ahead = timedelta(0)

    def now(self):
        return datetime.fromtimestamp(int(time.time() * 1000) / 1000, UTC) + self.ahead

    def monotonic(self):
        return time.monotonic()


def report(number):
    event = {
        "specversion": "1.0",
        "id": f"clock-{number}",
        "source": f"urn:hutong:office:{SENDER}",
        "type": "hutong.notice.RPT.v1",
        "data": {"urgency": 1, "place": {"region": "440113102005"}, "persons": [{"ref": "p1", "roles": ["minor"]}]},
    }
    return json.dumps(event).encode()


async def ready(whole):
    client = whole.clients[SENDER]
    async with client._session.get(f"{whole.gateway.url}/readyz") as answer:
        return answer.status, (await answer.json())["checks"]["time"]


async def test_a_clock_set_a_year_ahead_ends_nothing_and_reports_go_on(tmp_path):
    wall = Wall()
    clock = steady_clock(Settings(), wall)
    async with town(tmp_path, clock=clock) as whole:
        services = whole.gateway.services
        assert await whole.send(SENDER, report(1)) == 202
        wall.ahead = YEAR
        assert (await services.expire(), await services.proof.retain()) == (0, 0)
        whole.clients[SENDER]._token = ""
        assert await whole.send(SENDER, report(2)) == 202, "offices sign in by the right time"
        assert await ready(whole) == (200, JUMPED)
        assert len(await whole.clients[POLICE].pull()) == 2
        wall.ahead = timedelta(0)
        assert await ready(whole) == (200, "ok")


async def test_a_clock_that_stood_a_year_ahead_at_the_start_ends_nothing_until_an_office_signs_in_by_it(tmp_path):
    wall = Wall()
    clock = steady_clock(Settings(), wall)
    async with town(tmp_path, clock=clock) as whole:
        services, sender = whole.gateway.services, whole.clients[SENDER]
        assert await whole.send(SENDER, report(1)) == 202
        newest = wall.now()
        # as after a start: the wall clock is the time, and the log's newest record is a year old
        wall.ahead = YEAR
        clock.trust(wall.now())
        clock.begin_after(newest)
        assert await ready(whole) == (200, LONG_AFTER)
        assert (await services.expire(), await services.proof.retain()) == (0, 0)
        sender._token = ""
        assert await whole.send(SENDER, report(2)) == 202, "a report waits for no clock"
        police = whole.clients[POLICE]
        police._token = ""
        token = await police.token()
        assert services.authenticate.caller_of(token).is_report_only
        with pytest.raises(Answered) as refused:
            await police.pull()
        assert refused.value.status == 403, "nothing is read by a time in doubt"
        wall.ahead = timedelta(0)  # set right: an office's assertion speaks for it
        police._token = ""
        assert (await police.pull())[0].body
        assert await ready(whole) == (200, "ok")
        assert await services.expire() == 0
        assert len(await police.pull()) == 1, "what came by the wrong time does not wait for it"
