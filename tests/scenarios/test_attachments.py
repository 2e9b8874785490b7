"""Documents beside notices: who may have one gets its exact bytes, nobody else learns that there is one."""

import hashlib
import json
import os
import shutil
import time
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from gateway.client.agency import Answered
from gateway.engines.system.clock import SystemClock
from gateway.model.agency import Caller, OfficeState
from gateway.model.errors import NotFound, Unavailable
from gateway.model.identifiers import parse_office_id
from gateway.ports.log_storage import LogQuery
from gateway.services.roles import Role
from tests.scenarios.test_two_nodes import second_node
from tests.scenarios.test_webhooks import MovedClock
from tests.scenarios.test_webhooks import report as plain_report
from tests.support.family import notice, person
from tests.support.gateway_process import GatewayProcess
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SENDER, POLICE, SCHOOL = "health.440113", "police.440113", "education.440113"
CONTENT = os.urandom(150_000)


@pytest.fixture(params=["embedded", pytest.param("clustered", marks=pytest.mark.services)])
async def where(request):
    """The same on both engines: no address, or that of an empty database."""
    if request.param == "embedded":
        yield ""
        return
    server = request.getfixturevalue("postgres")
    url = await server.make_database()
    yield url
    await server.drop_database(url)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def report(number: str, *digests: str) -> bytes:
    return notice(
        "RPT",
        SENDER,
        number,
        {
            "urgency": 1,
            "purpose": "P01",
            "legal_basis": ["L20"],
            "place": {"region": "440113102"},
            "harm": {"types": ["H21"], "narrative": "邻里听到哭声。"},
            "persons": [person("p1", "minor", years=9, name="李小测", residence={"region": "440113102"})],
            "attachments": [{"kind": "document", "digest": digest} for digest in digests],
        },
        f"case-{number}",
    )


async def refused(call) -> dict:
    with pytest.raises(Answered) as answer:
        await call
    return {"status": answer.value.status, **{k: v for k, v in answer.value.problem.items() if k != "instance"}}


async def logged(whole, event: str) -> list[dict]:
    found = await whole.gateway.engines.store.log.search(LogQuery(event=event), None, 50)
    return [json.loads(one.opening)["envelope"]["fields"] for one in found]


async def only(client):
    (item,) = await client.pull(accept=CANONICAL)
    return item


