"""A file of rows is promised with one receipt; its rows follow behind single notices, reports first, each answered for."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.client.agency import Answered
from gateway.model.agency import OfficeState
from gateway.model.errors import Unavailable
from gateway.ports.file_storage import Stage
from gateway.ports.log_storage import LogQuery
from gateway.services.authenticate import SCOPE_REPORT_ONLY
from gateway.services.publish import Hold
from tests.adapters.printed import printed
from tests.support.family import notice
from tests.support.ledger import ledger
from tests.support.town import town

SCHOOL = "education.440113"
CSV = "text/csv"


async def finished(client, file):
    while (status := await client.file(file))["state"] != "done":  # noqa: ASYNC110 - as its office does
        await asyncio.sleep(0.02)
    return status


async def all_rows(client, file, **how):
    rows, cursor = [], "0"
    while (page := await client.file_rows(file, cursor, 200, **how))["rows"]:
        rows += page["rows"]
        cursor = page["cursor"]
    return rows


async def test_every_row_has_a_receipt_or_a_problem_with_its_place(tmp_path):
    async with town(tmp_path) as place:
        client = place.clients[SCHOOL]
        body = ledger(620, reports=frozenset({590, 600}), wrong=frozenset({7, 610}))
        taken = await client.submit_file(body, CSV)
        again = await client.submit_file(body, CSV)
        assert again == taken
        status = await finished(client, taken["file"])
        assert (status["rows"], status["accepted"], status["refused"]) == (620, 618, 2)
        rows = await all_rows(client, taken["file"])
        assert [row["row"] for row in rows] == list(range(620))
        notices = [row["notice"] for row in rows if row["status"] == "accepted"]
        assert len(set(notices)) == 618
        for row in rows[:5]:
            claims = await client.verify_receipt(row["receipt"]["receipt"])
            assert claims["notice"] == row["notice"]
        refused = await all_rows(client, taken["file"], only_refused=True)
        assert [row["position"] for row in refused] == ["row 9", "row 612"]
        assert all(problem["code"] and problem["remedy"] for row in refused for problem in row["problems"])
        # The reports stand near the end of the file, and came in before everything else: notice ids are in order of time.
        assert sorted(notices)[:2] == [rows[590]["notice"], rows[600]["notice"]]
        with pytest.raises(Answered) as stranger:
            await place.clients["police.440113"].file(taken["file"])
        assert stranger.value.status == 404
        assert (await client.files())["files"][0]["file"] == taken["file"]
        assert not place.failures()
        log = place.gateway.engines.store.log
        for event in ("file_accepted", "file_finished"):
            assert len(await log.search(LogQuery(event=event), None, 10)) == 1


async def test_what_is_no_file_of_rows_is_refused_at_once(tmp_path):
    async with town(tmp_path) as place:
        client = place.clients[SCHOOL]
        for body, kind, status in (
            (b"what,ever\r\n1,2\r\n", CSV, 400),
            (b"{}", "application/cloudevents+json", 415),
            (b"x" * 64, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 400),
        ):
            with pytest.raises(Answered) as refused:
                await client.submit_file(body, kind)
            assert refused.value.status in (status, 422), refused.value.problem
            assert refused.value.problem["code"] in ("undecodable", "unsupported-media-type")
        assert (await client.files())["files"] == []


async def test_a_file_that_fails_unforeseen_is_set_aside_and_the_others_go_on(tmp_path, monkeypatch):
    async with town(tmp_path) as place:
        client, bulk = place.clients[SCHOOL], place.gateway.services.bulk
        broken, rows = [], bulk._submit.rows

        async def failing(caller, chunk, *how):
            broken.append(len(chunk))
            if len(broken) == 1:
                raise TypeError("unforeseen")
            return await rows(caller, chunk, *how)

        monkeypatch.setattr(bulk._submit, "rows", failing)
        first = await client.submit_file(ledger(3), CSV)
        while not broken:  # noqa: ASYNC110 - until it was begun
            await asyncio.sleep(0.01)
        second = await client.submit_file(ledger(4), CSV)
        assert (await finished(client, second["file"]))["accepted"] == 4
        assert (await client.file(first["file"]))["state"] == "working", (
            "its bytes wait for a person and the next start"
        )
        place.gateway.engines.events.flush()
        lines = [json.loads(line) for line in place.lines.getvalue().splitlines()]
        told = [line for line in lines if line["event"] == "bulk_file_set_aside"]
        assert len(told) == 1, "the operator is told"


async def test_half_a_character_in_a_native_notice_costs_nobody_the_notice(tmp_path):
    async with town(tmp_path) as place:
        body, media_type = printed("civil_affairs")
        document = json.loads(body)
        first = document[0] if isinstance(document, list) else document
        first["备注\ud83d"] = "\udc00甲"
        assert await place.send("civil_affairs.440113", json.dumps(document).encode(), media_type) == 202
        assert not place.failures()


async def test_a_file_has_its_own_limit_for_clients_that_ask_before_they_send(tmp_path):
    """curl asks (`Expect: 100-continue`) for every file of more than a megabyte."""
    async with town(tmp_path, limits={"max_body_bytes": 4096, "max_file_bytes": 65536}) as place:
        client, answered = place.clients[SCHOOL], []
        for rows in (40, 2000):
            body = ledger(rows)
            headers = {
                "Authorization": f"Bearer {await client.token()}",
                "Content-Type": CSV,
                **client._signature(body),
            }
            to = f"{place.gateway.url}/v1/files"
            async with client._session.post(to, data=body, headers=headers, expect100=True) as answer:
                answered.append((len(body) > 4096, answer.status))
        assert answered == [(True, 202), (True, 413)]


async def test_of_a_file_whose_office_is_compromised_meanwhile_reports_alone_are_taken(tmp_path, monkeypatch):
    async with town(tmp_path, ticket_seconds=0.05) as place:
        client, services = place.clients[SCHOOL], place.gateway.services
        bulk, rows, asked = services.bulk, services.bulk._submit.rows, []

        async def in_between(caller, chunk, *how):
            if not asked:
                await services.enrol.set_state(SCHOOL, OfficeState.COMPROMISED, reason="test", by="test")
            asked.append(len(chunk))
            return await rows(caller, chunk, *how)

        monkeypatch.setattr(bulk._submit, "rows", in_between)
        monkeypatch.setattr("gateway.services.bulk.CHUNK_ROWS", 2)
        taken = await client.submit_file(ledger(6, reports=frozenset({5})), CSV)
        while (stored := await bulk._files.file(taken["file"])).finished_at is None:  # noqa: ASYNC110 - as its office did
            await asyncio.sleep(0.02)
        assert (stored.accepted, stored.refused) == (1, 5)
        refused = await bulk._files.rows(stored.id, -1, 10, only_refused=True)
        assert {json.loads(row.outcome.problem)[0]["code"] for row in refused} == {"not-permitted"}


async def test_two_reports_of_one_batch_that_differ_in_their_reporter_alone_are_two(tmp_path):
    async with town(tmp_path) as place:
        data = {"urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "place": {"region": "440113"},
                "persons": [{"ref": "p1", "roles": ["minor"], "age": {"years": 9, "approximate": True}}]}  # fmt: skip
        apart = ({"reporter": {"name": "甲"}}, {"reporter": {"name": "乙"}}, {"sealed": {"record": "丙"}})
        sent = [json.loads(notice("RPT", SCHOOL, 1, {**data, **one})) for one in (*apart, *apart)]
        items = await place.clients[SCHOOL].submit(json.dumps(sent).encode(), "application/cloudevents-batch+json")
        assert len({item["notice"] for item in items}) == 3
        assert [item["replayed"] for item in items] == [False] * 3 + [True] * 3


async def test_a_report_in_a_file_waits_neither_for_another_file_nor_for_a_hold_to_end(tmp_path, monkeypatch):
    async with town(tmp_path) as place:
        client, engines, bulk = place.clients[SCHOOL], place.gateway.engines, place.gateway.services.bulk
        rows, later, reported = bulk._submit.rows, [], []

        async def noting(caller, chunk, *how):
            reported.append((bool(later), [item.type for _, item in chunk]))
            if len(reported) == 2:
                later.append(await client.submit_file(ledger(3, reports=frozenset({2})), CSV))
            return await rows(caller, chunk, *how)

        monkeypatch.setattr(bulk._submit, "rows", noting)
        monkeypatch.setattr("gateway.services.bulk.CHUNK_ROWS", 2)
        first = await client.submit_file(ledger(6), CSV)
        await finished(client, first["file"])
        assert next(kinds for came, kinds in reported if came) == ["RPT"], "before the next chunk of the other file"
        await finished(client, later[0]["file"])

        monkeypatch.setattr(engines.proof.publisher, "_hold", Hold("guard", 9, b"r" * 32, 1, b"o" * 32))
        await client.submit_file(ledger(4), CSV)
        waiting = await client.submit_file(ledger(5, reports=frozenset({4})), CSV)
        while (status := await client.file(waiting["file"]))["accepted"] < 1:  # noqa: ASYNC110 - as its office does
            await asyncio.sleep(0.02)
        assert status["state"] == "working"
        monkeypatch.setattr(engines.proof.publisher, "_hold", None)
        bulk._came.set()
        assert (await finished(client, waiting["file"]))["accepted"] == 5


async def test_the_look_for_reports_says_how_far_it_is_and_goes_on_from_there(tmp_path, monkeypatch):
    async with town(tmp_path) as place:
        client, bulk = place.clients[SCHOOL], place.gateway.services.bulk
        advance, looked, accepted, cut = bulk._files.advance, [], [], []

        async def noting(unit):
            told = await advance(unit)
            if unit.stage is Stage.REPORTS:
                accepted.extend(outcome.row for outcome in unit.outcomes)
                status = await client.file(unit.file)
                looked.append((status["stage"], status["at_row"]))
                if cut and unit.next_row == cut[0]:
                    cut.clear()
                    raise Unavailable("the store is away")
            return told

        monkeypatch.setattr(bulk._files, "advance", noting)
        monkeypatch.setattr("gateway.services.bulk.CHUNK_ROWS", 2)
        monkeypatch.setattr("gateway.services.bulk.LOOK_ROWS", 4)
        taken = await client.submit_file(ledger(10), CSV)
        assert (await finished(client, taken["file"]))["at_row"] == 10
        assert looked == [("reports", 4), ("reports", 8)]
        looked.clear()
        cut.append(8)
        taken = await client.submit_file(ledger(13, reports=frozenset({10})), CSV)
        assert (await finished(client, taken["file"]))["accepted"] == 13
        assert looked[:2] == [("reports", 4), ("reports", 8)]
        assert looked[2:] == [("reports", 12), ("reports", 13)]  # what was looked at is not looked at again
        assert accepted == [10]


async def test_a_token_for_reports_alone_sends_nothing_else_in_a_file(tmp_path):
    async with town(tmp_path) as place:
        client = place.clients[SCHOOL]
        office = place.gateway.services.directories.current.offices[SCHOOL]
        kid = next(key.kid for key in office.keys)
        authenticate = place.gateway.services.authenticate
        token = authenticate._token(office, kid, SCOPE_REPORT_ONLY, None, place.gateway.engines.clock.now())
        body = ledger(3, reports=frozenset({1}))
        headers = {"Authorization": f"Bearer {token.access_token}", "Content-Type": CSV, **client._signature(body)}
        async with client._session.post(f"{place.gateway.url}/v1/files", data=body, headers=headers) as answer:
            status = await finished(client, (await answer.json())["file"])
        assert (status["accepted"], status["refused"]) == (1, 2)


async def test_a_number_in_a_heading_is_in_no_receipt(tmp_path):
    async with town(tmp_path) as place:
        lines = ledger(1).decode("utf-8-sig").splitlines()
        body = f"{lines[0]},备注99999920141222864X,班号\r\n{lines[1]},1,2\r\n".encode()
        receipt = await place.clients[SCHOOL].submit(body, CSV)
        assert [gap["position"] for gap in receipt["gaps"]] == ["row 2, column 备注…", "row 2, column 班号"]
