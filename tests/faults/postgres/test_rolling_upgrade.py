"""Two versions serve one database: the older code on a store whose upgrade has begun, the newer one beside it, then alone.

The newer code is this tree with one migration more. It gives a column another name, as any change does that older code
cannot follow: `before` keeps both names true for both versions, `after` takes the old one away.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path

import pytest

from gateway.client.agency import AgencyClient, Profile
from gateway.engines.postgres.migrate import steps
from gateway.engines.postgres.store import PostgresStore
from gateway.engines.system.clock import SystemClock
from gateway.model.errors import InvalidDocument
from tests.scenarios.test_two_nodes import second_node
from tests.scenarios.test_webhooks import report
from tests.support.gateway_process import ROOT, GatewayProcess
from tests.support.town import CANONICAL, town

pytestmark = [pytest.mark.slow, pytest.mark.services]

SENDER, POLICE = "health.440113", "police.440113"
BEFORE = """
ALTER TABLE delivery_change ADD COLUMN cause text;
UPDATE delivery_change SET cause = reason;
CREATE FUNCTION both_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.cause := coalesce(NEW.cause, NEW.reason);
  NEW.reason := coalesce(NEW.reason, NEW.cause);
  RETURN NEW;
END $$;
CREATE TRIGGER both_names BEFORE INSERT ON delivery_change FOR EACH ROW EXECUTE FUNCTION both_names();
"""
AFTER = """
DROP TRIGGER both_names ON delivery_change;
DROP FUNCTION both_names;
ALTER TABLE delivery_change DROP COLUMN reason;
"""


def newer_tree(folder: Path) -> Path:
    """This source with the migration, and with the queries that go with it."""
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name in ("adapters", "policies", "schemas"):
            (folder / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "gateway", folder / "gateway")
    engine = folder / "gateway" / "engines" / "postgres"
    number = len(steps()) // 2 + 1
    for half, sql in (("before", BEFORE), ("after", AFTER)):
        (engine / "migrations" / f"{number:04d}_cause.{half}.sql").write_text(sql)
    changed = 0
    for file in (engine / "queries.sql", folder / "gateway" / "engines" / "sql" / "deliveries.sql"):
        text = file.read_text()
        newer = text.replace("delivery, state, at, reason)", "delivery, state, at, cause)").replace(
            "c.reason", "c.cause"
        )
        changed += text != newer
        file.write_text(newer)
    assert changed, "the newer code speaks of the new name"
    return folder


async def test_old_and_new_serve_side_by_side_and_the_old_goes_in_the_end(tmp_path, postgres):
    url, tree = await postgres.make_database(), newer_tree(tmp_path / "newer")
    async with town(tmp_path, postgres=url) as old:
        joins = ("--postgres", url, "--join", str(tmp_path / "keys"), "--public-url", old.gateway.url)
        init = (*joins, "--name", old.gateway.settings.name)
        new = await asyncio.to_thread(lambda: GatewayProcess(tmp_path / "new", *init, tree=tree))
        police = old.clients[POLICE]
        await old.clients[SENDER].submit(report(1), CANONICAL)
        assert f": {len(steps()) + 1}" in (await asyncio.to_thread(new.run, "migrate", "--before")).stdout
        (item,) = await police.pull()
        await police.acknowledge(item)
        async with second_node(old, tmp_path) as restarted:  # an old node that starts now
            try:
                await asyncio.to_thread(new.start)
                async with at(new, old.clients[SENDER]) as sender, at(new, police) as police_at_new:
                    receipt = await sender.submit(report(2), CANONICAL)
                    assert await old.clients[SENDER].submit(report(2), CANONICAL) == receipt
                    (item,) = await (await restarted.client(POLICE)).pull()
                    await police_at_new.acknowledge(item)
                    await (await restarted.client(SENDER)).submit(report(3), CANONICAL)
                    (item,) = await police_at_new.pull()
                    await police.acknowledge(item)
                    told = [(await client.changes())["changes"] for client in (sender, old.clients[SENDER])]
                    assert told[0] == told[1]
                    assert len({change["notice"] for change in told[0]}) == 3
            except BaseException:
                new.kill()
                raise
        clients = old.clients[SENDER], police
        for client in clients:
            await client.token()
    try:
        assert f": {len(steps()) + 2}" in (await asyncio.to_thread(new.run, "migrate")).stdout
        async with at(new, clients[0]) as sender, at(new, clients[1]) as police:
            await sender.submit(report(4), CANONICAL)
            (item,) = await police.pull()
            await police.acknowledge(item)
            assert len((await sender.changes())["changes"]) > len(told[0])
        assert json.loads((await asyncio.to_thread(new.run, "log", "verify", "--json")).stdout)["verified"] is True
        with pytest.raises(InvalidDocument, match="newer"):
            await PostgresStore.open(url, SystemClock())
    finally:
        new.kill()
    await postgres.drop_database(url)


def at(node: GatewayProcess, client: AgencyClient) -> AgencyClient:
    """The same office at another node, with the token it has."""
    other = AgencyClient(Profile(client.profile.office, node.url, client.profile.key))
    other._token, other._token_until = client._token, time.monotonic() + 600
    return other
