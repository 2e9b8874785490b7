"""Hostile bytes against the whole gateway: accepted, or a problem with its place; never a 5xx, never personal data in a line.

Every body is signed and sent by an office that is enrolled, so that nothing stops at the door.
"""

import json

import pytest

from gateway.simulation.pilot_area import EIGHT
from tests.support.samples import needs_samples, sample_files
from tests.support.town import CANONICAL, town

pytestmark = [needs_samples, pytest.mark.samples, pytest.mark.slow]


def report(number: int, data: dict, **attributes) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"n-{number}",
        "source": "urn:hutong:office:police.440100",
        "type": "hutong.notice.RPT.v1",
        "data": {"urgency": 1, "place": {"region": "440113102005"}, "persons": [{"ref": "p1", "roles": ["minor"]}]}
        | data,
    }
    return json.dumps(event | attributes, ensure_ascii=False).encode("utf-8", "surrogatepass")


async def test_json_that_parsers_disagree_on_is_answered_cleanly_by_every_adapter(tmp_path):
    files = sample_files("hostile/json-parsing", "*.json")
    async with town(tmp_path) as running_town:
        for path in files:
            body = path.read_bytes()
            for office, media_type in (
                ("police.440113", CANONICAL),
                ("police.440100", "application/cloudevents-batch+json"),
                ("civil_affairs.440113", "application/vnd.hutong.civil-affairs+json"),
                ("judiciary.440113", "application/vnd.hutong.judiciary+jsonl"),
            ):
                status = await running_town.send(office, body, media_type)
                assert status < 500, (path.name, office, running_town.failures())
        assert not running_town.failures()


async def test_naughty_strings_anywhere_in_a_report_are_answered_cleanly(tmp_path):
    strings = []
    for path in sample_files("hostile/strings"):
        strings += [line for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines() if line]
    statuses = []
    async with town(tmp_path) as running_town:
        for number, text in enumerate(strings[:: max(1, len(strings) // 150)]):
            place = number % 6
            data: dict = {}
            attributes: dict = {}
            if place == 0:
                data = {"harm": {"types": ["H21"], "narrative": text}}
            elif place == 1:
                data = {"persons": [{"ref": "p1", "roles": ["minor"], "name": text, "id_no": text}]}
            elif place == 2:
                data = {text[:100]: text}
            elif place == 3:
                attributes = {"subject": text}
            elif place == 4:
                attributes = {"id": text}
            else:
                data = {"place": {"region": text, "detail": text}}
            status = await running_town.send("police.440100", report(number, data, **attributes))
            assert status < 500, (ascii(text), running_town.failures())
            statuses.append(status)
        assert not running_town.failures()
    assert statuses.count(202) > len(statuses) / 3


async def test_files_of_other_formats_under_every_media_type_are_answered_cleanly(tmp_path):
    files = [path for kind in ("hostile/xml", "csv-xlsx", "hl7v2") for path in sample_files(kind)][::4]
    async with town(tmp_path) as running_town:
        for path in files:
            body = path.read_bytes()[:200_000]
            for one in EIGHT:
                media_type = running_town.gateway.documents.adapters[one.adapter].media_types[0]
                status = await running_town.send(one.id, body, media_type)
                assert status < 500, (path.name, one.id, running_town.failures())
        assert not running_town.failures()
