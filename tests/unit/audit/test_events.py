"""The list of events is closed, complete, and has no room for a value."""

from __future__ import annotations

import random
import re

import pytest

from gateway.audit.forms import PATTERNS, encoder
from gateway.audit.record import committed_names, prepare
from gateway.model.access import PRESETS, Facet
from gateway.model.audit import FACET_SETS, HEADER, LINK, EventName, Form, LogField, shown_name
from gateway.model.audit_events import EVENTS
from tests.support.log_events import event_of, value_of

# What people write, and what identifies them. No field of any event may take one of these.
FREE_TEXT = (
    "李小测", "Li Xiaoce", "li xiaoce", "父亲殴打", "999999201503010016", "99999920150301001X", "999999150301001",
    "G999999201503010016", "g999999201503010016", "13800000000", "广州市番禺区", "the father beats him", "a@example.org", "", " ", "x\ny",
)  # fmt: skip


def fields_of(name: EventName) -> tuple[LogField, ...]:
    schema = EVENTS[name]
    return (*schema.envelope, *schema.officer, *schema.person)


def test_every_event_has_a_schema_and_every_schema_an_event() -> None:
    assert set(EVENTS) == set(EventName)
    assert all(EVENTS[name].name is name for name in EventName)


@pytest.mark.parametrize("name", EventName)
def test_an_event_is_named_in_the_past_and_in_both_languages(name: EventName) -> None:
    words = name.value.split("_")
    assert any(word.endswith(("ed", "sent", "read", "set", "made", "lost", "held", "drawn")) for word in words)
    assert re.search(r"[\u4e00-\u9fff]", EVENTS[name].zh)
    assert EVENTS[name].en.isascii()


@pytest.mark.parametrize("name", EventName)
def test_no_field_of_an_event_takes_free_text_or_an_identity_number(name: EventName) -> None:
    for field in fields_of(name):
        encode = encoder(field)
        encode(value_of(field, random.Random(name.value)))
        for text in FREE_TEXT:
            for value in (text, (text,), ((text, "clear"),), (("minor.name", text),), (text, "A" * 43 + "=")):
                with pytest.raises(ValueError, match="log field") as refused:
                    encode(value)
                assert not text.strip() or text not in str(refused.value)


@pytest.mark.parametrize("name", EventName)
def test_what_links_to_a_person_stands_in_a_slot_and_never_in_the_envelope(name: EventName) -> None:
    schema = EVENTS[name]
    assert not {field.form for field in schema.envelope} & {Form.HANDLE, Form.DIGEST}
    assert not {field.name for field in schema.envelope} & {"person", "case", "officer", "digest", "native_id"}


@pytest.mark.parametrize("name", EventName)
def test_a_schema_names_each_field_once_and_commits_header_first_and_link_last(name: EventName) -> None:
    names = committed_names(EVENTS[name])
    for group in names.values():
        assert len(set(group)) == len(group)
    assert names["envelope"][0] == HEADER
    assert names["person"][-1] == LINK


def test_every_form_but_the_structured_ones_has_a_pattern_without_white_space() -> None:
    structured = {Form.FIELD_FORMS, Form.FACTS, Form.REFERENCE, Form.COUNT, Form.FLAG, Form.INSTANT}
    assert set(PATTERNS) == set(Form) - structured
    for form, pattern in PATTERNS.items():
        assert re.fullmatch(pattern, "a b") is None, form


def test_every_set_of_facets_has_one_name() -> None:
    for bits in range(128):
        facets = Facet(bits)
        if bits == 0 or facets & Facet.EXISTS:
            assert FACET_SETS[shown_name(facets)] == facets
    assert shown_name(PRESETS["clear"]) == "clear"
    assert shown_name(Facet.EXISTS | Facet.COARSE | Facet.PARTIAL) == "exists+coarse+partial"


@pytest.mark.parametrize("name", EventName)
def test_every_event_becomes_a_record(name: EventName) -> None:
    rng = random.Random(name.value)
    event = event_of(name, rng, people=(("subject-a", b"a" * 32), ("subject-b", b"b" * 32)), officer=True)
    record = prepare(event).finish()
    assert len(record.entry) == 58
    assert len(record.person_slots) == (2 if EVENTS[name].persons else 0)
