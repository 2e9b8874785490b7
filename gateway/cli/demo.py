"""hutong demo: eight simulated agency systems exchange scenario S1 over real HTTP; who saw what, and why."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import click

from gateway.assembly import Gateway, create, running
from gateway.audit.opening import read_opening
from gateway.cli.frame import EXIT_NO, json_option, show, speaks, table
from gateway.client.agency import AgencyClient, Profile
from gateway.config import ServerSettings, Settings
from gateway.crypto.signing import new_signing_key
from gateway.model.agency import Office
from gateway.model.identifiers import parse_office_id
from gateway.ports.log_storage import LogQuery
from gateway.services.verify_log import verify_log
from gateway.simulation.agency_system import AgencySystem
from gateway.simulation.demo import Outcome, document, judge, play
from gateway.simulation.pilot_area import AROUND, EIGHT, EVERY_OBLIGATION, SimulatedOffice
from gateway.simulation.scenario_s1 import Step

FORMS = {
    "clear": "原文 clear",
    "mask": "掩码 masked",
    "generalise": "概化 generalised",
    "pseudonym": "化名 pseudonym",
    "presence": "仅知存在 presence",
    "relay": "转接 relay",
    "summary": "摘要 summary",
}


@click.command(help="演示 · eight agencies exchange scenario S1 against an embedded gateway")
@click.option("--once", is_flag=True, help="演示后退出 exit when done; not 0 if any promise fails")
@json_option
@speaks
async def demo(once: bool, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="hutong-demo-") as folder:
        settings = Settings(
            name="demo.hutong.example",
            directory=Path(folder) / "data",
            key_directory=Path(folder) / "keys",
            server=ServerSettings(port=0),
        )
        await create(settings, by="demo")
        node_log = Path(folder) / "node.jsonl"  # apart from the story that is told here
        with node_log.open("wb") as lines:
            async with running(settings, log_stream=lines) as gateway:
                outcome = await _exchange(gateway, quiet=as_json)
                if as_json:
                    show(document(outcome))
                else:
                    _print(outcome, gateway.url)
                if not once:
                    click.echo(f"\n网关继续运行 the gateway goes on running: {gateway.url}/docs  (Ctrl-C)")
                    click.echo(f"节点自己的日志 the node's own log: {node_log}")
                    await asyncio.Event().wait()
    if outcome.failures:
        raise SystemExit(EXIT_NO)


async def _exchange(gateway: Gateway, *, quiet: bool) -> Outcome:
    async with _systems(gateway) as systems:

        def tell(step: Step, receipt: Mapping[str, Any]) -> None:
            if not quiet:
                click.echo(f"{step.clock:>10}  {step.office:<26} {step.type:<6} {step.zh}  ✓ {receipt['notice']}")

        await play(systems, tell, datetime.now(UTC))
        outcome = Outcome(systems)

        async def search(event: str) -> Sequence[Mapping[str, Any]]:
            found = await gateway.engines.store.log.search(LogQuery(event=event), None, 1000)
            return [{"envelope": dict(read_opening(record.opening).fields)} for record in found]

        async def verify() -> tuple[bool, int, str]:
            verified = await verify_log(gateway.engines.store.log)
            return verified.is_verified, verified.size, verified.root.hex()

        await judge(outcome, search, verify)
        return outcome


@asynccontextmanager
async def _systems(gateway: Gateway) -> AsyncIterator[dict[str, AgencySystem]]:
    """Enrol every office with a key of its own, and start the eight systems."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        systems: dict[str, AgencySystem] = {}
        for simulated in (*EIGHT, *AROUND):
            key = new_signing_key()
            office = await gateway.services.enrol.add(_office(gateway, simulated, key.public().jwk()), by="demo")
            client = AgencyClient(Profile(office.id, gateway.url, key), officer="demo-duty", session=session)
            adapter = gateway.documents.adapters[simulated.adapter]
            if simulated in EIGHT:
                systems[office.id] = AgencySystem(office, await stack.enter_async_context(client), adapter)
        yield systems


def _office(gateway: Gateway, simulated: SimulatedOffice, jwk: Mapping[str, Any]) -> Office:
    return Office(
        id=parse_office_id(simulated.id),
        name_zh=simulated.name_zh,
        name_en=simulated.name_en,
        adapter=simulated.adapter,
        media_type=gateway.documents.adapters[simulated.adapter].media_types[0],
        keys=(gateway.services.enrol.key(jwk),),
        accepts_obligations=frozenset(EVERY_OBLIGATION),
        agreements=frozenset({"会签〔2026〕1号"}),
        attributes=simulated.attributes,
    )


def _print(outcome: Outcome, url: str) -> None:
    click.echo("\n谁看到了什么 Who saw what (from the exchange log)\n")
    for one in outcome.disclosures:
        forms: dict[str, list[str]] = {}
        for name, form in one.forms.items():
            if not name.startswith("notice."):
                forms.setdefault(form, []).append(name)
        click.echo(f"{one.office:<26} {one.type}")
        for form, names in sorted(forms.items()):
            click.echo(f"    {FORMS.get(form, form):<22} {' '.join(names)}")
        click.echo(f"    {'依据 because':<20} {' '.join(one.rules)}")
    click.echo("")
    table(
        [
            {
                "office": office,
                "name": system.office.name_zh,
                "sent": len(system.sent),
                "received": len(system.received),
                "format": ", ".join(sorted({item.content_type for item in system.received})),
            }
            for office, system in outcome.systems.items()
        ],
        {
            "office": "单位 office",
            "name": "名称 name",
            "sent": "发 sent",
            "received": "收 received",
            "format": "格式 format",
        },
    )
    state = "日志完整 log verified" if outcome.is_log_verified else "日志不完整 log NOT verified"
    click.echo(f"\n{state}: {outcome.log_size} leaves, root {outcome.log_root}")
    for failure in outcome.failures:
        click.echo(f"✗ {failure}", err=True)
