"""A clustered store is made on request, of a shape this code knows, and shared by nodes that keep out of each other's way."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from datetime import timedelta

import asyncpg
import pytest

from gateway.engines.migrations import Step
from gateway.engines.postgres import crossing, leader, migrate, readers, statements
from gateway.engines.postgres.connection import SESSION
from gateway.engines.postgres.inspect import inspect_database
from gateway.engines.postgres.sequencer import Sequencer
from gateway.engines.postgres.store import QUERIES, PostgresStore
from gateway.engines.sql.values import blob_of
from gateway.engines.sqlite.migrate import STORE_FILE
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.delivery import DeliveryState
from gateway.model.errors import InvalidDocument, Tampered, Unavailable
from gateway.ports.log_storage import LogQuery
from gateway.ports.storage import Accepted, Concluded, Disclosed, Epochs, Replayed, Stale
from tests.contracts.storage.log_suite import verified_size
from tests.contracts.storage.steps import change
from tests.support.plans import plans
from tests.support.stored import POLICE, SCHOOL, alias_of

pytestmark = pytest.mark.services
S = DeliveryState
MINUTE = timedelta(minutes=1)
AFTER = "-- What only older code used.\nALTER TABLE notice_end RENAME reason TO why;"


@pytest.fixture
async def other(database, store, clock):
    """A second node on the same database."""
    opened = await PostgresStore.open(database, clock, readers=2)
    yield opened
    await opened.close()


@pytest.fixture
async def fresh(postgres):
    """A new, empty database."""
    url = await postgres.make_database()
    yield url
    await postgres.drop_database(url)


# Shape.


async def test_a_store_is_never_made_by_accident_or_over_another(fresh, database, clock):
    with pytest.raises(Unavailable, match="no store"):
        await PostgresStore.open(fresh, clock)
    with pytest.raises(Unavailable, match="no store"):
        await PostgresStore.migrate(fresh)
    with pytest.raises(InvalidDocument, match="not empty"):
        await PostgresStore.create(database)


async def test_a_server_that_is_away_is_unavailable(clock):
    with pytest.raises(Unavailable) as away:
        await PostgresStore.open("postgresql://hutong:secret@127.0.0.1:1/none", clock)
    assert "secret" not in str(away.value)


async def test_every_query_is_one_this_server_understands(database):
    connection = await asyncpg.connect(database)
    for name, query in QUERIES.items():
        try:
            await connection.prepare(query.text)
        except asyncpg.PostgresError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong
    assert len(QUERIES) > 130
    await connection.close()


async def test_no_query_reads_a_table_as_a_whole_that_grows(database):
    """On an empty store, where the server would think that cheapest, as on one whose statistics are old."""
    whole = {
        name for name, reads in (await plans(database)).items() if any(one.endswith("as a whole") for one in reads)
    }
    of_one_row = {"epochs", "epochs_and_numbers", "set_epochs", "indexed_until", "log_head"}
    assert whole <= of_one_row | {"forget_words", "pairs"}, "the index is thrown away; every pair is wanted"


async def test_no_query_reads_the_whole_of_an_index_that_grows(postgres):
    """Which a server does to join what is asked for with all there is, as long as it believes that to be little. On a store
    that nobody has counted yet: one that was counted while it was empty has nothing to choose by."""
    url = await postgres.make_database()
    await PostgresStore.create(url)
    found = await plans(url)
    await postgres.drop_database(url)
    whole = {name for name, reads in found.items() if any(one.startswith("all of") for one in reads)}
    of_staff = {"offices", "policy_lives", "staff_roles", "pairs_mark", "standing_holds"}
    of_open_files = {"file_to_forget", "drop_orphan_pieces", "files_naming_done", "forget_when_done"}
    of_operators = {"waiting_due", "waiting_held", "waiting_parked"}  # what waits, counted for every office
    assert whole <= of_staff | of_open_files | of_operators, "what is wanted as a whole, or is never long"


async def test_twenty_notices_go_to_the_server_in_five_journeys_between_begin_and_commit(store, units, monkeypatch):
    """On a node that is busy each of them waits for a turn of the event loop: they are what a group's commit takes."""
    made, real = [], statements.wait
    monkeypatch.setattr(statements, "wait", lambda awaited: made.append(awaited.__name__) or real(awaited))
    await asyncio.gather(*(store.notices.accept(units.acceptance()) for _ in range(20)))
    assert made == ["_run", "_run", "_together", "_insert_all", "_insert_all"]


_SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public' ORDER BY 1, 2
"""
_PARTS = """
SELECT 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text || ' ' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text || ' ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'sequence', sequencename::text, increment_by::text FROM pg_sequences ORDER BY 1, 2
"""


async def shape_of(url):
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for query in (_SHAPE, _PARTS) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_a_store_that_was_migrated_step_by_step_is_like_a_fresh_one(fresh, database):
    """The schema diff: from the oldest shape there is, one half after the other."""
    connection = await asyncpg.connect(fresh)
    await connection.execute(
        "CREATE TABLE store_shape (one bigint PRIMARY KEY CHECK (one = 1), version bigint NOT NULL)"
    )
    await connection.execute("INSERT INTO store_shape VALUES (1, 0)")
    await connection.close()
    last = len(migrate.steps())
    assert await PostgresStore.migrate(fresh, only_before=True) == last - 1
    assert await PostgresStore.migrate(fresh) == last
    assert await PostgresStore.migrate(fresh) == last
    assert await shape_of(fresh) == await shape_of(database)
    assert len(await shape_of(database)) > 150


async def test_migrations_come_in_pairs_with_increasing_numbers():
    assert [step.version for step in migrate.steps()] == list(range(1, len(migrate.steps()) + 1))
    assert len(migrate.steps()) % 2 == 0


async def test_older_code_works_beside_newer_until_something_is_taken_away(fresh, clock, monkeypatch):
    await PostgresStore.create(fresh)
    known = migrate.steps()
    newer = (
        *known,
        Step(len(known) + 1, "before", "CREATE TABLE later (one bigint);"),
        Step(len(known) + 2, "after", AFTER),
    )
    with monkeypatch.context() as upgrade:
        upgrade.setattr(migrate, "steps", lambda: newer)
        assert await PostgresStore.migrate(fresh, only_before=True) == len(known) + 1
    await (await PostgresStore.open(fresh, clock)).close()
    assert await PostgresStore.migrate(fresh) == len(known) + 1, "older code leaves the shape as it is"
    with monkeypatch.context() as upgrade:
        upgrade.setattr(migrate, "steps", lambda: newer)
        assert await PostgresStore.migrate(fresh) == len(known) + 2
        await (await PostgresStore.open(fresh, clock)).close()
    for attempt in (lambda: PostgresStore.open(fresh, clock), lambda: PostgresStore.migrate(fresh)):
        with pytest.raises(InvalidDocument, match="newer"):
            await attempt()


# Two nodes.


async def test_one_key_on_two_nodes_at_once_is_accepted_once(store, other, units):
    key, digest = b"k" * 32, b"d" * 32
    made = [units.acceptance(units.delivery(), idempotency_key=key, body_digest=digest) for _ in range(60)]
    answers = await asyncio.gather(
        *(node.notices.accept(unit) for unit, node in zip(made, [store, other] * 30, strict=True))
    )
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == 1
    assert all(answer in (accepted[0], Replayed(accepted[0].receipt)) for answer in answers)
    assert await verified_size(other) == 1


async def test_one_new_person_on_two_nodes_is_made_once(store, other, units):
    made = [units.acceptance(persons=(units.person("p1", alias_of("child")),)) for _ in range(40)]
    answers = await asyncio.gather(
        *(node.notices.accept(unit) for unit, node in zip(made, [store, other] * 20, strict=True))
    )
    assert sorted(map(type, answers), key=str) == [Accepted] + [Stale] * 39


async def test_a_lane_keeps_its_order_whichever_node_takes_the_notices(store, other, units, clock):
    lane = b"l" * 16
    nodes = [store, other]
    for round_ in range(10):
        pair = [units.acceptance(units.delivery(lane=lane)) for _ in nodes]
        await asyncio.gather(*(node.notices.accept(unit) for node, unit in zip(nodes, pair, strict=True)))
        leased = [
            one
            for some in await asyncio.gather(
                *(node.deliveries.lease_due(POLICE, clock.now(), MINUTE, 5) for node in nodes)
            )
            for one in some
        ]
        assert len(leased) == 1, f"round {round_}"
        answer = await nodes[round_ % 2].deliveries.conclude(units.conclusion(leased[0], S.ACKNOWLEDGED))
        assert isinstance(answer, Concluded)


async def test_two_nodes_never_lease_one_delivery(store, other, units, clock):
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(60)))
    leases = await asyncio.gather(
        *(node.deliveries.lease_due(POLICE, clock.now(), MINUTE, 7) for node in [store, other] * 8)
    )
    leased = [one.id for some in leases for one in some]
    assert len(leased) == len(set(leased)) == 60


async def test_a_senders_moves_are_numbered_without_gaps_across_nodes(store, other, units, clock):
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(30)))
    leased = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 30)
    await asyncio.gather(
        *(
            node.deliveries.conclude(units.conclusion(one, S.ACKNOWLEDGED))
            for one, node in zip(leased, [store, other] * 15, strict=True)
        )
    )
    told = await other.deliveries.changes(leased[0].sender, 0, 100)
    assert [one.number for one in told] == list(range(1, 31))


@pytest.mark.parametrize("what", ["policy", "consent", "directory"])
async def test_a_change_on_one_node_bites_a_disclosure_on_another(store, other, units, clock, what):
    await store.notices.accept(units.acceptance(units.delivery()))
    (leased,) = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 1)
    await change(other, units, what)
    assert await store.deliveries.disclose(units.disclosure(leased)) == Stale(what, S.DUE)
    now = await store.directory.epochs()
    assert getattr(now, what) == 1
    assert isinstance(await other.deliveries.disclose(units.disclosure(leased, epochs=now)), Disclosed)


async def test_a_withdrawal_is_not_kept_waiting_by_disclosures_that_keep_coming(store, other, units, clock):
    """Under load of disclosures on one node, a change on the other gets its turn; afterwards the old epoch is stale."""
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(120)))
    leased = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 120)
    outcomes = []
    changed = asyncio.Event()

    async def disclose(one):
        outcomes.append((changed.is_set(), await store.deliveries.disclose(units.disclosure(one))))

    async def disclosing():
        for start in range(0, 120, 4):
            begun_after = changed.is_set()
            for one in leased[start : start + 4]:
                answer = await store.deliveries.disclose(units.disclosure(one))
                outcomes.append((begun_after, answer))

    async def changing():
        await change(other, units, "consent")
        changed.set()

    await asyncio.gather(disclosing(), changing())
    assert all(isinstance(answer, Stale) for begun_after, answer in outcomes if begun_after)
    assert (await store.directory.epochs()) == Epochs(0, 1, 0)


# The log.


async def test_what_a_node_left_in_the_outbox_another_gives_its_place(store, other, units, database):
    writer = await PostgresStore.open(database, units.clock, readers=1)
    writer._sequencing.cancel()  # this node commits and never integrates
    await writer.notices.accept(units.acceptance(units.delivery(), records=(units.record(), units.record())))
    await writer.close()
    assert await verified_size(store) == 2


async def test_sequencers_without_any_lock_never_fork_the_log(store, units, database):
    """The head's compare-and-set alone decides: five sequencers that believe to be alone, under load."""
    rivals = [Sequencer(database, QUERIES, takes_lock=False) for _ in range(5)]
    done = asyncio.Event()

    async def rival(one):
        while not done.is_set():
            try:
                await one.settle()
            except Unavailable:
                continue  # overtaken too often: nothing was written

    async def load():
        for _ in range(12):
            await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery(SCHOOL))) for _ in range(8)))
        done.set()

    await asyncio.gather(load(), *(rival(one) for one in rivals))
    assert sum(one.batches for one in rivals) > 0
    assert await verified_size(store) == 96
    for one in rivals:
        await one.close()


