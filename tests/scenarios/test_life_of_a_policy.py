"""A policy is written, approved by another person, put in force, previewed, simulated, brought back, and every
disclosure made under it can be decided again from its log record."""

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from gateway.cli.frame import Admin
from gateway.client.agency import AgencyClient
from gateway.engines.files.packs import pack_files
from gateway.model.errors import Refusal
from gateway.policy.life import pack_hash
from gateway.ports.log_storage import LogQuery
from gateway.ports.registry_storage import Activation, PolicyChange
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SENDER, POLICE, SCHOOLS = "health.440113", "police.440113", "education.440113"
WHERE = (
    "where: {recipient_agency: [civil_affairs, police, education, courts, procuratorate]}"  # of place.school_related
)


def report(number: int) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"n-{number}",
            "source": f"urn:hutong:office:{SENDER}",
            "type": "hutong.notice.RPT-M.v1",
            "subject": f"case-{number}",
            "data": {
                "urgency": 2,
                "purpose": "P01",
                "legal_basis": ["L20"],
                "place": {"region": "440113102005", "school_related": False},
                "report": {"reporter_role": "medical", "anonymous": False, "mandatory": True},
                "harm": {"types": ["H21"], "m_flags": ["M4"], "narrative": "测试叙述", "injury": {"codes": ["T74.1"]}},
                "persons": [
                    {"ref": "p1", "roles": ["minor"], "name": "李小测", "id_type": "ID", "id_no": "999999201503010016",
                     "sex": "1", "birth_date": "2015-03-01"},
                    {"ref": "p2", "roles": ["guardian"], "of": "p1", "relation": "52", "name": "王测乙"},
                ],
            },
        }
    ).encode()  # fmt: skip


@pytest.fixture
async def whole(tmp_path):
    async with town(tmp_path) as found:
        yield found


@pytest.fixture
async def staff(whole):
    """One admin client per person; `test` is the security administrator that the gateway was made with."""
    people = {name: Admin(whole.gateway.settings, name) for name in ("test", "li", "wang", "zhao", "sun")}
    grant = {"li": "policy-author", "wang": "policy-approver", "zhao": "upper-approver", "sun": "compliance-officer"}
    for name, role in grant.items():
        await people["test"].call("POST", "/admin/v1/roles", {"name": name, "role": role})
    return people


def narrower() -> dict[str, str]:
    """The shipped pack where the procuratorate is no longer told whether a school is concerned, with its cases."""
    files = pack_files()
    text = files["disclosure/notice.yaml"]
    assert text.count(WHERE) == 1
    files["disclosure/notice.yaml"] = text.replace(WHERE, WHERE.replace(", procuratorate", ""))
    return files


def routed_otherwise() -> dict[str, str]:
    """The same, where the procuratorate gets no filing copy, and hospitals are not on duty for emergency access."""
    files = narrower()
    settings, safeguards = files["routing/settings.yaml"], files["safeguards.yaml"]
    assert settings.count("default: yes") == 1 and safeguards.count(", health, hotline]") == 1
    files["routing/settings.yaml"] = settings.replace("default: yes", "default: no")
    files["safeguards.yaml"] = safeguards.replace(", health, hotline]", ", hotline]")
    return files


async def accepted(whole):
    """The events of accepted notices, the newest first."""
    return [
        one.event for one in await whole.gateway.engines.store.log.search(LogQuery(event="notice_accepted"), None, 9)
    ]


async def refused(call) -> str:
    with pytest.raises(Refusal) as found:
        await call
    return found.value.code


async def decided(whole):
    await asyncio.sleep(0)
    records = await whole.gateway.engines.store.log.search(LogQuery(event="disclosure_decided"), None, 50)
    return [record.event for record in records]


