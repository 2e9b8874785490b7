"""What is wrong with facts is named with what would be right."""

from __future__ import annotations

import pytest

from gateway.policy.facts import UnknownFactValue, facts
from tests.unit.policy.default_pack import pack


def test_a_fact_that_must_be_known_is_named_with_its_values() -> None:
    with pytest.raises(UnknownFactValue) as found:
        facts(pack().vocabulary, {"recipient_agency": "education"})
    told = {one.position: one.remedy for one in found.value.problems}
    assert told["emergency"] == "one of: yes, no"
    assert set(told) == {"recipient_role", "purpose", "notice_type", "emergency"}
