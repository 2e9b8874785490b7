"""S3: a sealed record and a reporter are nowhere: not in bytes, sizes or codes, not in what is asked of the store or written to the log."""

import json
from collections import Counter

import pytest

from gateway.ports.log_storage import LogQuery
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

OWNER = "police.440100"
SEALED = {"record": {"offence": "某罪", "sentence": "缓刑", "case_no": "（2024）粤0113刑初1号"}}
REPORTER = {"name": "门外邻居", "phone": "13700000000", "id_no": "999999198801010036"}


def twin(number, extra):
    """Two reports alike but for what is set apart."""
    minor = person("p1", "minor", years=17, name="李小测", serial=2, residence={"region": "440113102"})
    data = {
        "urgency": 1,
        "purpose": "P01",
        "legal_basis": ["L20"],
        "place": {"region": "440113102"},
        "harm": {"types": ["H21"], "narrative": "邻里听到哭声。"},
        "persons": [minor, *extra.pop("people", [])],
        **extra,
    }
    return notice("RPT", OWNER, number, data, f"case-{number}")


async def opened_log(whole):
    """The names and field names of every record after the enrolments, without ids."""
    found = await whole.gateway.engines.store.log.search(LogQuery(), None, 500)
    told = [(one.name, sorted(json.loads(one.opening)["envelope"]["fields"])) for one in reversed(found)]
    return [one for one in told if one[0] not in ("office_added", "policy_activated", "staff_enrolled")]


async def everything_seen(folder, extra):
    """What every recipient gets, in its own format, what the sender is told, what the log says, how often the store is asked."""
    asked = []
    async with town(folder) as whole, await join(whole, "health.440106") as reader:
        store = whole.gateway.engines.store
        ask = store.notices._readers.ask

        async def counted(question):
            name = question.__qualname__.removesuffix(".<locals>.<lambda>").removesuffix(".<locals>.question")
            if name.startswith(("SqlDeliveries.", "SqlNotices.")):  # the publisher asks the log on its own beat
                asked.append(name)
            return await ask(question)

        receipt = await whole.clients[OWNER].submit(twin("1", extra), CANONICAL)
        before = await opened_log(whole)
        store.notices._readers.ask = counted
        seen = {}
        for office, client in sorted(whole.clients.items()):
            for accept in ("", CANONICAL):
                for item in await client.pull(accept=accept):
                    headers = {name: len(value) for name, value in item.headers.items()}
                    seen[office, accept] = (item.content_type, len(item.body), headers, item.body)
                    await client.give_back(item, "look-again", 0)
        queries = Counter(asked)
        del store.notices._readers.ask
        status = await whole.clients[OWNER].notice(receipt["notice"])
        states = [(one["recipient"], one["state"]) for one in status["deliveries"]]
        log = await opened_log(whole)
        assert not whole.failures()
        assert await received(reader) == []
        return seen, states, receipt.get("flags", []), before, log, queries


def shape(seen):
    return {key: (kind, size, headers) for key, (kind, size, headers, _) in seen.items()}


@pytest.mark.parametrize("extra", [{"sealed": SEALED}, {"reporter": REPORTER}], ids=["sealed", "reporter"])
async def test_twins_with_and_without_what_is_set_apart_are_answered_alike(tmp_path, extra):
    plain = await everything_seen(tmp_path / "plain", {})
    other = await everything_seen(tmp_path / "other", dict(extra))
    assert plain[0], "somebody got something"
    assert plain[5], "the store was asked"
    assert shape(plain[0]) == shape(other[0])
    assert plain[1:3] == other[1:3]
    vaulted = [one for one in other[4] if one[0] != "reporter_vaulted"]  # intake alone says that a vault was filled
    assert plain[4] == vaulted
    assert plain[5] == other[5], "the same questions to the store"
    for _, _, _, body in other[0].values():
        for secret in ("某罪", "缓刑", "粤0113刑初", "门外邻居", "13700000000"):
            assert secret.encode() not in body


async def test_a_person_who_is_only_the_reporter_is_nobody_to_anyone(tmp_path):
    plain = await everything_seen(tmp_path / "plain", {})
    other = await everything_seen(tmp_path / "other", {"people": [{"ref": "p9", "roles": ["reporter"]}]})
    assert shape(plain[0]) == shape(other[0])
    assert plain[4] == other[4]


def question(number, sender, code="record", child=2):
    minimal = {
        "name": "李小测",
        "id_type": "ID",
        "id_no": person("p1", "minor", years=17, name="x", serial=child)["id_no"],
    }
    data = {
        "purpose": "P05",
        "legal_basis": ["L02"],
        "answer_by": "2099-12-31",
        "requested_recipients": ["police.440100"],
        "query": {"question": code, "minimal": minimal},
    }
    return notice("QRY", sender, number, data, f"q-{number}")


async def test_who_has_no_right_to_ask_gets_no_record_whoever_the_child_is_and_the_owner_is_not_asked(tmp_path):
    async with town(tmp_path) as whole:
        school, owner = whole.clients["education.440100"], whole.clients[OWNER]
        await owner.submit(twin("1", {"sealed": SEALED}), CANONICAL)
        await received(owner)
        answers, sizes = [], []
        for number, child in (("known", 2), ("unknown", 6)):
            receipt = await school.submit(question(number, "education.440100", child=child), CANONICAL)
            ((kind, event),) = [one for one in await received(school) if one[0] == "ANS"]
            answers.append((kind, event["data"]["answer"]))
            sizes.append(len(json.dumps(event)))
            status = await school.notice(receipt["notice"])
            assert status["deliveries"] == []
        assert answers == [("ANS", {"code": "none"})] * 2
        assert sizes[0] == sizes[1]
        assert await received(owner) == [], "the owner's system is not touched"
        counted = await whole.gateway.engines.store.log.search(LogQuery(event="sealed_question_counted"), None, 10)
        assert len(counted) == 2
        assert {json.loads(one.opening)["envelope"]["fields"]["question"] for one in counted} == {"record"}


async def test_a_judicial_organ_reaches_the_owner_by_the_same_form_and_is_counted_too(tmp_path):
    async with town(tmp_path) as whole, await join(whole, "courts.440106") as court:
        await court.submit(question("court", "courts.440106"), CANONICAL)
        assert [kind for kind, _ in await received(whole.clients[OWNER])] == ["QRY"]
        assert await received(court) == []
        counted = await whole.gateway.engines.store.log.search(LogQuery(event="sealed_question_counted"), None, 10)
        assert len(counted) == 1