async def test_only_another_person_approves_and_only_a_security_administrator_puts_in_force(whole, staff, monkeypatch):
    taken_back, everyone = [], whole.gateway.services.recall.everyone
    monkeypatch.setattr(whole.gateway.services.recall, "everyone", lambda why: taken_back.append(why) or everyone(why))
    li, wang, test = staff["li"], staff["wang"], staff["test"]
    assert await refused(wang.call("POST", "/admin/v1/policies", {"files": narrower()})) == "role-missing"
    made = await li.call("POST", "/admin/v1/policies", {"files": narrower(), "note": "only the investigating police"})
    policy = made["policy"]
    assert made["state"] == "tested" and made["cases"]["misses"] == []
    await test.call("POST", "/admin/v1/roles", {"name": "li", "role": "policy-approver"})
    assert await refused(li.call("POST", f"/admin/v1/policies/{policy}/approval", {})) == "wrong-policy-step"
    assert await refused(test.call("POST", f"/admin/v1/policies/{policy}/activation", {})) == "wrong-policy-step"
    assert (await wang.call("POST", f"/admin/v1/policies/{policy}/approval", {}))["state"] == "approved"
    assert await refused(wang.call("POST", f"/admin/v1/policies/{policy}/activation", {})) == "role-missing"
    before = whole.gateway.services.policies.current().hash
    started = asyncio.get_running_loop().time()
    after = await test.call("POST", f"/admin/v1/policies/{policy[7:19]}/activation", {})
    assert asyncio.get_running_loop().time() - started >= 2.0  # nothing older is on its way any more
    assert taken_back == ["policy-changed"], "nor waits unread in an office's queue"
    assert after["state"] == "effective"
    assert whole.gateway.services.policies.current().hash == made["decides_as"] != before
    versions = await staff["sun"].call("GET", "/admin/v1/policies")
    assert [one["state"] for one in versions] in (["effective", "retired"], ["retired", "effective"])
    assert {one["state"]: one["in_force"] for one in versions} == {"effective": True, "retired": False}
    back = next(one["policy"] for one in versions if one["state"] == "retired")
    await test.call("POST", f"/admin/v1/policies/{back}/rollback", {})
    assert whole.gateway.services.policies.current().hash == before
    names = [record.name for record in await whole.gateway.engines.store.log.search(LogQuery(), None, 200)]
    for name in ("policy_drafted", "policy_tested", "policy_approved", "policy_activated", "policy_retired",
                 "policy_rolled_back", "staff_enrolled", "staff_role_changed"):  # fmt: skip
        assert name in names


async def test_what_does_not_hold_is_not_kept_and_says_file_and_line(whole, staff):
    files = narrower()
    files["disclosure/case.yaml"] = files["disclosure/case.yaml"].replace("fields: [injury]", "fields: [injurry]", 1)
    assert "injurry" in files["disclosure/case.yaml"]
    with pytest.raises(Refusal) as found:
        await staff["li"].call("POST", "/admin/v1/policies", {"files": files})
    assert any(problem.position.startswith("disclosure/case.yaml:") for problem in found.value.problems)
    parts = {name: text for name, text in narrower().items() if not name.startswith("routing/")}
    assert await refused(staff["li"].call("POST", "/admin/v1/policies", {"files": parts})) == "invalid-document"
    away = narrower()
    away["routing/reports.yaml"] = away["routing/reports.yaml"].replace("agencies: [police]", "agencies: [health]")
    with pytest.raises(Refusal) as found:
        await staff["li"].call("POST", "/admin/v1/policies", {"files": away})
    assert ("report-kept-from-police", "routing/reports.yaml:53") in {
        (p.code, p.position) for p in found.value.problems
    }
    assert len(await staff["li"].call("GET", "/admin/v1/policies")) == 1


