"""Whoever writes the database can take no segment from a notice, add none, swap none, and give it to nobody else."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from gateway.consent.conflict import Reason
from gateway.crypto.sealing import seal
from gateway.model.canonical import canonical_json
from gateway.model.errors import Tampered
from gateway.model.identifiers import CaseId, KeyId, NoticeId, NoticeType, OfficeId, PersonId
from gateway.ports.keys import DataKey
from gateway.ports.storage import StoredNotice
from gateway.privacy.segments import Segment, join
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.keep import HEADER, Keeper
from gateway.services.keep import _place as place_of

AT = datetime(2026, 11, 28, tzinfo=UTC)
DATA = {"persons": [{"ref": "child", "roles": ["minor"]}, {"ref": "father", "roles": ["guardian"]}]}
PARTS = (
    Segment(None, "GENERAL", [[[], {"urgency": 1}]]),
    Segment("child", "GENERAL", [[["persons"], [[0, {"ref": "child", "roles": ["minor"]}]]]]),
    Segment("father", "CONFLICT", [[["accused"], {"by": "teacher"}]]),
)


class Keys:
    def __init__(self) -> None:
        self.secrets: dict[KeyId, bytes] = {}

    def take(self, count: int) -> list[DataKey]:
        taken = [DataKey(KeyId(secrets.token_hex(16)), secrets.token_bytes(32)) for _ in range(count)]
        self.secrets.update({key.id: key.secret for key in taken})
        return taken

    def open(self, key: KeyId) -> bytes | None:
        return self.secrets.get(key)

    def secret(self, name: str) -> bytes:
        return name.encode().ljust(32)


KEYS = Keys()
IDS = SimpleNamespace(secret=secrets.token_bytes, person=lambda: PersonId(f"person-{secrets.token_hex(8)}"))
KEEPER = Keeper(KEYS, IDS, lambda data: PARTS, join)


def stored(name: str = "notice-1") -> StoredNotice:
    notice, persons = NoticeId(name), KEEPER.identify(DATA, {})
    content = KEEPER.seal(
        notice, DATA, {"native_id": "n"}, b"raw", persons, reporter={"name": "x"}, sealed={}, quarantined={}
    )
    return StoredNotice(
        notice, NoticeType("RPT"), CaseId("case"), OfficeId("education.999999"), 1, AT, content.header, content.header_key,
        content.segments, {ref: known.link.person for ref, known in persons.items()}, (), None, False,
    )  # fmt: skip


def without(notice: StoredNotice, compartment: str) -> StoredNotice:
    return replace(notice, segments=tuple(one for one in notice.segments if one.compartment != compartment))


def of_another(notice: StoredNotice) -> StoredNotice:
    return replace(notice, segments=(*notice.segments[:-1], stored("notice-2").segments[-1]))


def persons_exchanged(notice: StoredNotice) -> StoredNotice:
    return replace(notice, persons=dict(zip(notice.persons, reversed(notice.persons.values()), strict=True)))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: without(one, "CONFLICT"),
        lambda one: without(one, "REPORTER"),
        lambda one: replace(one, segments=()),
        lambda one: replace(one, segments=(*one.segments, one.segments[0])),
        lambda one: replace(one, segments=one.segments[::-1]),
        lambda one: replace(one, persons={**one.persons, "aunt": PersonId("person-0")}),
        of_another,
        persons_exchanged,
    ],
)
def test_a_changed_set_of_segments_does_not_open(change):
    whole = stored()
    assert KEEPER.open(whole).data["accused"] == {"by": "teacher"}
    with pytest.raises(Tampered):
        KEEPER.open(change(whole))


def test_what_still_opens_of_a_doubted_notice_is_doubted():
    opened = KEEPER.open_in_doubt(without(stored(), "CONFLICT"))
    assert opened.is_doubted
    assert opened.data == {"urgency": 1, "persons": [{"ref": "child", "roles": ["minor"]}]}


def test_an_erased_person_leaves_the_set_whole():
    whole = stored()
    (key,) = {one.key for one in whole.segments if one.compartment == "CONFLICT"}
    kept = KEYS.secrets.pop(key)
    try:
        opened = KEEPER.open(whole)
    finally:
        KEYS.secrets[key] = kept
    assert not opened.is_doubted
    assert "accused" not in opened.data


def test_a_notice_stored_before_sets_were_bound_opens_as_it_did():
    whole = stored()
    header = seal(
        KEYS.secrets[whole.header_key], secrets.token_bytes(12), canonical_json({"native_id": "n"}),
        place_of(whole.id, None, HEADER),
    )  # fmt: skip
    assert KEEPER.open(replace(without(whole, "CONFLICT"), header=header)).data["urgency"] == 1


@pytest.mark.parametrize(("is_whole", "reasons"), [(True, frozenset()), (False, {Reason.SUSPECTED})])
async def test_a_report_that_is_no_longer_what_was_stored_may_speak_against_everybody_in_it(is_whole, reasons):
    report = stored("00000000-0000-0000-0000-000000000001")
    report = report if is_whole else without(report, "CONFLICT")
    father = report.persons["father"]

    async def notices_of(person, limit):
        return [(report.id, report.type)]

    async def load(notice):
        return report

    async def is_cleared(*_):
        return False

    notices = SimpleNamespace(notices_of=notices_of, load=load)
    record = ConflictsOnRecord(notices, KEEPER.open, is_cleared, SimpleNamespace(of=lambda person: (person,)))
    assert await record.of(father) == reasons
