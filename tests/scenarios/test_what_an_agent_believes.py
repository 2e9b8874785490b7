"""An agent forwards to a real gateway: what counts as accepted, and what only looks like an answer of the gateway."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import ClientSession, web

from gateway.client.agency import AgencyClient
from gateway.client.forward import Forward
from gateway.model.errors import Tampered, Unavailable
from tests.support.town import town

SCHOOLS = "education.440113"
HEAD = "学校标识码,姓名,性别,出生日期,身份证件类型,身份证件号,事件类型,事件日期,情形代码,事件简述\n"
ROW = "3144010001,李小测,男,20150301,居民身份证,{},强制报告,20260301,M4,{}\n"


def register(*words: str, number: str = "999999201503010016") -> bytes:
    return (HEAD + "".join(ROW.format(number, word) for word in words)).encode("utf-8-sig")


class Between:
    """Stands between an agent and the gateway, passes everything on, and changes what it is told to."""

    def __init__(self, gateway: str) -> None:
        self._gateway, self.answer, self.last = gateway, None, None

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/v1/notices" and self.answer is not None:
            return self.answer()
        async with (
            ClientSession() as session,
            session.request(
                request.method, self._gateway + request.path_qs, data=await request.read(),
                headers={name: value for name, value in request.headers.items() if name != "Host"},
            ) as response,
        ):  # fmt: skip
            raw, headers = await response.read(), dict(response.headers)
        kept = {name: value for name, value in headers.items() if name in ("Content-Type", "Hutong-Batch-Receipt")}

        def made() -> web.Response:
            return web.Response(status=response.status, body=raw, headers=kept)

        if request.path == "/v1/notices":
            self.last = made
        return made()


@asynccontextmanager
async def between(gateway: str):
    middle, app = Between(gateway), web.Application()
    app.router.add_route("*", "/{path:.*}", middle.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield middle, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_file_of_several_notices_is_accepted_only_by_the_answer_to_these_bytes(tmp_path):
    async with town(tmp_path) as whole, between(whole.gateway.url) as (middle, url):
        direct = whole.clients[SCHOOLS]
        async with AgencyClient(replace(direct.profile, url=url)) as client:
            client.token = direct.token  # a token is for the gateway's own address
            push = Forward(client)
            first = await push(register("一", "二"), "text/csv")
            again = await push(register("一", "二"), "text/csv")
            assert (first.is_accepted, len(first.notices)) == (True, 2)
            assert again.notices == first.notices

            partly = await push(register("三") + ROW.format("", "x").replace("强制报告", "撤回").encode(), "text/csv")
            assert (len(partly.notices), partly.is_accepted) == (1, False)

            middle.answer = middle.last  # a true answer of the gateway to this office, to other bytes
            with pytest.raises(Tampered):
                await push(register("四", "五"), "text/csv")
            middle.answer = lambda: web.Response(body=b"[]", content_type="application/json")
            with pytest.raises(Tampered):
                await push(register("四", "五"), "text/csv")
            for status in (200, 404, 413, 502):  # a proxy's page says nothing about the notice
                middle.answer = lambda status=status: web.Response(status=status, text="<html>")
                with pytest.raises(Unavailable):
                    await push(register("四", "五"), "text/csv")
            middle.answer = None
            assert len((await push(register("四", "五"), "text/csv")).notices) == 2