async def test_the_tools_answer_over_the_admin_api_as_on_the_command_line(whole, staff):
    """Of what is in force, of a draft that came along, and of one disclosure of the log."""
    li, sun = staff["li"], staff["sun"]

    async def ask(tool, **asked):
        return await sun.call("POST", f"/admin/v1/policies:{tool}", asked)

    checked = await ask("check")
    assert checked["holds"] and checked["divisions"] == ["440113"]
    assert checked["policy"] == whole.gateway.services.policies.current().hash
    tested = await ask("test")
    assert (
        tested["holds"]
        and tested["cases"] > 100
        and tested["rules"]["untouched"] == ["correction-content-kept", "reporter-secret"]
    )
    draft = {"files": narrower()}
    changed = await ask("diff", old="in-force", new=draft)
    assert changed["rules"] == ["~school-related"] and "检察" in changed["lost"][0]["zh"] and not changed["gained"]
    assert "procuratorate" in changed["lost"][0]["where"]["recipient_agency"]
    broken = narrower()
    broken["disclosure/case.yaml"] = broken["disclosure/case.yaml"].replace("fields: [injury]", "fields: [injurry]", 1)
    wrong = await ask("check", files=broken)
    assert not wrong["holds"] and wrong["problems"][0]["position"].startswith("disclosure/case.yaml:")
    with pytest.raises(Refusal) as refusal:
        await ask("diff", old="in-force", new={"files": broken})
    assert refusal.value.problems[0].position == wrong["problems"][0]["position"]
    most = await ask("ceiling", facts={"recipient_agency": "education"}, policy="in-force")
    assert "harm.types" not in most["fields"] and most["fields"]["minor.name"] == "clear"
    assert {row["after"] for row in (await ask("who-sees", field="harm.narrative"))["rows"]} == {"clear", "summary"}
    assert {one["code"] for one in await ask("lint")} >= {"guard", "unused-fact"}

    await whole.clients[SENDER].submit(report(3), CANONICAL)
    assert await whole.clients[POLICE].pull()
    (event,) = await decided(whole)
    then = await ask("why", field="minor.name", event=event)
    assert then["shown"] == "clear" and then["facts"]["notice_type"] == "RPT-M" and then["granted_by"]
    assert any(one["fact"] == "recipient_agency" for one in then["changes"])
    given = {"recipient_agency": "education", "recipient_role": "copy", "purpose": "P05", "notice_type": "RPT",
             "emergency": "no"}  # fmt: skip
    assert (await ask("why", field="minor.name", facts=given, accepts=["all"]))["shown"] == "withhold"
    assert await refused(ask("why", field="minor.name", event=event, person="p99")) == "not-found"
    assert await refused(ask("why", field="minor.nothing", facts=given)) == "invalid-document"
    assert await refused(ask("check", policy="abcdef0123")) == "not-found"
    assert await refused(ask("check", as_of="tomorrow")) == "invalid-document"
    nobody = Admin(whole.gateway.settings, "nobody")
    assert await refused(nobody.call("POST", "/admin/v1/policies:check", draft)) == "role-missing"
    assert len(await li.call("GET", "/admin/v1/policies")) == 1, "nothing was kept"


async def test_a_scheduled_policy_waits_for_its_instant_and_survives_nobody_looking(whole, staff):
    made = await staff["li"].call("POST", "/admin/v1/policies", {"files": narrower()})
    await staff["wang"].call("POST", f"/admin/v1/policies/{made['policy']}/approval", {})
    before = whole.gateway.services.policies.current().hash
    past = {"effective_from": "2026-01-01T00:00:00+08:00"}
    assert (
        await refused(staff["test"].call("POST", f"/admin/v1/policies/{made['policy']}/activation", past))
        == "wrong-policy-step"
    )
    start = datetime.now(UTC) + timedelta(seconds=3)
    await staff["test"].call(
        "POST", f"/admin/v1/policies/{made['policy']}/activation", {"effective_from": start.isoformat()}
    )
    async with asyncio.timeout(60):
        while whole.gateway.services.policies.current().hash == before:  # noqa: ASYNC110 - nobody looks, as its name says
            await asyncio.sleep(0.02)
    assert datetime.now(UTC) >= start, "not a moment before"
    assert whole.gateway.services.policies.current().hash == made["decides_as"]
    policies = whole.gateway.engines.store.policies
    assert await policies.active_policy("440113") == made["policy"]
    assert (await policies.activations("440113"))[0].effective_from >= start