async def test_the_recipient_gets_the_exact_bytes_under_its_lease_and_the_log_says_so_before(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest = await sender.upload(CONTENT)
        receipt = await sender.submit(report("1", digest), CANONICAL)
        assert "attachment-missing" not in receipt.get("flags", ())
        item = await only(police)
        assert digest.encode() in item.body
        assert await police.attachment(item, digest) == CONTENT
        ((released,), (stored,)) = await logged(whole, "attachment_released"), await logged(whole, "attachment_stored")
        assert released["delivery"] == item.delivery
        assert released["attachment"] == stored["attachment"]
        assert digest.split(":")[1] not in json.dumps(released)
        await police.acknowledge(item)
        assert (await refused(police.attachment(item, digest)))["status"] == 409, "the lease is over"
        assert not whole.failures()


@pytest.mark.services
async def test_a_document_handed_in_at_one_node_of_a_cluster_is_fetched_at_another(tmp_path, postgres):
    url = await postgres.make_database()
    async with town(tmp_path, postgres=url) as first, second_node(first, tmp_path) as pair:
        digest = await first.clients[SENDER].upload(CONTENT)
        await (await pair.client(SENDER)).submit(report("1", digest), CANONICAL)
        police = await pair.client(POLICE)
        item = await only(first.clients[POLICE])
        assert await police.attachment(item, digest) == CONTENT
        ((released,), (stored,)) = await logged(first, "attachment_released"), await logged(first, "attachment_stored")
        assert released["attachment"] == stored["attachment"]
        absent = await refused(police.attachment(item, digest_of(b"nobody has this")))
        other = await pair.client(SCHOOL)
        assert await refused(other.attachment(item, digest)) == absent
        await police.acknowledge(item)
        assert (await refused(first.clients[POLICE].attachment(item, digest)))["status"] == 409, "the lease is over"
        assert not first.failures()
    await postgres.drop_database(url)


async def test_absent_not_named_not_shown_and_not_addressed_are_one_answer(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest, other = await sender.upload(CONTENT), await sender.upload(b"not named by the notice")
        receipt = await sender.submit(report("1", digest), CANONICAL)
        item = await only(police)
        absent = await refused(police.attachment(item, digest_of(b"nobody has this")))
        assert absent["status"] == 404
        assert await refused(police.attachment(item, other)) == absent
        strangers = [client for office, client in whole.clients.items() if office != POLICE]
        for client in strangers:
            assert await refused(client.attachment(item, digest)) == absent
        status = await sender.notice(receipt["notice"])
        recipients = {one["recipient"] for one in status["deliveries"]} - {POLICE}
        for office in recipients:
            for got in await whole.clients[office].pull(accept=CANONICAL):
                if digest.encode() not in got.body:
                    assert await refused(whole.clients[office].attachment(got, digest)) == absent
        assert await logged(whole, "attachment_released") == []


async def test_no_document_leaves_under_another_lease_while_disclosures_wait_or_to_a_compromised_office(
    tmp_path, monkeypatch
):
    async with town(tmp_path, ticket_seconds=0.3) as whole:
        sender, police, services = whole.clients[SENDER], whole.clients[POLICE], whole.gateway.services
        digest = await sender.upload(CONTENT)
        await sender.submit(report("1", digest), CANONICAL)
        item = await only(police)
        fetch = services.fetch_attachment
        assert (await refused(police.attachment(replace(item, lease_token="x" * 22), digest)))["status"] == 409
        with monkeypatch.context() as held:
            held.setattr(fetch._enforce, "_waits", lambda *_: "forensic-hold")
            assert (await refused(police.attachment(item, digest)))["status"] == 404
        await services.enrol.set_state(POLICE, OfficeState.COMPROMISED, reason="test", by="test")
        with pytest.raises(NotFound):  # of a call that was let in before
            await fetch(Caller(services.enrol.office(POLICE)), item.delivery, item.lease_token, digest)
        assert await logged(whole, "attachment_released") == []


async def test_a_decision_that_changes_between_release_and_document_holds_the_document_back(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest = await sender.upload(CONTENT)
        await sender.submit(report("1", digest), CANONICAL)
        item = await only(police)
        assert digest.encode() in item.body
        enrol = whole.gateway.services.enrol
        await enrol.change(parse_office_id(POLICE), {"accepts_obligations": frozenset()}, by="test")
        absent = await refused(police.attachment(item, digest_of(b"nobody has this")))
        assert absent["status"] == 404
        assert await refused(police.attachment(item, digest)) == absent
        assert await logged(whole, "attachment_released") == []


async def test_bytes_that_are_not_those_of_the_digest_are_refused_and_leave_nothing(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        for algorithm in ("sha256", "sm3"):
            promised = f"{algorithm}:{'0' * 64}"
            answer = await refused(sender._call("PUT", f"/v1/attachments/{promised}", CONTENT, {}))
            assert (answer["status"], answer["code"]) == (422, "invalid-document")
        assert (await refused(sender._call("PUT", "/v1/attachments/md5:00", b"x", {})))["code"] == "invalid-document"
        await sender.submit(report("1", f"sha256:{'0' * 64}"), CANONICAL)
        item = await only(police)
        assert (await refused(police.attachment(item, f"sha256:{'0' * 64}")))["status"] == 404
        assert await logged(whole, "attachment_stored") == []
        folder = whole.gateway.settings.objects
        assert not any(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_an_upload_that_breaks_off_leaves_nothing_and_comes_again(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender = whole.clients[SENDER]
        url = f"{whole.gateway.url}/v1/attachments/{digest_of(CONTENT)}"

        async def half():
            yield CONTENT[:100_000]
            raise OSError

        with pytest.raises((OSError, aiohttp.ClientError)):
            async with aiohttp.ClientSession() as session:
                await session.put(url, data=half(), headers={"Authorization": f"Bearer {await sender.token()}"})
        digest = await sender.upload(CONTENT)
        assert digest == digest_of(CONTENT)
        files = [path for path in whole.gateway.settings.objects.rglob("*") if path.is_file()]
        assert len(files) == 1
        assert await sender.upload(CONTENT) == digest, "the same again changes nothing"
        assert len(await logged(whole, "attachment_stored")) == 1


async def test_a_report_goes_its_way_without_its_document_which_may_come_later(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest = digest_of(CONTENT)
        receipt = await sender.submit(report("1", digest), CANONICAL)
        assert "attachment-missing" in receipt["flags"]
        item = await only(police)
        assert (await refused(police.attachment(item, digest)))["status"] == 404
        await sender.upload(CONTENT)
        assert await police.attachment(item, digest) == CONTENT


async def test_a_document_changed_on_the_disk_never_arrives_whole(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest = await sender.upload(CONTENT)
        await sender.submit(report("1", digest), CANONICAL)
        item = await only(police)
        (path,) = [one for one in whole.gateway.settings.objects.rglob("*") if one.is_file()]
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
        with pytest.raises(Unavailable):  # the connection was cut before the end
            await police.attachment(item, digest)


async def test_with_the_child_its_document_is_erased(tmp_path, where, monkeypatch):
    async with town(tmp_path, postgres=where) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest, sealed = await sender.upload(CONTENT), await sender.upload(b"a sealed judgment")
        written = json.loads(report("1", digest))
        written["data"]["sealed"] = {"record": {"case_no": "1", "document": {"digest": sealed}}}
        await sender.submit(json.dumps(written).encode(), CANONICAL)
        item = await only(police)
        services = whole.gateway.services
        assert await services.attachments.opened(parse_office_id(SENDER), sealed) is not None
        await services.staff.grant("second", Role.SECURITY_ADMINISTRATOR, by="test")
        child = person("p1", "minor", years=9, name="李小测")["id_no"]
        files = {path for path in whole.gateway.settings.objects.rglob("*") if path.is_file()}
        assert len(files) == 2
        asked = await services.proof.erase.ask(f"ID:{child}", authority="rights-request", by="test")

        async def fails(name):
            raise Unavailable("the disk fails between the key and the file")

        with monkeypatch.context() as fault, pytest.raises(Unavailable):
            fault.setattr(services.attachments._objects, "delete", fails)
            await services.proof.erase.approve(asked.id, by="second")
        assert all(path.exists() for path in files)
        assert await services.attachments.opened(parse_office_id(SENDER), sealed) is None, "closed, and in the way"
        assert await services.proof.erase.resume() == 1, "as at the next start"
        assert not [path for path in files if path.exists()], "nothing is left to take room"
        assert (await refused(police.attachment(item, digest)))["status"] == 404
        for each in (digest, sealed):
            assert await services.attachments.opened(parse_office_id(SENDER), each) is None


async def test_an_office_that_sent_its_days_bytes_of_documents_waits_and_nobody_else_does(tmp_path, where):
    day = {"attachment_bytes_per_day": 200_000, "max_attachment_bytes": 200_000}
    async with town(tmp_path, postgres=where, limits=day) as whole:
        sender, other = whole.clients[SENDER], whole.clients["education.440100"]
        digest = await sender.upload(CONTENT)
        answer = await refused(sender.upload(os.urandom(100_000)))
        assert (answer["status"], answer["code"]) == (429, "too-many-requests")
        assert "document" in answer["detail"]
        receipt = await sender.submit(report("1", digest, digest_of(b"one that waits")), CANONICAL)
        assert receipt["type"] == "accepted", "a report never waits for its documents"
        await other.upload(CONTENT)
        await sender.upload(os.urandom(1_000))
        folder = whole.gateway.settings.objects
        kept = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
        assert len(kept) == 3, "what was refused left nothing"


async def test_a_document_that_no_key_opens_is_swept_away_once_no_copy_of_the_key_can_be_left(tmp_path, where):
    async with town(tmp_path, postgres=where) as whole:
        sender, services, engines = whole.clients[SENDER], whole.gateway.services, whole.gateway.engines
        gone, young, there = [await sender.upload(content) for content in (CONTENT, b"young", b"there")]
        await sender.submit(report("1", gone, young, there), CANONICAL)
        objects = services.attachments._objects
        names = [services.attachments.name(parse_office_id(SENDER), digest) for digest in (gone, young, there)]
        for one in names[:2]:
            await engines.keys.destroy([(await objects.find(one)).key])
        for one in (names[0], names[2]):
            path = next(path for path in whole.gateway.settings.objects.rglob(one) if path.is_file())
            long_ago = time.time() - 9 * 24 * 3600
            os.utime(path, (long_ago, long_ago))
        assert await services.proof.retain() == 1
        assert [await objects.find(one) is None for one in names] == [True, False, False]
        assert [row["objects"] for row in await logged(whole, "payload_disposed")] == [1]
        assert await services.proof.retain() == 0


def test_on_the_command_line_a_document_goes_with_its_report_and_comes_out_the_same(tmp_path):
    gateway = GatewayProcess(tmp_path / "g").start()
    try:
        for office in (SENDER, POLICE):
            gateway.add_office(office, "canonical")
        document, written = tmp_path / "诊断.pdf", tmp_path / "report.json"
        document.write_bytes(CONTENT)
        written.write_bytes(report("1", digest_of(CONTENT)))
        offices = ("--profile", str(gateway.profiles))
        gateway.run("submit", str(written), "--as", SENDER, "--attach", str(document), *offices, config=False)
        gateway.run("pull", "--as", POLICE, "--attachments", str(tmp_path / "in"), *offices, config=False)
        (arrived,) = (tmp_path / "in").iterdir()
        assert arrived.name == digest_of(CONTENT).replace(":", "-")
        assert arrived.read_bytes() == CONTENT
    finally:
        gateway.stop()


async def test_documents_that_are_out_of_reach_keep_no_bytes_beyond_their_time(tmp_path):
    clock = MovedClock(SystemClock())
    async with town(tmp_path, clock=clock) as whole:
        assert await whole.send(SENDER, plain_report(1)) == 202
        clock.ahead = timedelta(days=whole.gateway.settings.retention.raw_days, seconds=1)
        shutil.rmtree(tmp_path / "data" / "objects")
        with pytest.raises(Unavailable):
            await whole.gateway.services.proof.retain()
        log = whole.gateway.engines.store.log
        (disposed,) = await log.search(LogQuery(event="payload_disposed"), None, 9)
        assert json.loads(disposed.opening)["envelope"]["fields"]["kind"] == "raw"


async def test_a_report_is_accepted_while_the_documents_are_out_of_reach_and_they_are_kept_when_they_are_back(tmp_path):
    clock = MovedClock(SystemClock())
    async with town(tmp_path, clock=clock) as whole:
        sender, police = whole.clients[SENDER], whole.clients[POLICE]
        digest = await sender.upload(CONTENT)
        objects, away = tmp_path / "data" / "objects", tmp_path / "away"
        objects.rename(away)
        objects.write_bytes(b"")  # no folder: nothing below it can be opened or made
        receipt = await sender.submit(report("1", digest), CANONICAL)
        assert "attachment-missing" in receipt["flags"]
        objects.unlink()
        away.rename(objects)
        clock.ahead = timedelta(days=whole.gateway.settings.retention.upload_days, seconds=1)
        await whole.gateway.services.proof.retain()
        clock.ahead = timedelta(0)
        assert await police.attachment(await only(police), digest) == CONTENT
