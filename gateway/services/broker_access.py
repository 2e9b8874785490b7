"""Who may do what at the message broker?

The broker asks (rabbitmq_auth_backend_http) and keeps nothing: an office signs in with its id and an access token, may
publish to the submit exchange under its own name, and read its own two queues. Everything else is denied, also to
whoever is not in the directory, is compromised, or has no queues. The gateway's own account is the broker's (its
internal backend), never asked about here.
"""

from __future__ import annotations

from gateway.model.agency import Office, OfficeState
from gateway.model.errors import Unauthenticated
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import SUBMIT_EXCHANGE, inbox_queue, receipts_queue, submit_queue
from gateway.services.authenticate import Authenticate, OfficeDirectory

EXCHANGE, QUEUE = "exchange", "queue"
WRITE, READ = "write", "read"


class BrokerAccess:
    """Pure answers over the directory as it is now. `vhosts` are those the gateway itself uses."""

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        directories: OfficeDirectory,
        vhosts: frozenset[str],
    ) -> None:
        self._authenticate, self._directories, self._vhosts = authenticate, directories, vhosts

    def user(self, name: str, password: str) -> bool:
        """A suspended office may sign in: it still reports, and still gets safety floors."""
        if self._office(name) is None:
            return False
        try:
            return self._authenticate.caller_of(password).office.id == name
        except Unauthenticated:
            return False

    def vhost(self, name: str, vhost: str) -> bool:
        return vhost in self._vhosts and self._office(name) is not None

    def resource(self, name: str, vhost: str, kind: str, resource: str, permission: str) -> bool:
        office = self._office(name)
        if office is None or vhost not in self._vhosts:
            return False
        if kind == EXCHANGE:
            return resource == SUBMIT_EXCHANGE and permission == WRITE
        return kind == QUEUE and permission == READ and resource in (inbox_queue(office.id), receipts_queue(office.id))

    def topic(self, name: str, vhost: str, exchange: str, permission: str, key: str) -> bool:
        office = self._office(name)
        if office is None or vhost not in self._vhosts or permission != WRITE:
            return False
        return exchange == SUBMIT_EXCHANGE and key == submit_queue(office.id)

    def _office(self, name: str) -> Office | None:
        office = self._directories.current.offices.get(OfficeId(name))
        if office is None or office.queue is None or office.state is OfficeState.COMPROMISED:
            return None
        return office