async def test_every_disclosure_is_decided_again_from_its_record_under_the_policy_then_in_force(whole, staff):
    await whole.clients[SENDER].submit(report(1), CANONICAL)
    for office in (POLICE, "procuratorate.440113"):
        assert await whole.clients[office].pull()
    events = await decided(whole)
    assert len(events) == 2
    shipped = await whole.gateway.services.administer_policies.in_force()
    draft = {"files": routed_otherwise()}
    told = (await staff["sun"].call("POST", "/admin/v1/policies:diff", {"old": "in-force", "new": draft}))["beside"]
    assert [(one["document"], one["en"].partition(":")[0]) for one in told] == [
        ("routing", "setting filing_copy_to_procuratorate"), ("safeguards", "emergency.duty")
    ]  # fmt: skip
    made = await staff["li"].call("POST", "/admin/v1/policies", draft)
    await staff["wang"].call("POST", f"/admin/v1/policies/{made['policy']}/approval", {})
    assert "health" in whole.gateway.services.policies.safeguards().emergency.duty
    await staff["test"].call("POST", f"/admin/v1/policies/{made['policy']}/activation", {})
    for event in events:
        again = await staff["sun"].call("GET", f"/admin/v1/replays/{event}")
        assert again["holds"], again
        assert again["policy"] != made["decides_as"]
        assert again["facts"]["notice_type"] == "RPT-M"
        assert "李小测" not in json.dumps(again, ensure_ascii=False)
    simulated = await staff["sun"].call("POST", "/admin/v1/policies:simulate", {"policy": made["policy"]})
    assert simulated["records"] == 2 and len(simulated["changed"]) == 1
    assert [one["field"] for one in simulated["fields"]] == ["place.school_related"]
    assert all(one["less"] == 1 and one["more"] == 0 for one in simulated["fields"])
    nobody = Admin(whole.gateway.settings, "nobody")
    assert await refused(nobody.call("GET", f"/admin/v1/replays/{events[0]}")) == "role-missing"
    await routed_by_the_pack_then_in_force(whole, staff, shipped, made["policy"])


async def routed_by_the_pack_then_in_force(whole, staff, before, after):
    """Routing and safeguards came into force with the rules, and the log tells which pack routed which notice."""
    receipt = await whole.clients[SENDER].submit(report(2), CANONICAL)
    assert await whole.clients["procuratorate.440113"].pull() == []
    assert await whole.clients[POLICE].pull()
    urgent = {"reason_code": "suicide", "reason": "测试", "notice": receipt["notice"]}
    async with AgencyClient(whole.clients[SENDER].profile, officer="o-1") as doctor:
        with pytest.raises(Refusal):
            await doctor.emergency_access(urgent)
    (refusal,) = await whole.gateway.engines.store.log.search(LogQuery(event="emergency_access_refused"), None, 9)
    assert orjson.loads(refusal.opening)["envelope"]["fields"]["code"] == "not-on-duty"
    assert "health" not in whole.gateway.services.policies.safeguards().emergency.duty
    now, then = [await staff["sun"].call("GET", f"/admin/v1/replays/{event}") for event in await accepted(whole)]
    assert (then["policy"], now["policy"]) == (before, after) and then["tables"] != now["tables"]
    assert then["holds"] and now["holds"]
    named = [{one["id"]: one["recipients"] for one in found["rules"]} for found in (then, now)]
    assert named[0]["RPT-M.procuratorate-filing"] == ["procuratorate.440113"]
    assert named[1]["RPT-M.procuratorate-filing"] == []
    assert all(one["RPT-M.police"] == [POLICE] for one in named)
    assert "李小测" not in json.dumps([now, then], ensure_ascii=False)


