"""A handle leads to whom the recipient may know as the sender, and to nobody else."""

from types import SimpleNamespace

import pytest

from gateway.model.access import Facet
from gateway.services.relay_way import behind, still_leads

HANDLE, PATH, CONTACT = "rl-1", "sender.contact_officer", "/sender/contact_officer"
GIVEN = [(HANDLE, PATH, "dr-wang")]


def opened(sender):
    data = {"sender": {"contact_officer": "dr-wang"}}
    return SimpleNamespace(data=data, stored=SimpleNamespace(sender=sender))


def shows(sender_unit):
    fields = {} if sender_unit is None else {"sender.unit": SimpleNamespace(shown=sender_unit)}
    return SimpleNamespace(fields=fields)


@pytest.mark.parametrize(
    ("sender", "unit", "leads"),
    [
        ("health.440113", Facet.FULL, True),
        ("health.440113", Facet.EXISTS, False),
        ("health.440113", None, False),
        ("gateway.440113", Facet.FULL, False),
    ],
)
def test_a_handle_leads_where_the_sender_is_told_and_never_to_the_gateway(sender, unit, leads):
    asked = (GIVEN, shows(unit), opened(sender))
    assert still_leads(CONTACT, *asked) is leads
    assert behind(HANDLE, *asked) == (CONTACT if leads else None)
    assert behind("rl-2", *asked) is None
    assert not still_leads("/sender/other", *asked)