async def test_a_sequencer_that_was_overtaken_goes_on_from_the_new_head(store, other, units):
    for round_ in range(6):
        node = (store, other)[round_ % 2]
        await node.log.append([units.record() for _ in range(200)])
    assert await verified_size(store) == 1200
    assert await store.log.head() == await other.log.head()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE log_leaf SET entry = ''", "DELETE FROM log_leaf", "TRUNCATE log_leaf", "DELETE FROM log_checkpoint"],
)
async def test_the_database_itself_refuses_to_change_what_was_logged(store, units, database, statement):
    await store.log.append([units.record()])
    connection = await asyncpg.connect(database)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never"):
        await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log_leaf WHERE place = 9",
        "UPDATE log_leaf SET entry = '\\x00' WHERE place = 9",
        "UPDATE log_head SET size = 9",
        "UPDATE log_head SET root = '\\x00'",
        "DELETE FROM log_head",
    ],
)
async def test_a_log_that_does_not_fit_its_head_is_not_opened(store, units, clock, database, change):
    await store.log.append([units.record() for _ in range(10)])
    connection = await asyncpg.connect(database)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(change)
    await connection.close()
    with pytest.raises(Tampered):
        await PostgresStore.open(database, clock)


# Waiting.


async def test_plain_code_waits_for_what_is_asynchronous_and_gets_its_errors():
    async def value(given):
        await asyncio.sleep(0)
        if given < 0:
            raise KeyError(given)
        return given

    def work():
        total = crossing.wait(value(1)) + crossing.wait(value(2))
        with pytest.raises(KeyError):
            crossing.wait(value(-1))
        return total

    assert await crossing.run(work) == 3
    with pytest.raises(KeyError):
        await crossing.run(lambda: crossing.wait(value(-2)))
    with pytest.raises(RuntimeError):
        crossing.wait(asyncio.get_running_loop().create_future())


