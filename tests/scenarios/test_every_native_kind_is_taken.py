"""Does a running gateway take every kind of message that an agency's system writes, and does it reach somebody?

One message of each kind the generator makes, in its native format, over HTTP from the office of its agency: 202, with
recipients. And the messages as DOMAIN 2 prints them, which know nothing of our own additions to the formats.
"""

from __future__ import annotations

import pytest
import pytest_asyncio

from gateway.model.identifiers import OfficeId
from gateway.ports.log_storage import LogQuery
from gateway.simulation.scenarios import STORIES, make_case, messages
from tests.adapters.printed import printed
from tests.support.town import town

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

KINDS = sorted({told for story in STORIES.values() for told in story})
# One file for each kind, of a child that lives in the township that is enrolled; health tells one report in three formats.
FILES = {
    (message.agency, message.kind, message.file.ending): message
    for message in messages(seed=9, cases=32)
    if make_case(9, message.case)[1].region.startswith("440113102")
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory):
    async with town(tmp_path_factory.mktemp("town")) as running:
        yield running
        assert not running.failures()


async def push(whole, agency: str, raw: bytes, media_type: str) -> list:
    """The deliveries of each notice in the bytes, as its sender may see them."""
    client = whole.clients[f"{agency}.440113"]
    answer = await client.submit(raw, media_type)
    receipts = answer if isinstance(answer, list) else [answer]
    return [(await client.notice(receipt["notice"]))["deliveries"] for receipt in receipts]


async def test_there_is_a_file_of_every_kind():
    assert {(agency, kind) for agency, kind, _ in FILES} == set(KINDS)
    assert len(KINDS) >= 20


@pytest.mark.parametrize("name", sorted(FILES), ids=" ".join)
async def test_a_message_of_this_kind_is_accepted_and_goes_to_somebody(whole, name):
    message = FILES[name]
    for deliveries in await push(whole, message.agency, message.file.body, message.file.media_type):
        assert deliveries


@pytest.mark.parametrize("agency", sorted({agency for agency, _ in KINDS}))
async def test_the_message_that_the_domain_prints_is_accepted(whole, agency):
    for deliveries in await push(whole, agency, *printed(agency)):
        assert deliveries


async def test_a_supervision_reaches_the_office_it_is_addressed_to(whole):
    """`MSG/@TO` of the printed message says 440113GA."""
    raw, media_type = printed("procuratorate")
    (deliveries,) = await push(whole, "procuratorate", raw, media_type)
    assert "police.440113" in {delivery["recipient"] for delivery in deliveries}


async def test_what_no_rule_mapped_is_counted_by_place_for_whoever_keeps_the_adapter(whole):
    services, office = whole.gateway.services, OfficeId("education.440113")
    rows = "学校标识码,姓名,出生日期,事件类型,情形代码,事件日期,报告人角色,校车线路\r\n" + "".join(
        f"3144010001,李小测,20150301,强制报告,M4,20260301,教师,{row}班\r\n" for row in (1, 2, 3)
    )
    await push(whole, "education", rows.encode("utf-8-sig"), "text/csv")
    found = await services.unmapped(office, 7, by="test")
    (place,) = [place for place in found.counts if place.position == "column 校车线路"]
    assert (place.code, found.counts[place][0]) == ("unmapped", 3)
    assert "1班" not in str(found), "codes and places, never a value"
    assert (await services.unmapped(OfficeId("courts.440113"), 7, by="test")).counts.keys().isdisjoint({place})
    (told,) = await whole.gateway.engines.store.log.search(LogQuery(event="log_read", office="staff"), None, 1)
    assert b"unmapped" in told.opening
