"""The RabbitMQ nodes of this test run, and a broker as a test needs it.

`HUTONG_TEST_AMQP` (and `HUTONG_TEST_AMQP_MANAGEMENT`) name a broker that runs already; tests that break brokers start
their own all the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from gateway.bench.rabbitmq import IS_INSTALLED, Broker, Cluster
from gateway.config import RabbitSettings

__all__ = ["IS_INSTALLED", "Broker", "Cluster", "Running"]


@dataclass(frozen=True)
class Running:
    """A broker as a test needs it. `gateway_port` is where it asks who may do what, 0 where it asks nobody of ours."""

    host: str
    port: int
    management: str  # http://host:port
    user: str
    password: str
    gateway_port: int = 0
    broker: Broker | None = None  # None: it runs already, and is nobody's to break

    @classmethod
    def of(cls, broker: Broker) -> Running:
        cluster = broker.cluster
        management = f"http://127.0.0.1:{broker.management}"
        return cls("127.0.0.1", broker.port, management, "hutong", cluster.password, cluster.gateway_port, broker)

    @classmethod
    def named(cls, url: str, management: str) -> Running:
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        return cls(host, parts.port or 5672, management or f"http://{host}:15672",
                   unquote(parts.username or "guest"), unquote(parts.password or "guest"))  # fmt: skip

    def url(self, vhost: str, *, secret: bool = False) -> str:
        login = f"{self.user}:{self.password}" if secret else self.user
        return f"amqp://{login}@{self.host}:{self.port}/{quote(vhost, safe='')}"

    async def ask(self, method: str, path: str, document: object = None) -> object:
        """The management API, as an administrator."""
        login = {"Authorization": aiohttp.encode_basic_auth(self.user, self.password)}
        async with (
            aiohttp.ClientSession(headers=login, raise_for_status=True) as session,
            session.request(method, f"{self.management}/api/{path}", json=document) as answer,
        ):
            return await answer.json() if answer.status == 200 else None

    async def make_vhost(self, name: str) -> str:
        """A world of its own for one test."""
        await self.ask("PUT", f"vhosts/{name}", {})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await self.ask("PUT", f"permissions/{name}/{self.user}", everything)
        return name

    def settings(self, vhost: str, **others: object) -> RabbitSettings:
        """What a gateway of this test needs to find the broker."""
        return RabbitSettings(
            addresses=(self.url(vhost),), password=self.password, management=(self.management,), **others  # type: ignore[arg-type]
        )  # fmt: skip

    async def end_queues(self, vhost: str) -> None:
        """End the process of every quorum queue there: what a full disk does to them (seen with 3.10)."""
        assert self.broker is not None
        queues = f'rabbit_amqqueue:list(<<"{vhost}">>)'
        ended = f"[ra:stop_server(quorum_queues, amqqueue:get_pid(Q)) || Q <- {queues}, amqqueue:is_quorum(Q)]."
        await asyncio.to_thread(self.broker.evaluate, ended)

    async def forget_queue(self, vhost: str, queue: str) -> None:
        """What becomes of a quorum queue that one connection deletes while another declares it (seen with 3.10, one time in
        150): its record is gone, its process runs on, and nobody can declare it."""
        assert self.broker is not None
        name = f'rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)'
        await asyncio.to_thread(self.broker.evaluate, f'rabbit_amqqueue:internal_delete({name}, <<"test">>).')

    async def end_forgotten_queue(self, vhost: str, queue: str) -> None:
        """As a restart of the broker does."""
        assert self.broker is not None
        server = f'{{list_to_atom("{vhost}_{queue}"), node()}}'
        await asyncio.to_thread(self.broker.evaluate, f"ra:force_delete_server(quorum_queues, {server}).")

    def count_often(self, seconds: float) -> None:
        """Queues and channels made from now on tell the management plugin so often what they count (else every five)."""
        assert self.broker is not None
        setting = ", ".join(
            f"application:set_env(rabbit, {name}, {int(seconds * 1000)})"
            for name in ("collect_statistics_interval", "quorum_tick_interval")
        )
        self.broker.evaluate(f"{setting}.")

    async def strand(self, vhost: str, *queues: str, reader_is_gone: bool) -> None:
        """From now on the queues hand over to a reader who gets nothing: to one that goes with the channel that reads them,
        as where their member at that channel's broker does not run; or to one that is gone, and nobody told the queue."""
        assert self.broker is not None
        until = "never" if reader_is_gone else "{'DOWN', _, _, _, _}"
        names = ", ".join(f'<<"{queue}">>' for queue in queues)
        await asyncio.to_thread(
            self.broker.evaluate,
            f"""[begin
              {{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, Name)),
              Server = amqqueue:get_pid(Q),
              Say = fun(Who, What) -> ra:process_command(Server, rabbit_fifo:make_checkout(Who, What,
                #{{ack => true, prefetch => 20, args => [], username => <<>>}})) end,
              {{ok, {{_, Readers}}, _}} = ra:local_query(Server, fun rabbit_fifo:query_consumers/1),
              [Say(One, cancel) || One <- maps:keys(Readers)],
              [{{_, Channel}} | _] = maps:keys(Readers) ++ [{{none, self()}}],
              Lost = spawn(fun() -> monitor(process, Channel), receive {until} -> ok end end),
              Say({{<<"lost">>, Lost}}, {{auto, 20, simple_prefetch}})
            end || Name <- [{names}]].""",
        )

    async def drop_vhost(self, name: str) -> None:
        await self.ask("DELETE", f"vhosts/{name}")
