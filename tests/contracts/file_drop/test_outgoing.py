"""The drop folder: what is whole, what is tried, and where everything ends up whatever fails between."""

from __future__ import annotations

import os

import pytest

from gateway.crypto.detached import DetachedVerifier, sign_detached
from gateway.crypto.signing import new_signing_key
from gateway.engines.file_drop import outgoing
from gateway.engines.file_drop.outgoing import DropSettings, FileDrop
from gateway.http.problems import problem_document
from gateway.model.errors import Problem, Tampered, Unavailable
from gateway.ports.submission import Pushed

KEY = new_signing_key()


def verify(signature: str, body: bytes) -> str:
    public = KEY.public()
    signed = DetachedVerifier().verify(signature, body, lambda kid: public if kid == KEY.kid else None)
    return str(signed.header.get("cty", ""))


class Scene:
    """A drop folder, a gateway that answers as told, and a clock that is moved by hand."""

    def __init__(self, folder, **settings):
        self.now, self.pushed, self.told = 0.0, [], []
        self.answer: Pushed | Exception = Pushed(b'{"receipt":"r"}', ("n-1",))
        self.drop = FileDrop(
            folder, self.push, verify, problem_document, lambda: self.now, lambda event, **f: self.told.append((event, f)),
            DropSettings(lambda name, body: "text/csv", **settings),
        )  # fmt: skip

    async def push(self, body, media_type, signature=None):
        self.pushed.append((body, media_type, signature))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def arrive(self, name: str, body: bytes = b"1"):
        path = self.drop.folder("arrive") / name
        path.write_bytes(body)
        return path

    async def settled_look(self):
        await self.drop.look()
        self.now += 10
        return await self.drop.look()

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in self.drop.folder(folder).iterdir())


async def test_a_file_is_taken_when_it_has_not_changed_between_two_looks(tmp_path):
    scene = Scene(tmp_path)
    path = scene.arrive("a.csv", b"half")
    await scene.drop.look()
    scene.now += 10
    path.write_bytes(b"half and half")
    await scene.drop.look()
    assert scene.pushed == []
    scene.now += 10
    await scene.drop.look()
    assert [body for body, _, _ in scene.pushed] == [b"half and half"]
    assert scene.names("done") == ["a.csv", "a.csv.receipt.json"]
    assert scene.names("arrive") == scene.names("claim") == []


@pytest.mark.parametrize("name", ["a.csv.part", ".a.csv", "~a.csv", "a.tmp", "a.filepart"])
async def test_a_temporary_name_is_never_touched(tmp_path, name):
    scene = Scene(tmp_path)
    scene.arrive(name)
    await scene.settled_look()
    assert scene.names("arrive") == [name]
    assert scene.pushed == []


async def test_a_signature_beside_says_that_the_file_is_whole_and_travels_with_it(tmp_path):
    scene = Scene(tmp_path, requires_signature=True)
    scene.arrive("a.csv", b"body")
    await scene.settled_look()
    assert scene.pushed == []
    signature = sign_detached(KEY, b"body", {"cty": "text/x-own"})
    scene.arrive("a.csv.jws", signature.encode())
    await scene.drop.look()
    assert scene.pushed == [(b"body", "text/x-own", signature)]
    assert scene.names("done") == ["a.csv", "a.csv.jws", "a.csv.receipt.json"]


async def test_a_signature_that_does_not_fit_waits_for_the_rest_and_then_fails(tmp_path):
    scene = Scene(tmp_path, requires_signature=True)
    scene.arrive("a.csv.jws", sign_detached(KEY, b"whole body").encode())
    path = scene.arrive("a.csv", b"whole")
    await scene.drop.look()
    assert scene.names("claim") == []
    path.write_bytes(b"other body")
    await scene.settled_look()
    assert scene.pushed == []
    assert scene.names("failed") == ["a.csv", "a.csv.jws", "a.csv.problem.json"]
    problem = (tmp_path / "failed" / "a.csv.problem.json").read_text(encoding="utf-8")
    assert '"code":"bad-signature"' in problem
    assert "签名无效" in problem


async def test_a_refused_file_stands_beside_its_problem_and_is_not_tried_again(tmp_path):
    scene = Scene(tmp_path)
    scene.answer = Pushed(b'{"code":"invalid-notice"}', (), (Problem("bad-date", "row 2", "not a date"),))
    scene.arrive("a.csv")
    await scene.settled_look()
    await scene.settled_look()
    assert scene.names("failed") == ["a.csv", "a.csv.problem.json"]
    assert len(scene.pushed) == 1


async def test_an_outage_leaves_files_in_claim_until_it_is_over_and_later_files_wait_their_turn(tmp_path):
    scene = Scene(tmp_path)
    scene.answer = Unavailable("down")
    for n in range(5):
        scene.arrive(f"{n}.csv", str(n).encode())
    await scene.drop.look()
    scene.now += 10
    with pytest.raises(Unavailable):
        await scene.drop.look()
    assert scene.names("done") == []
    scene.answer = Pushed(b"{}", ("n",))
    again = Scene(tmp_path)  # the agent was killed meanwhile: all it knows is in the folders
    await again.settled_look()
    assert [n for n in again.names("done") if n.endswith(".csv")] == [f"{n}.csv" for n in range(5)]


