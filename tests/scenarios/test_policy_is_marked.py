"""A pack decides once this gateway put it in force: who writes the database puts none there, and changes none."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

from gateway.audit.opening import read_opening
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import NoticeType
from gateway.policy.life import pack_hash
from gateway.ports.log_storage import LogQuery
from gateway.services.govern import IN_DOUBT
from tests.support.family import notice
from tests.support.town import CANONICAL, town

HEALTH, POLICE = "health.440113", "police.440113"


def report(number):
    data = {"urgency": 1, "place": {"region": "440113102005"}, "persons": [{"ref": "p1", "roles": ["minor"]}]}
    return notice("RPT", HEALTH, number, data, f"case-{number}")


async def decided_by(whole, number):
    """The policy by which the police get a report now."""
    await whole.gateway.services.policies.refresh()
    await whole.gateway.services.directories.refresh()
    assert await whole.send(HEALTH, report(number)) == 202
    (got,) = await whole.clients[POLICE].pull(accept=CANONICAL)
    await whole.clients[POLICE].acknowledge(got)
    found = await whole.gateway.engines.store.log.search(LogQuery(event="disclosure_decided"), None, 1)
    return read_opening(found[0].opening).fields["policy"]


async def a_delivery(whole):
    store = whole.gateway.engines.store
    found = await store.log.search(LogQuery(event="disclosure_decided"), None, 1)
    return await store.deliveries.delivery(read_opening(found[0].opening).fields["delivery"])


async def test_a_pack_that_was_put_in_force_in_the_database_decides_nothing(tmp_path, monkeypatch):
    async with town(tmp_path) as whole:
        first, administer = await decided_by(whole, 1), whole.gateway.services.administer_policies

        async def no_beat():
            return None

        monkeypatch.setattr(administer, "enter_into_force", no_beat)
        with closing(sqlite3.connect(tmp_path / "data" / "store.db", timeout=10)) as store, store:
            ((documents,),) = store.execute("SELECT documents FROM policy_version")
            files = json.loads(documents)
            name = next(one for one in files if one.endswith("notice.yaml"))
            foreign = canonical_json({**files, name: files[name] + "\n# nobody approved this\n"})
            store.execute("INSERT INTO policy_version (hash, documents) VALUES (?, ?)", (pack_hash(foreign), foreign))
            store.execute(
                "INSERT INTO policy_activation SELECT epoch + 1, ?, region, effective_from, activated_by FROM policy_activation",
                (pack_hash(foreign),),
            )
            store.execute(
                "INSERT INTO policy_life SELECT replace(hash, hash, ?), region, steps, CAST(replace(CAST(document AS TEXT), hash, ?) AS BLOB) "
                "FROM policy_life",
                (pack_hash(foreign), pack_hash(foreign)),
            )
            store.execute("UPDATE epoch SET policy = policy + 1")
        assert await decided_by(whole, 2) == first
        ordinary = replace(await a_delivery(whole), notice_type=NoticeType("TRN"), urgency=1)
        waits = whole.gateway.services.policies.waits
        assert (waits(ordinary), waits(replace(ordinary, urgency=2))) == (IN_DOUBT, "")
        monkeypatch.undo()
        restored = await administer.enter_into_force()
        assert restored.policy == pack_hash(documents), "the beat puts right what is said to be in force"
        whole.gateway.engines.events.flush()
        assert b'"policy_in_doubt"' in whole.lines.getvalue()


async def test_of_a_pack_whose_documents_were_changed_nothing_is_believed(tmp_path):
    async with town(tmp_path) as whole:
        policies = whole.gateway.services.policies
        with closing(sqlite3.connect(tmp_path / "data" / "store.db", timeout=10)) as store, store:
            store.execute(
                "UPDATE policy_version SET documents = CAST(replace(CAST(documents AS TEXT), 'P01', 'P02') AS BLOB)"
            )
        policies._now = None  # as at a start
        await policies.refresh()
        assert policies._now is None
        assert await whole.send(HEALTH, report(1)) == 202, "a report is taken in all the same"
