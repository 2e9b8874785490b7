"""Who got a notice is told by its own content, never by what others had to do with the case."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from gateway.engines.files.geography import read_routing
from gateway.model.identifiers import CaseId, NoticeType, OfficeId
from gateway.policy.routing_rules import Source
from gateway.services.participants import Participants

SCHOOL, CITY, OTHER = (OfficeId(name) for name in ("education.440113.own", "civil_affairs.440100", "police.440113"))
CASE = CaseId("c")
TABLES = read_routing(None)


class Nobody:
    """A case of which the office that asks sent and got nothing. It is only asked where somebody is to be left out."""

    asked = 0

    async def summarise(self, case):
        self.asked += 1
        return []


def rule_to(source):
    return next(rule for table in TABLES.by_type.values() for rule in table.rules if rule.source is source)


@pytest.mark.parametrize(
    "source",
    [Source.ACTIVE, Source.OWNER, Source.REPORTING_UNITS, Source.APPLICANTS, Source.PRIOR_RECIPIENTS],
)
async def test_recipients_that_only_the_case_tells_are_named_to_nobody_whom_they_never_met(source):
    found = Participants(Nobody(), lambda: TABLES)
    assert not found.is_named(rule_to(source).id)
    for office in (SCHOOL, CITY):
        is_told = await found.told(office, CASE, [rule_to(source).id])
        assert not is_told(rule_to(source).id, OTHER)


@pytest.mark.parametrize("is_sender", [True, False])
async def test_whom_an_office_wrote_to_or_got_something_from_in_the_case_it_is_told_of(is_sender):
    by_case, named = rule_to(Source.ACTIVE).id, rule_to(Source.COMPETENT).id
    sender, recipient = (CITY, OTHER) if is_sender else (OTHER, CITY)

    class Case:
        async def summarise(self, case):
            status = SimpleNamespace(recipient=recipient, rule=named, attempts=1)
            return [SimpleNamespace(sender=sender, deliveries=[status])]

    is_told = await Participants(Case(), lambda: TABLES).told(CITY, CASE, [by_case])
    assert is_told(by_case, OTHER)
    assert not is_told(by_case, SCHOOL)


async def test_of_whose_notice_nothing_was_handed_to_it_an_office_is_not_told():
    by_case, named = rule_to(Source.ACTIVE).id, rule_to(Source.COMPETENT).id

    class Withheld:
        async def summarise(self, case):
            status = SimpleNamespace(recipient=CITY, rule=named, attempts=0)
            return [SimpleNamespace(sender=OTHER, deliveries=[status])]

    is_told = await Participants(Withheld(), lambda: TABLES).told(CITY, CASE, [by_case])
    assert not is_told(by_case, OTHER)


async def test_recipients_that_follow_from_the_notice_are_named_without_a_question():
    notices = Nobody()
    rule = rule_to(Source.COMPETENT).id
    is_told = await Participants(notices, lambda: TABLES).told(SCHOOL, CASE, [rule])
    assert is_told(rule, OTHER)
    assert notices.asked == 0


async def test_the_tables_in_force_count_and_not_those_of_the_start():
    rule = rule_to(Source.COMPETENT)
    in_force = [TABLES]
    found = Participants(Nobody(), lambda: in_force[-1])
    assert (await found.told(SCHOOL, CASE, [rule.id]))(rule.id, OTHER)
    kind, table = next((kind, one) for kind, one in TABLES.by_type.items() if rule in one.rules)
    by_case = replace(
        table, rules=tuple(replace(one, source=Source.ACTIVE) if one is rule else one for one in table.rules)
    )
    in_force.append(replace(TABLES, by_type={**TABLES.by_type, NoticeType(kind): by_case}))
    assert not (await found.told(SCHOOL, CASE, [rule.id]))(rule.id, OTHER)
