"""What does the management plugin tell of queues, and how is a live connection of an office closed?

Permissions are asked when a channel first uses them, so that a suspension bites on open connections only when they end.
What the plugin counts is some seconds old: queues and channels tell it every five.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from gateway.engines.rabbitmq.address import Address
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import reader_of

_TIMEOUT = aiohttp.ClientTimeout(total=10)
SUSPENDED, STRANDED, MADE_ANEW = "suspended", "messages checked out to nobody", "a queue was made anew"


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """What a queue counts as handed over and not acknowledged, what the channels of its readers hold in all, and how many
    were acknowledged since it was made."""

    out: int
    held: int
    acknowledged: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """On which brokers a quorum queue has a member, and on which that member is not running."""

    members: tuple[str, ...]
    missing: tuple[str, ...]


class Management:
    """The management API of any node of the cluster; `urls` are tried in turn. All verbs raise Unavailable."""

    def __init__(self, urls: Sequence[str], address: Address) -> None:
        self._urls, self._address = tuple(url.rstrip("/") for url in urls), address
        self._vhost = quote(address.vhost, safe="")

    @property
    def is_set(self) -> bool:
        return bool(self._urls)

    async def disconnect(self, office: OfficeId, why: str = SUSPENDED) -> int:
        """Close every connection of the office; returns how many there were."""
        path = f"/api/connections/username/{quote(office, safe='')}"
        open_ones, _ = await self._ask([("GET", path), ("DELETE", path)], {"X-Reason": why})
        return len(open_ones)

    async def checked_out(self, names: Collection[str]) -> Mapping[str, CheckedOut]:
        """Those of the queues that count something as handed over. Of an office's own queues everything counts as held
        that any channel of the office holds: it may take messages one by one, without being told as their reader."""
        columns = "name,messages_unacknowledged,message_stats.ack"
        (queues,) = await self._ask([("GET", f"/api/queues/{self._vhost}?columns={columns}")])
        out = {one["name"]: one for one in queues if one["name"] in names and one.get("messages_unacknowledged")}
        if not out:
            return {}
        readers, channels = await self._ask(
            [
                ("GET", f"/api/consumers/{self._vhost}?columns=queue.name,channel_details.name"),
                ("GET", f"/api/vhosts/{self._vhost}/channels?columns=name,user,messages_unacknowledged"),
            ]
        )
        of_queue, of_user = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        for one in readers:
            if channel := one.get("channel_details"):  # an empty list, where the reader is gone
                of_queue[one["queue"]["name"]].add(channel["name"])
        held = {one["name"]: one.get("messages_unacknowledged", 0) for one in channels if "name" in one}
        for one in channels:
            of_user[one.get("user", "")].add(one.get("name", ""))
        return {
            name: CheckedOut(
                one["messages_unacknowledged"],
                sum(held.get(channel, 0) for channel in of_queue[name] | of_user[reader_of(name) or "-"]),
                (one.get("message_stats") or {}).get("ack", 0),  # an empty list, where nothing was counted
            )
            for name, one in out.items()
        }

    async def placed(self) -> Mapping[str, Placed]:
        """The quorum queues, and where they are."""
        (queues,) = await self._ask([("GET", f"/api/queues/{self._vhost}?columns=name,members,online")])
        return {
            one["name"]: Placed(tuple(one["members"]), tuple(sorted({*one["members"]} - {*one.get("online", ())})))
            for one in queues
            if "members" in one
        }

    async def _ask(self, steps: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None) -> list[Any]:
        """Every step's answer, all from one node."""
        if not self._urls:
            raise Unavailable("no management address is set", remedy="set rabbitmq.management")
        login = {"Authorization": aiohttp.encode_basic_auth(self._address.user, self._address.password)}
        trust, answers = self._address.tls or True, []
        for url in self._urls:
            try:
                async with aiohttp.ClientSession(headers={**login, **(headers or {})}, timeout=_TIMEOUT) as session:
                    for method, path in steps:
                        async with session.request(method, url + path, ssl=trust) as answer:
                            answer.raise_for_status()
                            answers.append(await answer.json() if method == "GET" else None)
                return answers
            except (aiohttp.ClientError, OSError, TimeoutError):
                answers.clear()
        raise Unavailable("the management plugin of RabbitMQ does not answer", remedy="see rabbitmq.management")