async def test_one_file_that_cannot_be_taken_holds_up_no_other(tmp_path):
    scene = Scene(tmp_path)
    scene.arrive("bad.csv", b"bad")
    scene.arrive("good.csv", b"good")
    push = scene.drop.push

    async def picky(body, media_type, signature=None):
        if body == b"bad":
            raise Unavailable("not this one")
        return await push(body, media_type, signature)

    scene.drop.push = picky
    await scene.settled_look()
    assert scene.names("claim") == ["bad.csv"]
    assert "good.csv" in scene.names("done")


@pytest.mark.parametrize("folder", ["claim", "done", "arrive"])
async def test_a_folder_that_cannot_be_used_is_an_outage_and_all_is_taken_up_when_it_can(tmp_path, folder):
    scene = Scene(tmp_path)
    scene.arrive("a.csv")
    aside = tmp_path / "aside"
    scene.drop.folder(folder).rename(aside)
    scene.drop.folder(folder).write_bytes(b"in the way")
    with pytest.raises(Unavailable):
        await scene.settled_look()
    scene.drop.folder(folder).unlink()
    aside.rename(scene.drop.folder(folder))
    await scene.settled_look()
    assert scene.names("done") == ["a.csv", "a.csv.receipt.json"]


async def test_the_only_file_that_cannot_be_taken_is_an_outage_and_not_silence(tmp_path):
    scene = Scene(tmp_path)
    scene.answer = Unavailable("down")
    scene.arrive("a.csv")
    with pytest.raises(Unavailable):
        await scene.settled_look()


@pytest.mark.parametrize("requires", [False, True])
async def test_a_late_signature_follows_its_file_and_spoils_no_later_one_of_that_name(tmp_path, requires):
    scene = Scene(tmp_path)
    scene.arrive("a.csv", b"monday")
    await scene.settled_look()
    scene.arrive("a.csv.jws", sign_detached(KEY, b"monday").encode())
    scene = Scene(tmp_path, requires_signature=requires)
    scene.arrive("a.csv", b"tuesday")
    await scene.settled_look()
    assert scene.names("failed") == []
    assert "a.csv.jws" in scene.names("done")
    assert len(scene.pushed) == (not requires)


async def test_what_can_never_be_taken_is_told_once_without_its_name(tmp_path):
    scene = Scene(tmp_path)
    scene.arrive("学" * 70 + ".csv")
    await scene.settled_look()
    assert [told for told in scene.told if told[0] == "drop_left_alone"] == [("drop_left_alone", {"entries": 1})]


async def test_an_answer_that_is_not_the_gateways_stops_the_work(tmp_path):
    scene = Scene(tmp_path)
    scene.answer = Tampered("forged")
    scene.arrive("a.csv")
    await scene.drop.look()
    scene.now += 10
    with pytest.raises(Tampered):
        await scene.drop.look()
    assert scene.names("claim") == ["a.csv"]


async def test_the_same_name_again_is_the_same_file_only_with_the_same_bytes(tmp_path):
    scene = Scene(tmp_path)
    for body in (b"1", b"1", b"2"):
        scene.arrive("a.csv", body)
        await scene.settled_look()
    kept = [name for name in scene.names("done") if name.endswith(".csv")]
    assert len(kept) == 2
    assert {(tmp_path / "done" / name).read_bytes() for name in kept} == {b"1", b"2"}


async def test_links_devices_and_folders_are_left_alone(tmp_path):
    scene = Scene(tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(b"not for sending")
    arrive = scene.drop.folder("arrive")
    (arrive / "link.csv").symlink_to(secret)
    os.link(secret, arrive / "hard.csv")
    os.mkfifo(arrive / "pipe.csv")
    (arrive / "folder.csv").mkdir()
    await scene.settled_look()
    assert scene.pushed == []
    assert secret.read_bytes() == b"not for sending"


async def test_a_name_is_never_told(tmp_path):
    scene = Scene(tmp_path)
    scene.arrive("李小测.csv")
    await scene.settled_look()
    assert "李小测" not in str(scene.told)
    assert scene.told[-1][0] == "drop_accepted"


@pytest.mark.parametrize("step", ["write_durably", "move_durably"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2])
async def test_a_crash_at_any_step_loses_nothing_and_the_file_ends_in_done(tmp_path, monkeypatch, step, when, nth):
    class Killed(BaseException):
        pass

    scene, real, calls = Scene(tmp_path), getattr(outgoing, step), []

    def dying(*arguments):
        calls.append(step)
        if len(calls) == nth and when == "before":
            raise Killed
        real(*arguments)
        if len(calls) == nth:
            raise Killed

    scene.arrive("a.csv", b"body")
    monkeypatch.setattr(outgoing, step, dying)
    try:
        await scene.settled_look()
    except Killed:
        monkeypatch.undo()
        scene = Scene(tmp_path)
        await scene.settled_look()
    assert scene.names("done") == ["a.csv", "a.csv.receipt.json"]
    assert {body for body, _, _ in scene.pushed} <= {b"body"}
    assert scene.names("arrive") == scene.names("claim") == []
