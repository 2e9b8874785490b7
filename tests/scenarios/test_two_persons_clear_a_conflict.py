"""K6: what is not known of a guardian counts as a conflict until two persons clear it, and again once one takes that back."""

import json

import aiohttp
import pytest

from gateway.assembly import ADMIN_SOCKET
from gateway.audit.bundle import check_report
from gateway.services.log_desk import Reader
from tests.scenarios.test_s8_emergency_at_night import HOTLINE, SCHOOLS, asked, call, events, roll
from tests.support.family import born, identity
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

PHONE = "13800000000"
MOTHER = f"ID:{identity(born(38), 4)}"


class Desk:
    """The admin socket, as `hutong conflict` uses it."""

    def __init__(self, whole, case):
        self._path, self._case = str(whole.gateway.settings.directory / ADMIN_SOCKET), case

    async def __call__(self, what, by, **said):
        body = {"guardian": MOTHER, "case": self._case, "reason": "lives-apart", **said}
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(self._path)) as session,
            session.post(
                f"http://local/admin/v1/conflicts/{what}", json=body, headers={"Hutong-Operator": by}
            ) as response,
        ):
            answer = await response.json(content_type=None)
            return response.status, answer.get("state", answer.get("code"))


async def phone_is_seen(hotline, called):
    await hotline.emergency_access(asked(called))
    ((_, event),) = await received(hotline)
    return PHONE in json.dumps(event)


async def told_the_mother(whole, format_):
    """The child's report, as the mother asks for it."""
    reader, child = Reader("staff", "first"), f"ID:{identity(born(13), 2)}"
    made = await whole.gateway.services.proof.desk.person_report(child, format_, reader, for_guardian=MOTHER)
    return made.body


async def test_two_officers_clear_what_is_unknown_of_a_guardian_and_one_takes_it_back(tmp_path):
    async with town(tmp_path, ticket_seconds=0.3) as whole, await join(whole, HOTLINE) as hotline:
        staff = whole.gateway.services.staff
        for name in ("first", "second", "third"):
            await staff.grant(name, "compliance-officer", by="test")
        told = await whole.clients[SCHOOLS].submit(roll("H12"), CANONICAL)
        called = await hotline.submit(call(), CANONICAL)
        summary = await whole.gateway.engines.store.notices.summary(told["notice"])
        desk = Desk(whole, summary.case)
        assert not await phone_is_seen(hotline, called), "unknown counts as a conflict"
        assert "rows" not in json.loads(await told_the_mother(whole, "json"))

        assert (await desk("clearing", "nobody"))[1] == "role-missing"
        assert (await desk("clearing", "first", case=summary.case[::-1]))[0] == 404
        assert (await desk("clearing", "first", guardian="ID:999999190001010000"))[0] == 422, "its check digit fails"
        assert (await desk("clearing", "first", guardian="ID:999999190001010007"))[0] == 404
        assert await desk("clearing", "first") == (200, "asked")
        assert (await desk("clearing", "first"))[1] == "not-permitted", "nobody stands for both"
        assert not await phone_is_seen(hotline, called)
        assert await desk("clearing", "second") == (200, "cleared")
        assert await desk("clearing", "third") == (200, "cleared"), "repeating it changes nothing"
        assert await phone_is_seen(hotline, called)
        assert json.loads(await told_the_mother(whole, "json"))["rows"]
        await whole.gateway.engines.proof.hold.beat()
        checked = check_report(await told_the_mother(whole, "bundle"), whole.gateway.engines.proof.generation.trust)
        shown = {name for proven in checked.records for name in proven.record.values}
        assert {"recipient", "fields", "purpose", "basis"} <= shown, "complete, and open as far as the report tells"
        assert not shown & {"outcome", "because", "limits", "facts", "consent", "flags"}
        (cleared,) = await events(whole, "conflict_cleared")
        assert cleared["reason"] == "lives-apart"

        assert await desk("reversal", "third") == (200, "reversed")
        assert not await phone_is_seen(hotline, called)
        assert "rows" not in json.loads(await told_the_mother(whole, "json"))
        assert (await desk("reversal", "third"))[0] == 404
        assert len(await events(whole, "conflict_recorded")) == 1
        assert not whole.failures()


async def test_a_clearing_does_not_answer_for_what_the_case_hears_later(tmp_path):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        for name in ("first", "second"):
            await whole.gateway.services.staff.grant(name, "compliance-officer", by="test")
        told = await whole.clients[SCHOOLS].submit(roll("H12"), CANONICAL)
        store, clear = whole.gateway.engines.store, whole.gateway.services.clear_conflict
        case = (await store.notices.summary(told["notice"])).case
        for by in ("first", "second"):
            done = await clear.clear(MOTHER, case, "lives-apart", by=by)
        assert done.state == "cleared"
        called = await hotline.submit(call(), CANONICAL)
        assert await phone_is_seen(hotline, called)
        later = json.loads(roll("H12"))
        await whole.clients[SCHOOLS].submit(json.dumps({**later, "id": "n-later"}).encode(), CANONICAL)
        await hotline.emergency_access(asked(called))
        seen = [PHONE in json.dumps(event) for _, event in await received(hotline)]
        assert seen == [False, False], "news in grave harm reopens what was cleared before"
        for by in ("first", "second"):
            done = await clear.clear(MOTHER, case, "lives-apart", by=by)
        assert done.state == "cleared"
        await hotline.emergency_access(asked(called))
        assert [PHONE in json.dumps(event) for _, event in await received(hotline)] == [True, True]
        assert not whole.failures()
