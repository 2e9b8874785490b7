"""docs/connect.md: its commands, run as they stand by a shell with curl and openssl, send a report, follow, fetch and verify it."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from gateway.crypto.signing import read_public_jwk
from gateway.model.agency import Office
from gateway.model.identifiers import parse_office_id
from gateway.simulation.pilot_area import EVERY_OBLIGATION
from tests.support.town import town

PAGE = Path(__file__).resolve().parents[2] / "docs" / "connect.md"
SCHOOLS = "education.440113.own"
REPORT = """学校标识码,姓名,性别,出生日期,身份证件类型,身份证件号,事件编号,事件类型,事件日期,情形代码,事件简述
3144091427,李小测,男,2015-03-01,居民身份证,999999201503010016,SJ-1,强制报告,20260302,M4,测试叙述
"""

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("curl", "openssl", "basenc")), reason="the page needs curl and openssl"
)


def blocks():
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def run(folder, script, **environment):
    done = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, cwd=folder, env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(done.communicate(), 60)
    assert done.returncode == 0, said.decode()
    return said.decode()


async def test_the_commands_of_the_page_send_follow_fetch_and_verify_as_they_stand(tmp_path):
    key, *rest = blocks()
    (tmp_path / "report.csv").write_text(REPORT, encoding="utf-8")
    await run(tmp_path, key)
    async with town(tmp_path / "town") as whole:
        enrol = whole.gateway.services.enrol
        own = enrol.key(read_public_jwk((tmp_path / "own.pub.pem").read_bytes()))
        await enrol.add(
            Office(
                id=parse_office_id(SCHOOLS), name_zh="测试教育局", adapter="education", media_type="text/csv; charset=utf-8",
                keys=(own,), accepts_obligations=frozenset(EVERY_OBLIGATION),
            ),
            by="test",
        )  # fmt: skip
        given = {"GATEWAY": whole.gateway.url, "OFFICE": SCHOOLS, "KID": own.kid}
        said = await run(tmp_path, "\n".join(rest), **given)
        assert "Verified Successfully" in said
        assert json.loads((tmp_path / "checked.json").read_text())["type"] == "checked"
        receipt, status = (json.loads((tmp_path / name).read_text()) for name in ("receipt.json", "status.json"))
        assert receipt["type"] == "accepted" and status["notice"] == receipt["notice"]
        police = whole.clients["police.440113"]
        [item] = await police.pull()
        answer = {
            "acceptance": {"accepted_by": "测试受理单位", "acceptance_no": "受〔2026〕1号", "next_step": "assess"}
        }
        said = {"data": answer, "lease_token": item.lease_token}
        accepted = await police.reply(item.delivery, "accept", said)
        assert accepted["type"] == "accepted"
        await run(tmp_path, "\n".join([rest[0], *(one for one in rest if "/v1/inbox/next" in one)]), **given)
        assert (tmp_path / "release.bin").read_bytes()
        assert json.loads((tmp_path / "acked.json").read_text())["state"] == "acknowledged"