async def test_a_preview_shows_two_offices_side_by_side_and_stores_nothing(whole, staff):
    from base64 import b64encode

    asked = {
        "body_base64": b64encode(report(7)).decode(), "media_type": CANONICAL, "sender": SENDER,
        "recipients": [POLICE, "womens_federation.440113"],
    }  # fmt: skip
    size = (await whole.gateway.engines.store.log.head()).size
    found = await staff["li"].call("POST", "/admin/v1/policies:preview", asked)
    police, federation = found["recipients"]
    assert police["routed"] and police["delivers"] and police["body"]["persons"][0]["name"] == "李小测"
    assert "李小测" not in json.dumps(federation, ensure_ascii=False)
    assert federation["fields"]["minor.name"]["form"] in ("pseudonym", "withhold")
    assert (await whole.gateway.engines.store.log.head()).size == size + 1  # that somebody looked
    assert await whole.clients[POLICE].pull() == []
    real = orjson.loads(report(8))
    real["data"]["persons"][0]["id_no"] = "11010119900307123X"
    asked["body_base64"] = b64encode(orjson.dumps(real)).decode()
    assert await refused(staff["li"].call("POST", "/admin/v1/policies:preview", asked)) == "not-permitted"


async def test_a_preview_of_a_stored_notice_tells_forms_and_no_value(whole, staff):
    receipt = await whole.clients[SENDER].submit(report(9), CANONICAL)
    asked = {"notice": receipt["notice"], "recipients": [POLICE, SCHOOLS]}
    found = await staff["sun"].call("POST", "/admin/v1/policies:preview", asked)
    assert found["recipients"][0]["fields"]["minor.name"]["form"] == "clear"
    assert all(one["body"] is None for one in found["recipients"])
    assert "李小测" not in json.dumps(found, ensure_ascii=False)


async def test_roles_that_must_be_apart_are_never_held_by_one_person_and_the_last_administrator_stays(whole, staff):
    test = staff["test"]
    asked = {"name": "test", "role": "compliance-officer"}
    assert await refused(test.call("POST", "/admin/v1/roles", asked)) == "not-permitted"
    assert await refused(test.call("DELETE", "/admin/v1/roles/test/security-administrator")) == "not-permitted"
    assert await refused(staff["li"].call("POST", "/admin/v1/roles", {"name": "li", "role": "policy-approver"})) == (
        "role-missing"
    )
    await test.call("DELETE", "/admin/v1/roles/li/policy-author")
    assert "li" not in {one["name"] for one in await test.call("GET", "/admin/v1/roles")}


async def test_a_policy_that_was_taken_back_while_a_node_compiled_it_does_not_come_into_force_there(
    tmp_path, monkeypatch
):
    async with town(tmp_path) as whole:
        store, services = whole.gateway.engines.store.policies, whole.gateway.services
        policies, directories = services.policies, services.directories
        good, now = await store.active_policy(policies.region), datetime.now(UTC)
        documents = await store.documents(good) + b" "
        bad = pack_hash(documents)
        begun, go, compiled = threading.Event(), threading.Event(), policies._compiled

        def slowly(said, day):
            if said == documents:
                begun.set()
                go.wait(20)
            return compiled(said, day)

        async def put_in_force(pack):
            activation = Activation(pack, policies.region, now, "somebody")
            return await store.change_policies(PolicyChange((), [], {bad: documents}, activation))

        monkeypatch.setattr(policies, "_compiled", slowly)
        await put_in_force(bad)
        looking = asyncio.create_task(directories.refresh())
        await asyncio.to_thread(begun.wait, 20)
        taken_back = await put_in_force(good)
        await directories.refresh()
        go.set()
        await looking
        assert directories.current.epochs.policy == taken_back
        assert policies._now.pack == good
