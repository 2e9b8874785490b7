"""hutong agent: sign, forward and fetch on the agency's side, for systems that speak MLLP or files."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import uvloop

from adapters.health.v2_version import DEFAULT, VERSIONS
from gateway.cli.agent_tls import listener_tls, sender_tls
from gateway.cli.frame import fail
from gateway.cli.submit import SUFFIXES, media_type_of, profile_option
from gateway.client.agency import AgencyClient, Profile
from gateway.client.agent import fetch_once, follow_drop, follow_inbox
from gateway.client.forward import Forward
from gateway.client.handing_on import HL7, HandOn
from gateway.crypto.detached import DetachedVerifier
from gateway.engines.file_drop.durable import write_durably
from gateway.engines.file_drop.inbox import InboxFolder
from gateway.engines.file_drop.outgoing import DropSettings, FileDrop
from gateway.engines.files.lock import OwnerLock
from gateway.engines.mllp.listener import ListenerLimits, MllpListener
from gateway.engines.mllp.sender import MllpSender, SenderLimits
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.logs import EventLog, take_over_logging
from gateway.engines.system.outlet import Outlet
from gateway.http.problems import problem_document
from gateway.model.errors import HutongError, Refusal, Unavailable
from gateway.ports.submission import Pushed


@click.command(
    help="代理 · on the agency's side: sign and forward files (--drop) and HL7 v2 messages (--mllp), fetch releases into a "
    "folder (--inbox) or hand them on to an HL7 v2 listener (--deliver)\n\n"
    "DROP has arrive/ claim/ done/ failed/; receipts stand beside. AA is answered only after the gateway's signed receipt, and a "
    "release is acknowledged only after the listener's AA or CA."
)
@click.option("--as", "office", required=True, metavar="OFFICE", help="以此单位身份 as this office")
@click.option("--mllp", metavar="HOST:PORT", help="在此地址接收 HL7 listen for HL7 v2 over MLLP")
@click.option(
    "--tls-cert", type=click.Path(exists=True, path_type=Path), help="MLLP 的证书 certificate for MLLP over TLS"
)
@click.option("--tls-key", type=click.Path(exists=True, path_type=Path), help="证书私钥 its private key")
@click.option(
    "--tls-ca",
    type=click.Path(exists=True, path_type=Path),
    help="只接受此机构签发的客户端证书 ask senders for a certificate of this CA",
)
@click.option("--drop", type=click.Path(path_type=Path), help="投递目录 folder for files to send")
@click.option("--inbox", type=click.Path(path_type=Path), help="收件目录 folder for releases")
@click.option(
    "--deliver",
    metavar="HOST:PORT",
    help="经 MLLP 送入本单位系统 hand releases on to the MLLP listener at this address",
)
@click.option(
    "--deliver-ca",
    type=click.Path(exists=True, path_type=Path),
    help="以 TLS 送出，只信此机构签发的证书 over TLS, to a listener with a certificate of this CA; --tls-cert is shown to it",
)
@click.option(
    "--hl7-version",
    type=click.Choice(VERSIONS),
    default=DEFAULT,
    show_default=True,
    help="送出的 HL7 版本 version of the HL7 v2 that is handed on",
)
@click.option(
    "--answer-seconds",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="等 AA/CA 多久，须短于租约 how long to wait for AA or CA; shorter than a lease",
)
@click.option("--accept", default="", help="想要的媒体类型 media type wanted for releases")
@click.option(
    "--media-type", default="application/octet-stream", help="无法按扩展名识别时 for files whose name does not tell"
)
@click.option(
    "--require-signature", is_flag=True, help="只收带签名的文件 take only files with a detached signature NAME.jws"
)
@click.option(
    "--settle-seconds",
    default=2.0,
    show_default=True,
    help="文件多久不变算写完 a file is whole when unchanged for so long",
)
@click.option("--receipts", type=click.Path(path_type=Path), help="MLLP 回执目录 folder for receipts of MLLP messages")
@click.option(
    "--max-message-bytes", default=8 * 1024 * 1024, show_default=True, help="单条 HL7 上限 limit for one HL7 message"
)
@click.option("--once", is_flag=True, help="处理一遍即退出 work through the folders once, then exit")
@profile_option
def agent(**options: Any) -> None:
    try:
        uvloop.run(_agent(**options))
    except* HutongError as group:
        first = group.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        assert isinstance(first, HutongError)
        raise SystemExit(fail(first)) from None


async def _agent(
    office: str,
    profile: Path,
    mllp: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    drop: Path | None,
    inbox: Path | None,
    deliver: str | None,
    deliver_ca: Path | None,
    hl7_version: str,
    answer_seconds: float,
    accept: str,
    media_type: str,
    require_signature: bool,
    settle_seconds: float,
    receipts: Path | None,
    max_message_bytes: int,
    once: bool,
) -> None:
    if not (mllp or drop or inbox or deliver):
        raise Refusal(
            "nothing to do",
            remedy="写明 --mllp、--drop、--inbox 或 --deliver / say --mllp, --drop, --inbox or --deliver",
        )
    if mllp and not receipts:
        raise Refusal("receipts of MLLP messages need a folder", remedy="写明 --receipts 目录 / say --receipts DIR")
    who = Profile.load(profile, office)
    address, tls = _address("--mllp", mllp), listener_tls(tls_cert, tls_key, tls_ca) if mllp else None
    target = _address("--deliver", deliver)
    sender_context = sender_tls(deliver_ca, tls_cert, tls_key)
    clock = SystemClock()
    outlet = Outlet(sys.stderr.fileno())
    lines = EventLog(outlet, clock)
    take_over_logging(lines)

    def tell(event: str, **fields: Any) -> None:
        lines.write(event, **{name: " ".join(v) if isinstance(v, list) else v for name, v in fields.items()})

    locks = []
    for folder in filter(None, (drop, inbox, receipts)):
        locks.append(_own(folder))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.callback(outlet.close)
        client = await stack.enter_async_context(AgencyClient(who))
        push = Forward(client)
        dropped = None
        if drop is not None:
            settings = DropSettings(
                lambda name, body: media_type_of(Path(name), body, media_type),
                settle_seconds,
                requires_signature=require_signature,
            )
            dropped = FileDrop(drop, push, _verifier(who), problem_document, time.monotonic, tell, settings)
        shelf = InboxFolder(inbox, SUFFIXES) if inbox is not None else None
        hand_on = None
        if target is not None:
            system = MllpSender(*target, sender_context, SenderLimits(answer_seconds=answer_seconds))
            stack.callback(system.close)
            wanted = accept or f"{HL7}+er7; version={hl7_version}"
            hand_on = HandOn(client, system, shelf, wanted, tell)
        if once:
            if dropped is not None:
                await dropped.look()
                if settle_seconds and not require_signature:
                    await asyncio.sleep(settle_seconds)
                    await dropped.look()
            while hand_on is not None and await hand_on.once():
                pass
            while shelf is not None and hand_on is None and await fetch_once(client, shelf, accept, tell):
                pass
            return
        listener = None
        if address is not None and receipts is not None:
            listener = MllpListener(
                push, _keeper(receipts), clock.now, tell, ListenerLimits(max_message_bytes=max_message_bytes)
            )
            try:
                bound = await listener.start(*address, tls)
            except OSError as broken:
                raise Refusal(
                    f"nobody can listen there: {errno.errorcode.get(broken.errno or 0, 'unknown')}",
                    remedy="换一个地址或端口，或停掉占用它的程序 / name another address, or stop what holds it",
                ) from broken
            tell("mllp_listening", port=bound)
        tell("agent_started", office=str(who.office))
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(follow_drop(dropped, max(settle_seconds, 0.2), tell))] if dropped else []
                if hand_on is not None:
                    running.append(tasks.create_task(hand_on.follow()))
                elif shelf is not None:
                    running.append(tasks.create_task(follow_inbox(client, shelf, accept, tell)))
                await stop.wait()
                for task in running:
                    task.cancel()
        finally:
            if listener is not None:
                await listener.stop()
            for lock in locks:
                lock.release()
        tell("agent_stopped")


def _address(option: str, given: str | None) -> tuple[str, int] | None:
    if given is None:
        return None
    host, _, port = given.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise Refusal(f"{option} is no address", remedy="写成 127.0.0.1:2575 / write it as 127.0.0.1:2575")
    return host or "127.0.0.1", int(port)


def _own(folder: Path) -> OwnerLock:
    """Make the folder, and be the only agent that works in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return OwnerLock(folder)
    except Unavailable as taken:
        raise Unavailable(
            "another agent works in this folder",
            remedy="停掉那个代理，或另用目录 / stop that agent, or name another folder",
        ) from taken
    except OSError as broken:
        raise Refusal(
            f"the folder cannot be made or written: {errno.errorcode.get(broken.errno or 0, 'unknown')}",
            remedy="核对路径、权限和剩余空间 / check its path, permissions and room",
        ) from broken


def _verifier(who: Profile) -> Any:
    verifier = DetachedVerifier()
    public = who.key.public()

    def verify(signature: str, body: bytes) -> str:
        signed = verifier.verify(signature, body, lambda kid: public if kid == who.key.kid else None)
        return str(signed.header.get("cty", ""))

    return verify


def _keeper(folder: Path) -> Any:
    def keep(digest: str, pushed: Pushed) -> None:
        if pushed.is_accepted:
            write_durably(folder / f"{digest}.receipt.json", pushed.document)

    return keep
