"""The envelope, the identity of a release, and the names it gives."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

import orjson
import pytest

from gateway.model.identifiers import CaseId, NoticeId, OfficeId
from gateway.privacy.pseudonym import ReleaseSecret, case_handle, message_handle, pseudonyms, relay_handles
from gateway.privacy.release import ReleaseNotes, Withheld, content_digest, release
from tests.unit.privacy.building import PROJECTOR, SECRET, context, decision

DATA = {
    "urgency": 1,
    "persons": [{"ref": "p1", "roles": ["minor"], "key": "k1", "id_no": "999999201503010016", "name": "李小测"}],
}
MADE = decision({"notice.urgency": "clear", "minor.key": "pseudonym", "minor.name": "clear"})


def test_a_release_is_a_cloud_event_of_the_gateway():
    released = release(DATA, MADE, context(), PROJECTOR)
    event = orjson.loads(released.canonical)
    assert event["source"] == "urn:hutong:gateway"
    assert event["id"] == released.id == "d-1.1"
    assert (event["delivery"], event["revision"]) == ("d-1", 1)
    assert event["subject"] == released.subject == "case-abc"
    assert event["type"] == "hutong.notice.RPT.v1"
    assert datetime.fromisoformat(event["expirytime"]) == datetime(2026, 6, 1, tzinfo=UTC)
    assert event["data"] == released.data
    assert orjson.dumps(event, option=orjson.OPT_SORT_KEYS) == released.canonical


def test_a_release_is_accepted_by_the_cloudevents_sdk():
    cloudevents = pytest.importorskip("cloudevents.core.v1.event")
    event = orjson.loads(release(DATA, MADE, context(), PROJECTOR).canonical)
    data = event.pop("data")
    event["time"] = datetime.fromisoformat(event["time"])
    assert cloudevents.CloudEvent(attributes=event, data=data).get_data() == data


def test_nothing_is_released_where_the_decision_does_not_deliver():
    assert isinstance(release(DATA, decision({}, deliver=False), context(), PROJECTOR), Withheld)


def test_the_revision_rises_only_with_the_content():
    notes = ReleaseNotes()
    first = release(DATA, MADE, context(), PROJECTOR, notes)
    assert content_digest(first) == notes.content_digest
    again = release(DATA, MADE, context(revision=1, previous_digest=notes.content_digest), PROJECTOR)
    assert again.canonical == first.canonical
    hidden_changed = {**DATA, "harm": {"narrative": "x"}}
    assert release(hidden_changed, MADE, context(revision=1, previous_digest=notes.content_digest), PROJECTOR) == again
    changed = release(
        {**DATA, "urgency": 2}, MADE, context(revision=1, previous_digest=notes.content_digest), PROJECTOR
    )
    assert (changed.revision, changed.id) == (2, "d-1.2")


def test_two_recipients_share_no_name_for_a_person_or_a_case():
    police, health = OfficeId("police.440113"), OfficeId("health.440113")
    shown = [
        release(DATA, MADE, context(recipient=office), PROJECTOR).data["persons"][0]["key"]
        for office in (police, health)
    ]
    assert shown[0] != shown[1]
    assert case_handle(SECRET, police, CaseId("c")) != case_handle(SECRET, health, CaseId("c"))
    assert message_handle(SECRET, police, NoticeId("n")) != message_handle(SECRET, health, NoticeId("n"))


def test_a_pseudonym_changes_with_purpose_and_epoch_and_with_nothing_else():
    def shown(**changed: object) -> str:
        return str(release(DATA, MADE, context(**changed), PROJECTOR).data["persons"][0]["key"])

    assert shown() == shown(revision=7, expires_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert len({shown(), shown(purpose="P02"), shown(epoch="2")}) == 3


def test_names_of_different_uses_and_paths_never_meet():
    name = pseudonyms(SECRET, OfficeId("police.440113"), "P02", "1")
    assert name("ab", "c") != name("a", "bc")
    assert name("a", "b") != pseudonyms(SECRET, OfficeId("police.44011"), "3P02", "1")("a", "b")


def test_one_contact_has_another_handle_for_each_recipient_and_in_each_case():
    police, health = OfficeId("police.440113"), OfficeId("health.440113")
    named = {relay_handles(SECRET, *to)("p", "v") for to in ((police, "c-1"), (police, "c-2"), (health, "c-1"))}
    assert len(named) == 3


def test_a_short_secret_is_refused_and_a_secret_is_never_printed():
    with pytest.raises(ValueError, match="32 bytes"):
        ReleaseSecret(b"short")
    assert "\\x01" not in repr(context())
    assert "bytes" not in repr(SECRET)


def test_relay_handles_are_noted_for_forwarding_and_hold_no_number():
    notes = ReleaseNotes()
    data = {"persons": [{"ref": "p1", "roles": ["minor"], "phone": "13800138000"}]}
    released = release(data, decision({"minor.phone": "relay"}), context(), PROJECTOR, notes)
    handle = released.data["persons"][0]["_relay"]["phone"]
    assert notes.relays == ((handle, "persons[].phone", "13800138000"),)
    assert b"138" not in released.canonical


def test_pseudonyms_and_relay_handles_are_the_named_hmac_of_path_and_value():
    """A fixed vector: recipients keep these names for the life of a case, so no release of this code may change them."""
    parts = (b"police.440113", b"P02", b"1")
    label = b"hutong/pseudonym"
    key = hmac.digest(SECRET.value, b"".join(len(one).to_bytes(4, "big") + one for one in (label, *parts)), "sha256")
    path, value = b"persons[].id_no", "李".encode()
    message = len(path).to_bytes(4, "big") + path + len(value).to_bytes(4, "big") + value
    name = pseudonyms(SECRET, OfficeId("police.440113"), "P02", "1")
    assert name("persons[].id_no", "李") == "ps-" + hmac.digest(key, message, "sha256").hex()[:32]
