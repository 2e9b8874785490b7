"""Non-interference over HTTP: notices equal in facts and in what an office is shown look alike to it, canonical and native.

Each pair differs in random ways in what the school bureau is never shown of a report. Identifiers, handles and times are
the gateway's own and of fixed length; they are blanked before bodies are compared, and nothing else is; sizes are compared with all but the times.
"""

import itertools
import random
import re

import pytest

from tests.support.family import notice, person
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SENDER, BUREAU, POLICE = "civil_affairs.440100", "education.440113", "police.440113"
TIMES = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+]\d\d:\d\d)?")
OWN = re.compile(
    rb"(?:ps|rl|case|msg)-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}"
)
PAIRS = 6
SIGNS = '张王李赵测试甲乙丙丁，。 x1\u3400\U00020000"\\<>&|^~'


def words(rng, most):
    return "".join(rng.choice(SIGNS) for _ in range(rng.randint(1, most)))


def report(number, rng):
    """The same facts each time; free text and identities of the adults as random as can be, or left out."""
    harm = {"types": ["H21"], "narrative": words(rng, 300)}
    if rng.random() < 0.5:
        harm["injury"] = {"text": words(rng, 80)}
    infringer = person(
        "p3", "infringer", years=rng.randint(20, 60), name="测" + words(rng, 4).strip(), serial=rng.randint(3, 99)
    )
    infringer |= {"is_guardian": False, "lives_with": []}
    if rng.random() < 0.5:
        infringer["phone"] = f"138{rng.randint(0, 99999999):08}"
    guardian = person(
        "p2", "guardian", years=rng.randint(25, 50), name="王测", serial=rng.randint(100, 199), relation="52", of="p1"
    )
    guardian["lives_with"] = ["p1"]
    data = {
        "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "immediate_danger": False,
        "place": {"region": "440113102", "school_related": True},
        "report": {"reporter_role": "public", "anonymous": True, "mandatory": True},
        "persons": [person("p1", "minor", years=9, name="李小测", serial=2, school={"code": "3144010001", "name": "测试小学"}), guardian, infringer],
        "harm": harm,
    }  # fmt: skip
    return notice("RPT-M", SENDER, number, data, f"case-{number}")


async def looks(whole, sent, accept):
    """By office, what it sees of one notice: kind, size, headers by length, body without the gateway's own names; and its state."""
    receipt = await whole.clients[SENDER].submit(sent, CANONICAL)
    seen = {}
    for office in (BUREAU, POLICE):
        (one,) = await whole.clients[office].pull(accept=accept)
        headers = {name: len(value) for name, value in one.headers.items()}
        body = TIMES.sub(b"#", one.body)
        seen[office] = (one.content_type, len(body), headers, OWN.sub(b"#", body))
        await whole.clients[office].acknowledge(one)
    status = await whole.clients[SENDER].notice(receipt["notice"])
    return seen, [one["state"] for one in status["deliveries"] if one["recipient"] == BUREAU]


@pytest.mark.parametrize("accept", ["", CANONICAL], ids=["native", "canonical"])
async def test_random_pairs_that_differ_in_what_is_not_shown_look_alike(tmp_path, accept):
    async with town(tmp_path) as whole:
        found = [await looks(whole, report(number, random.Random(number)), accept) for number in range(2 * PAIRS)]
        for one, other in itertools.pairwise(found):
            assert one[0][BUREAU] == other[0][BUREAU]
            assert one[1] == other[1] == ["acknowledged"]
        assert len({seen[POLICE][3] for seen, _ in found}) == 2 * PAIRS, "the police are shown the differences"
        assert not whole.failures()