async def test_the_doctor_finds_what_a_database_lacks(store, units, clock, database):
    here = SystemClock()
    found = {what: (holds, remedy) for what, holds, _, remedy in await inspect_database(database, here, MINUTE)}
    wrong = {what for what, (holds, _) in found.items() if not holds}
    assert any(what.startswith("database: PostgreSQL") for what in found)
    assert "database syncs what it commits" in wrong or await _setting(database, "fsync") == "on"
    assert all(remedy for what, (holds, remedy) in found.items() if not holds)
    levels = [
        level for what, holds, level, _ in await inspect_database(database, clock, MINUTE) if what.startswith("clock")
    ]
    assert levels == ["wrong"], "of a clock that stands months behind"


async def test_a_node_whose_clock_is_wrong_leads_no_more_and_another_does(store, clock, database, monkeypatch):
    monkeypatch.setattr(leader, "ASK_SECONDS", 0.1)
    at_work: list[str] = []

    async def duties(name):
        at_work.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            at_work.remove(name)

    assert abs(await store.clock_difference()) > MINUTE
    nodes = {"wrong": clock, "right": SystemClock()}
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for name, its_clock in nodes.items():
            leads = leader.Leadership(database, its_clock, MINUTE).lead_for_ever(lambda name=name: duties(name))
            nodes[name] = tasks.create_task(leads)
        while at_work != ["right"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        nodes.pop("right").cancel()
        clock.at = SystemClock().now()
        while at_work != ["wrong"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        clock.forward(2 * MINUTE)
        while at_work:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        nodes.pop("wrong").cancel()


async def _setting(database, name):
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetchval("SELECT current_setting($1)", name)
    finally:
        await connection.close()


async def test_both_engines_have_the_same_tables(database, tmp_path):
    """What a migration adds on one engine it adds on the other."""
    SqliteStore.create(tmp_path / "store")
    embedded = sqlite3.connect(tmp_path / "store" / STORE_FILE)
    names = [row[0] for row in embedded.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    theirs = {name: {row[1] for row in embedded.execute(f"PRAGMA table_info({name})")} for name in names}
    embedded.close()
    connection = await asyncpg.connect(database)
    ours: dict[str, set[str]] = {}
    for row in await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    ):
        ours.setdefault(row[0], set()).add(row[1])
    await connection.close()
    of_the_cluster_alone = {"log_event", "log_outbox", "log_indexed", "store_shape"}
    assert {name: columns for name, columns in ours.items() if name not in of_the_cluster_alone} == theirs


async def test_an_older_node_gives_its_place_to_an_event_that_only_newer_code_knows(store, units, database):
    """In a rolling upgrade any node may be the one that integrates."""
    record = units.record()
    assert record.name == "notice_checked"
    prepared = record.dump().replace(b"notice_checked", b"notice_weighed")
    event, newer = blob_of(record.event_id), await asyncpg.connect(database)
    await newer.execute("INSERT INTO log_event (event) VALUES ($1)", event)
    await newer.execute(
        "INSERT INTO log_outbox (event, name, at, prepared) VALUES ($1, $2, 0, $3)", event, "notice_weighed", prepared
    )
    await newer.close()
    assert (await store.log.head()).size == 1
    assert [one.name for one in await store.log.search(LogQuery(), None, 9)] == ["notice_weighed"]


async def test_a_question_that_meets_an_error_nobody_foresaw_is_not_left_waiting(database, clock, monkeypatch):
    store = await PostgresStore.open(database, clock)

    async def connect(url, **_):
        raise RuntimeError("the transport is closed")

    monkeypatch.setattr(readers, "connect", connect)
    async with asyncio.timeout(60):
        with pytest.raises(RuntimeError):
            await store.log.latest_checkpoint()
    await store.close()


async def test_a_question_goes_on_where_its_process_stands_still_for_longer_than_a_write_may(database, monkeypatch):
    """A starved machine: `hutong log verify` ended with "out of reach" while the store was sound."""
    monkeypatch.setitem(SESSION, "idle_in_transaction_session_timeout", "50ms")
    asking = readers.Readers(database, QUERIES)

    def stalled(sql):
        before = sql.all("leaf_entries", (0, 1))
        time.sleep(0.2)  # the loop itself stands still: what is tested
        return before, sql.all("leaf_entries", (0, 1))

    before, after = await asking.ask(stalled)
    assert before == after
    await asking.close()
