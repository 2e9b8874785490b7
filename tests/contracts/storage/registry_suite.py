"""What every store must do with offices, policies, staff and consents, and with the epochs that changes of them raise."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.model.agency import Office, OfficeKey, OfficeState, Webhook
from gateway.model.identifiers import NoticeType, PolicyHash
from gateway.policy.life import PolicyVersion as Life
from gateway.policy.life import activated, approved
from gateway.policy.life import tested as was_tested
from gateway.ports.registry_storage import Activation, ConsentRecord, PolicyChange, StaffRole
from gateway.ports.storage import (
    Epochs,
)
from tests.contracts.storage.steps import MINUTE
from tests.support.stored import POLICE, SCHOOL, START


class RegistrySuite:
    async def test_an_office_is_read_back_as_it_was_put(self, store, units, clock):
        office = Office(
            POLICE,
            "某区公安分局",
            "District police",
            OfficeState.SUSPENDED,
            adapter="police",
            media_type="application/xml",
            keys=(OfficeKey("k1", {"kty": "OKP"}, "sig", START), OfficeKey("k2", {}, "enc", START, START + MINUTE)),
            scope=("999999",),
            webhook=Webhook("https://police.example/in", "pem"),
            sends=frozenset({NoticeType("RPT")}),
            accepts_obligations=frozenset({"no-onward"}),
            agreements=frozenset({"2026"}),
            attributes={"level": "county"},
            seal="5ea1",
        )
        version = await store.directory.put_office(office, clock.now(), [units.record()])
        (stored,) = await store.directory.offices()
        assert (stored, stored.seal) == (replace(office, directory_version=version), "5ea1")
        plain = Office(SCHOOL, "某学校")
        await store.directory.put_office(plain, clock.now(), [])
        assert {one.id: one.webhook for one in await store.directory.offices()} == {
            POLICE: office.webhook,
            SCHOOL: None,
        }

    async def test_every_change_of_an_office_raises_the_directory_epoch_alone(self, store, units, clock):
        for expected in (1, 2, 3):
            office = Office(POLICE, f"名称{expected}")
            assert await store.directory.put_office(office, clock.now(), [units.record()]) == expected
        assert await store.directory.epochs() == Epochs(0, 0, 3)
        (now,) = await store.directory.offices()
        assert (now.name_zh, now.directory_version) == ("名称3", 3)
        assert (await store.log.head()).size == 3

    async def test_a_one_time_value_is_good_once(self, store, clock):
        until = clock.now() + MINUTE
        answers = await asyncio.gather(*(store.directory.use_once("jti", b"value", until) for _ in range(20)))
        assert sorted(answers) == [False] * 19 + [True]
        assert await store.directory.use_once("enrolment", b"value", until)
        assert not await store.directory.use_once("jti", b"value", until)

    async def test_the_policy_activated_last_is_in_force(self, store, units, clock):
        assert await store.policies.active_policy("44") is None
        old = Activation(PolicyHash("a" * 64), "44", clock.now(), "li")
        new = Activation(PolicyHash("b" * 64), "44", clock.now(), "wang")
        for epoch, version in enumerate((old, new), start=1):
            change = PolicyChange((), [units.record()], {version.policy: b"{}"}, version)
            assert await store.policies.change_policies(change) == epoch
            assert await store.policies.active_policy("44") == version.policy
        assert await store.policies.active_policy("11") is None
        assert await store.policies.change_policies(PolicyChange((), [], activation=old)) == 3
        assert await store.policies.active_policy("44") == old.policy
        assert list(await store.policies.activations("44")) == [old, new, old]
        assert (await store.directory.epochs()).policy == 3

    async def test_two_people_never_take_the_same_step_of_a_policy(self, store, units, clock):
        draft = Life(PolicyHash("sha256:" + "c" * 64), "li", "44")
        tested = was_tested(draft, "li", clock.now(), failures=0, misses=0)
        first = PolicyChange(((tested, 0),), [units.record()], {tested.policy: b'{"a":"b"}'})
        assert await store.policies.change_policies(first) == 0
        assert await store.policies.change_policies(first) is None
        assert await store.policies.documents(tested.policy) == b'{"a":"b"}'
        assert list(await store.policies.lives()) == [tested]
        answers = await asyncio.gather(
            *(
                store.policies.change_policies(
                    PolicyChange(((approved(tested, by, clock.now()), 1),), [units.record()])
                )
                for by in ("wang", "zhao")
            )
        )
        assert sorted(answers, key=str) == [0, None]
        assert (await store.log.head()).size == 2
        in_force = Activation(tested.policy, "44", clock.now(), "sun")
        (now,) = await store.policies.lives()
        step = activated(now, "sun", clock.now(), clock.now())
        assert await store.policies.change_policies(PolicyChange(((step, 2),), [units.record()], {}, in_force)) == 1
        assert await store.policies.active_policy("44") == tested.policy
        assert list(await store.policies.activations("44")) == [in_force]

    async def test_a_role_is_given_once_and_taken_once(self, store, units, clock):
        role = StaffRole("li", "policy-author", "sun", clock.now())
        assert await store.staff.grant_role(role, [units.record()])
        assert not await store.staff.grant_role(role, [units.record()])
        assert list(await store.staff.staff_roles()) == [role]
        assert await store.staff.revoke_role("li", "policy-author", [units.record()])
        assert not await store.staff.revoke_role("li", "policy-author", [units.record()])
        assert list(await store.staff.staff_roles()) == []
        assert (await store.log.head()).size == 2

    async def test_the_newest_state_of_each_consent_counts(self, store, units, clock):
        person, other = units.ids.person(), units.ids.person()
        given = ConsentRecord("c1", person, b"sealed", "given", clock.now())
        second = ConsentRecord("c2", person, b"more", "refused", clock.now())
        assert await store.consents.put_consent(given, [units.record()]) == 1
        assert await store.consents.put_consent(second, []) == 2
        withdrawn = replace(given, state="withdrawn", document=b"sealed again")
        assert await store.consents.put_consent(withdrawn, []) == 3
        assert await store.consents.consents_of([other, person, person]) == [withdrawn, second]
        assert await store.consents.consents_of([other]) == []

    async def test_what_was_prepared_under_another_consent_epoch_is_not_stored(self, store, units, clock):
        person = units.ids.person()
        no = ConsentRecord("c1", person, b"no", "refused", clock.now())
        assert await store.consents.put_consent(no, [units.record()], after=0) == 1
        yes = replace(no, document=b"yes", state="given")
        assert await store.consents.put_consent(yes, [units.record()], after=0) is None
        assert await store.consents.consents_of([person]) == [no]
        assert (await store.log.head()).size == 1
        assert await store.consents.put_consent(yes, [units.record()], after=1) == 2

    async def test_records_are_found_by_what_their_ids_begin_with_whatever_the_rest_is(self, store, units, clock):
        person = units.ids.person()
        for name in ("conflict-a", "conflict-B", "conflict-\u7532", "conflict", "conflicts-a", "conflic-a", "other"):
            await store.consents.put_consent(ConsentRecord(name, person, b"1", "given", clock.now()), [])
        newest = ConsentRecord("conflict-a", person, b"2", "withdrawn", clock.now())
        await store.consents.put_consent(newest, [])
        found = await store.consents.consents_named("conflict")
        assert {one.id for one in found} == {"conflict-a", "conflict-B", "conflict-\u7532"}
        assert newest in found
        assert len(found) == 3
