"""The decision point in the AuthZEN form: shapes of the specification, obligations, and what is never told."""

import pytest
import pytest_asyncio

from gateway.client.agency import Answered
from gateway.ports.log_storage import LogQuery
from tests.support.town import town

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SCHOOL, POLICE = "education.440113", "police.440113"
SUBJECT = {"type": "office", "id": SCHOOL}
FACTS = {
    "purpose": "P05", "notice_type": "REF", "recipient_role": "executor", "emergency": "no",
    "legal_basis_kind": "statutory_duty", "own_subject": "yes", "conflict": "none", "recipient_conflict": "no",
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory):
    async with town(tmp_path_factory.mktemp("authzen")) as found:
        yield found


def question(field="minor.name", form="clear", **context):
    return {
        "subject": SUBJECT,
        "action": {"name": "see", "properties": {"form": form}},
        "resource": {"type": "field", "id": field},
        "context": {"facts": FACTS, **context},
    }


async def ask(whole, document, path="evaluation", office=SCHOOL):
    return await whole.clients[office]._json("POST", f"/access/v1/{path}", document)


class TestEvaluation:
    async def test_one_question_gets_a_decision(self, whole):
        assert (await ask(whole, question()))["decision"] is True
        hidden = await ask(whole, question("harm.narrative"))
        assert hidden == {"context": {"reason": "policy"}, "decision": False}

    async def test_without_context_the_answer_is_no_since_less_knowledge_never_shows_more(self, whole):
        bare = {name: value for name, value in question().items() if name != "context"}
        assert (await ask(whole, bare))["decision"] is False

    async def test_a_weaker_form_than_shown_is_shown_and_a_stronger_is_not(self, whole):
        assert (await ask(whole, question("guardian.name", "mask")))["decision"] is True
        assert (await ask(whole, question("guardian.name", "clear")))["decision"] is False

    async def test_what_the_directory_knows_of_the_office_is_not_for_it_to_suppose(self, whole):
        asked = question("harm.narrative")
        asked["context"] = {"facts": {**FACTS, "recipient_agency": "police", "purpose": "P02"}}
        assert (await ask(whole, asked))["decision"] is False

    async def test_an_office_asks_for_itself_alone(self, whole):
        with pytest.raises(Answered) as refused:
            await ask(whole, {**question(), "subject": {"type": "office", "id": POLICE}})
        assert refused.value.status == 403

    @pytest.mark.parametrize("missing", ["subject", "action", "resource"])
    async def test_a_malformed_question_is_refused_with_400(self, whole, missing):
        broken = {name: value for name, value in question().items() if name != missing}
        with pytest.raises(Answered) as refused:
            await ask(whole, broken)
        assert refused.value.status == 400

    async def test_unknown_members_are_ignored_as_the_specification_wants(self, whole):
        asked = {**question(), "extension": {"a": 1}}
        asked["subject"] = {**SUBJECT, "properties": {"department": "x"}}
        assert (await ask(whole, asked))["decision"] is True

    async def test_a_concrete_notice_is_answered_with_the_same_no_whether_it_exists_or_not(self, whole):
        answers = [
            await ask(whole, {**question(), "resource": {"type": "notice", "id": name}})
            for name in ("0198c5a2-7a10-7cc1-8000-000000000001", "anything")
        ]
        assert answers[0] == answers[1] == {"context": {"reason": "not-answered-here"}, "decision": False}

    async def test_every_call_is_in_the_log_before_it_is_answered(self, whole):
        log = whole.gateway.engines.store.log
        before = len(await log.search(LogQuery(event="access_evaluated"), None, 500))
        await ask(whole, question())
        assert len(await log.search(LogQuery(event="access_evaluated"), None, 500)) == before + 1

    async def test_an_obligation_the_caller_does_not_understand_turns_the_answer_into_deny(self, whole):
        facts = {**FACTS, "purpose": "P02", "notice_type": "RPT", "recipient_role": "competent"}
        asked = {**question("harm.sexual_detail"), "subject": {"type": "office", "id": POLICE}}
        asked["context"] = {"facts": facts}
        told = await ask(whole, asked, office=POLICE)
        assert told["decision"] is True
        (owed,) = told["context"]["obligations"]
        assert owed == {"type": "custom", "id": "obl-1", "vendor": "hutong", "action": "no_onward"}
        for declared in ({"obligations_understood": ["log_use"]}, {"obligations_supported": ["notification"]}):
            asked["context"] = {"facts": facts, **declared}
            assert (await ask(whole, asked, office=POLICE))["decision"] is False
        asked["context"] = {
            "facts": facts,
            "obligations_understood": ["no_onward"],
            "obligations_supported": ["custom"],
        }
        assert (await ask(whole, asked, office=POLICE))["decision"] is True

    async def test_metadata_names_the_endpoints_and_the_obligation_types(self, whole):
        url = whole.gateway.url
        async with whole.clients[SCHOOL]._session.get(f"{url}/.well-known/authzen-configuration") as answer:
            document = await answer.json()
        assert document == {
            "policy_decision_point": url,
            "access_evaluation_endpoint": f"{url}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{url}/access/v1/evaluations",
            "obligations_supported": ["custom"],
        }


class TestEvaluations:
    async def test_defaults_are_shared_and_answers_stand_in_order(self, whole):
        shared = {name: value for name, value in question().items() if name != "resource"}
        entries = [{"resource": {"type": "field", "id": one}} for one in ("minor.name", "harm.narrative", "minor.sex")]
        told = await ask(whole, {**shared, "evaluations": entries}, "evaluations")
        assert [one["decision"] for one in told["evaluations"]] == [True, False, True]

    async def test_an_entry_replaces_a_default_as_a_whole(self, whole):
        told = await ask(whole, {**question(), "evaluations": [{"context": {}}, {}]}, "evaluations")
        assert [one["decision"] for one in told["evaluations"]] == [False, True]

    @pytest.mark.parametrize(
        ("semantic", "fields", "decisions"),
        [
            ("execute_all", ("harm.narrative", "minor.name"), [False, True]),
            ("deny_on_first_deny", ("minor.name", "harm.narrative", "minor.sex"), [True, False]),
            ("permit_on_first_permit", ("harm.narrative", "minor.name", "minor.sex"), [False, True]),
        ],
    )
    async def test_the_three_semantics_stop_where_they_say(self, whole, semantic, fields, decisions):
        asked = {**question(), "options": {"evaluations_semantic": semantic}}
        asked["evaluations"] = [{"resource": {"type": "field", "id": one}} for one in fields]
        told = await ask(whole, asked, "evaluations")
        assert [one["decision"] for one in told["evaluations"]] == decisions

    async def test_without_entries_it_answers_like_a_single_evaluation(self, whole):
        assert (await ask(whole, question(), "evaluations"))["decision"] is True
