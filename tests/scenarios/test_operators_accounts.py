"""What is done at the local socket is logged with the account that the kernel names, beside the name that was claimed."""

import os

import pytest

from gateway.cli.frame import Admin
from gateway.engines.system.peer import Peer
from gateway.http import admin_answers
from gateway.model.errors import Refusal
from gateway.ports.log_storage import LogQuery
from gateway.services.replay import opened_record
from tests.support.town import town

POLICE = "police.440113"


async def test_an_operator_is_logged_by_account_and_takes_nobody_elses_name(tmp_path, monkeypatch):
    async with town(tmp_path) as whole:
        settings, log = whole.gateway.settings, whole.gateway.engines.store.log

        async def suspend(name):
            state = {"state": "suspended", "reason": "test"}
            return await Admin(settings, name).call("POST", f"/admin/v1/offices/{POLICE}/state", state)

        await suspend("zhang")
        (told,) = await log.search(LogQuery(event="office_suspended"), None, 9)
        account = opened_record(told).fields["account"]
        assert account.startswith(("uid-", "login-"))
        assert account == f"uid-{os.geteuid()}" or account.startswith("login-")
        (enrolled, *_) = await log.search(LogQuery(event="office_added"), None, 1)
        assert "account" not in opened_record(enrolled).fields, "nobody came by the socket"

        # as where people have accounts: the kernel says li, who claims to be wang
        people = {"li": 1001, "wang": 1002}
        monkeypatch.setattr("gateway.engines.system.peer.getpwnam", lambda name: _Entry(people[name]))
        monkeypatch.setattr(admin_answers, "peer_of", lambda connection: Peer(990, 1001))
        with pytest.raises(Refusal, match="somebody else"):
            await suspend("wang")
        await suspend("li")
        await suspend("compliance")  # no account's name: believed, and logged with the account
        told = await log.search(LogQuery(event="office_suspended"), None, 9)
        assert [opened_record(one).fields["account"] for one in told[:2]] == ["login-1001"] * 2


class _Entry:
    def __init__(self, uid):
        self.pw_uid = uid


@pytest.mark.parametrize(
    ("peer", "is_another"),
    [(Peer(990, None), False), (Peer(0, None), False), (Peer(990, 1001), True), (Peer(1002, None), False), (Peer(1001, None), True)],
)  # fmt: skip
def test_only_a_person_who_is_certainly_somebody_else_is_refused(monkeypatch, peer, is_another):
    monkeypatch.setattr("gateway.engines.system.peer.getpwnam", lambda name: _Entry(1002))
    assert peer.is_another("wang") is is_another
