"""How does an office join, change its keys, get suspended and come back?

Every change is one transaction with its log record and a new directory epoch, so
whatever was prepared under the older directory is prepared again. A suspension is
answered only after the ticket's longest life: from then on nothing leaves that was
decided before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates

from gateway.config import Settings
from gateway.crypto.jwe import encryption_key
from gateway.crypto.signing import thumbprint, verify_key
from gateway.model.agency import Caller, Office, OfficeKey, OfficeState, QueueUse, Webhook
from gateway.model.audit import EventName, LogValue
from gateway.model.errors import InvalidDocument, NotFound, NotPermitted, Problem
from gateway.model.identifiers import OfficeId
from gateway.policy.vocabulary import Vocabulary
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import DirectoryStorage
from gateway.ports.translation import Adapter
from gateway.services.cases import GATEWAY_AGENCY
from gateway.services.directory import Directories
from gateway.services.directory_seal import DirectorySeal, digest
from gateway.services.release_held import ReleaseHeld
from gateway.services.tell import Teller

MAX_URL_CHARS = 2048

_STATE_EVENTS = {
    OfficeState.ACTIVE: EventName.OFFICE_RESUMED,
    OfficeState.SUSPENDED: EventName.OFFICE_SUSPENDED,
    OfficeState.COMPROMISED: EventName.OFFICE_COMPROMISED,
}

_DECIDES_NOTHING = frozenset(
    {"name_zh", "name_en", "queue", "keys"}
)  # of a queue, what waited in the old one is taken back


class Enrol:
    def __init__(
        self,
        *,
        settings: Settings,
        storage: DirectoryStorage,
        directories: Directories,
        seal: DirectorySeal,
        adapters: Mapping[str, Adapter],
        release_held: ReleaseHeld,
        teller: Teller,
        clock: Clock,
        pause: Callable[[timedelta], Awaitable[None]],
        cut_off: Callable[[OfficeId, str], Awaitable[None]],
        take_back: Callable[[OfficeId, str], Awaitable[None]],
        vocabulary: Callable[[], Vocabulary],
    ) -> None:
        self._cut_off, self._take_back, self._vocabulary = cut_off, take_back, vocabulary
        self._settings, self._storage, self._directories, self._seal = settings, storage, directories, seal
        self._adapters, self._release_held = adapters, release_held
        self._teller, self._clock, self._pause = teller, clock, pause

    async def add(self, office: Office, *, by: str) -> Office:
        """Enrol an office. Raises InvalidDocument with every problem found, also for one that is enrolled already: `change`
        changes its entry, so that no second enrolment drops its keys or what it accepted. One whose entry is doubted is enrolled anew."""
        await self._directories.refresh()  # another node may have changed it since
        problems = [*self._problems(office), *self._unknown_words(office, None)]
        if office.id in self._directories.current.offices and not self.is_doubted(office.id):
            problems.append(
                Problem("already-enrolled", "/id", "this office is enrolled already",
                        "change its entry: `hutong office change`; give it a new key: `hutong office rotate-key`")
            )  # fmt: skip
        about = {"adapter": office.adapter.replace("_", "-")}
        return await self._enter(office, problems, EventName.OFFICE_ADDED, about, by)

    async def change(self, office_id: OfficeId, changes: Mapping[str, Any], *, by: str) -> Office:
        """Change these fields of an office's entry; everything else of it stays. Returns when nothing that was decided before
        the change, and might be decided otherwise now, can leave any more or waits unread in the office's queue. Raises
        InvalidDocument with every problem found, NotFound."""
        await self._directories.refresh()
        known = self._vouched(office_id)
        office = dataclasses.replace(known, **changes)
        problems = [*self._problems(office), *self._unknown_words(office, known)]
        if not problems and known.queue is not office.queue:
            await self._cut_off(office.id, "office-changed")
        told = tuple(sorted(name.replace("_", "-") for name in changes))
        stored = await self._enter(office, problems, EventName.OFFICE_CHANGED, {"changed": told}, by)
        if changes.keys() - _DECIDES_NOTHING or _encrypting(known) != _encrypting(office):
            await self._pause(timedelta(seconds=self._settings.delivery.ticket_seconds))
            await self._take_back(office_id, "office-changed")
        return stored

    async def _enter(
        self, office: Office, problems: list[Problem], name: EventName, about: Mapping[str, LogValue | None], by: str
    ) -> Office:
        if problems:
            raise InvalidDocument("the office's entry does not hold", problems=tuple(problems))
        stored = await self._put(office, name, about, by)
        await self._release_held.for_office(office.id)
        return stored

    async def vouch(self, office_id: OfficeId, *, by: str) -> Office:
        """Take a doubted entry as it stands in the database: after a backup from before there were seals was put back, or where a
        node of an older release wrote it. Raises NotFound for an office whose entry is not in doubt."""
        await self._directories.refresh()
        stored = {one.id: one for one in await self._storage.offices()}
        if not self.is_doubted(office_id):
            raise NotFound("the entry of no such office is in doubt", remedy="see `hutong doctor`")
        return await self._put(stored[office_id], EventName.OFFICE_CHANGED, {"changed": ("seal",)}, by)

    async def known_everywhere(self) -> None:
        """Wait until every node of a cluster knows what was changed before: an office that was told that it is enrolled may
        be answered by any of them."""
        if self._settings.is_clustered:
            await self._pause(timedelta(seconds=self._settings.delivery.ticket_seconds))

    async def set_state(self, office_id: OfficeId, state: OfficeState, *, reason: str, by: str) -> Office:
        """Suspend, resume or mark as compromised.

        Returns when nothing decided before the change can leave any more: two seconds after its commit. What waits
        unread in the office's queue is taken back, its live connections at the message broker are closed. The keys of one
        that is compromised end for good, and whom it said to call is forgotten: resumed, it begins with a new key.
        """
        await self._directories.refresh()
        office = dataclasses.replace(self._vouched(office_id), state=state)
        if state is OfficeState.COMPROMISED:
            office = dataclasses.replace(office, webhook=None, keys=_ended(office.keys, self._clock.now()))
        stored = await self._put(office, _STATE_EVENTS[state], {"reason": reason}, by)
        if state is not OfficeState.ACTIVE:
            await self._pause(timedelta(seconds=self._settings.delivery.ticket_seconds))
            await self._cut_off(office_id, "office-suspended")
        return stored

    async def rotate_key(self, office_id: OfficeId, jwk: Mapping[str, Any], *, overlap: timedelta, by: str) -> Office:
        """Add a signing key; the older ones go on verifying until the overlap is over."""
        await self._directories.refresh()
        office, now = self._vouched(office_id), self._clock.now()
        kept = tuple(
            dataclasses.replace(key, not_after=min(key.not_after or now + overlap, now + overlap))
            if key.use == "sig"
            else key
            for key in office.keys
        )
        new = self.key(jwk)
        changed = dataclasses.replace(office, keys=(*(key for key in kept if key.kid != new.kid), new))
        problems = self._problems(changed)
        if problems:
            raise InvalidDocument("the key does not hold", problems=tuple(problems))
        return await self._put(changed, EventName.OFFICE_CHANGED, {"changed": ("keys",)}, by)

    async def set_webhook(self, caller: Caller, webhook: Webhook | None) -> Office:
        """Let an office say where it wants to be called, or that it does not any more. Raises InvalidDocument.

        Returns when nothing decided before the change can leave for the old address any more.
        """
        await self._directories.refresh()
        changed = dataclasses.replace(self._vouched(caller.office.id), webhook=webhook)
        problems = self._problems(changed)
        if problems:
            raise InvalidDocument("the webhook does not hold", problems=tuple(problems))
        stored = await self._put(
            changed, EventName.OFFICE_CHANGED, {"changed": ("webhook",)}, caller.officer, actor=caller.office.id
        )
        await self._pause(timedelta(seconds=self._settings.delivery.ticket_seconds))
        return stored

    def key(self, jwk: Mapping[str, Any], use: str = "sig") -> OfficeKey:
        """A key valid from now on, named by its `kid` or its thumbprint. Raises InvalidDocument for what is not a public key."""
        try:
            kid = str(jwk.get("kid") or thumbprint(jwk))
            if use == "enc":
                encryption_key(jwk)
            else:
                verify_key({**jwk, "kid": kid})
        except (ValueError, KeyError, TypeError) as broken:
            wanted = "P-256" if use == "enc" else "Ed25519 or P-256"
            raise InvalidDocument(
                f"the key is not a public {wanted} JWK", remedy="send the public JWK alone (RFC 7517)"
            ) from broken
        return OfficeKey(kid, {**jwk, "kid": kid}, use, self._clock.now())

    def media_type(self, adapter: str) -> str:
        """What an office with this adapter receives when it asks for nothing: the adapter's first media type."""
        known = self._adapters.get(adapter)
        return "" if known is None else known.media_types[0]

    def office(self, office_id: OfficeId) -> Office:
        found = self._directories.current.offices.get(office_id)
        if found is None:
            raise NotFound("no such office", remedy="see `hutong office list`")
        return found

    def is_doubted(self, office_id: OfficeId) -> bool:
        return office_id in self._directories.current.doubted

    def _vouched(self, office_id: OfficeId) -> Office:
        """An office whose entry may be changed. Raises NotFound, NotPermitted for one whose entry is doubted."""
        if self.is_doubted(office_id):
            raise NotPermitted(
                "the entry of this office was changed in the database, not by this gateway",
                remedy="let a person look, then enrol it anew with the key from the office itself: hutong office add",
            )
        return self.office(office_id)

    def offices(self) -> Sequence[Office]:
        return sorted(self._directories.current.offices.values(), key=lambda office: office.id)

    async def _put(
        self, office: Office, name: EventName, about: Mapping[str, LogValue | None], by: str, *, actor: str = "staff"
    ) -> Office:
        now = self._clock.now()
        told = {"office": office.id, "entry": digest(office), **about}
        record = self._teller.event(name, now, told, actor=actor, officer=by)
        await self._storage.put_office(self._seal.sealed(office), now, (record,))
        snapshot = await self._directories.refresh()
        return snapshot.offices[office.id]

    def _problems(self, office: Office) -> list[Problem]:
        problems = []
        if office.adapter not in self._adapters:
            problems.append(
                Problem("unknown-adapter", "/adapter", "there is no such adapter", "see `hutong adapter list`")
            )
        if office.agency == GATEWAY_AGENCY:
            problems.append(Problem("reserved-agency", "/id", "this name is the gateway's own", "name the agency"))
        if not office.name_zh.strip():
            problems.append(Problem("missing-name", "/name_zh", "an office has a Chinese name", "give its full name"))
        if not any(key.use == "sig" for key in office.keys):
            problems.append(Problem("no-key", "/keys", "an office has a signing key of its own", "add its public JWK"))
        taken = {
            key.kid
            for other in self._directories.current.offices.values()
            if other.id != office.id
            for key in other.keys
        }
        if any(key.kid in taken for key in office.keys):
            problems.append(
                Problem("shared-key", "/keys", "another office has this key", "every office has keys of its own")
            )
        if office.queue is not None and not self._settings.rabbitmq.addresses:
            problems.append(
                Problem("no-broker", "/queue", "this gateway has no message broker", "set rabbitmq.addresses first")
            )
        if office.queue is QueueUse.RELEASES and not any(key.use == "enc" for key in office.keys):
            problems.append(
                Problem("no-encryption-key", "/keys", "releases in a queue are encrypted to the office's own key",
                        "add its public P-256 JWK with `use` enc")
            )  # fmt: skip
        if office.webhook is not None and not self._may_call(office.webhook.url):
            problems.append(
                Problem("insecure-webhook", "/webhook/url", "a webhook is https, to another machine",
                        "use https, without user, password or fragment")
            )  # fmt: skip
        if office.webhook is not None and office.webhook.trust_pem and not _is_certificate(office.webhook.trust_pem):
            problems.append(
                Problem("bad-certificate", "/webhook/trust_pem", "no PEM certificate", "pin a PEM certificate")
            )
        return problems

    def _unknown_words(self, office: Office, known: Office | None) -> list[Problem]:
        """What the policy in force has no word for: such an agency would be shown nothing, such a promise count for nothing.
        What an entry has already is left alone, so that a change of policy keeps no office from being changed."""
        vocabulary, problems = self._vocabulary(), []
        if known is None and office.agency not in vocabulary.agencies:
            agencies = ", ".join(vocabulary.agencies)
            problems.append(Problem("unknown-agency", "/id", "the policy knows no such agency", f"one of: {agencies}"))
        before = frozenset() if known is None else known.accepts_obligations
        if office.accepts_obligations - before - vocabulary.obligations.keys():
            names = ", ".join(vocabulary.obligations)
            problems.append(
                Problem("unknown-obligation", "/accepts_obligations", "the policy knows no such obligation", f"one of: {names}")
            )  # fmt: skip
        return problems

    def _may_call(self, text: str) -> bool:
        """https to anywhere but this machine and its own link; where the settings say so, http to this machine."""
        try:
            url = urlsplit(text)
            host, _ = url.hostname or "", url.port
            host.encode("idna")
        except ValueError:  # also for what no resolver takes as the name of a host: an empty or endless part
            return False
        if not host or url.username or url.password or url.fragment or len(text) > MAX_URL_CHARS:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return url.scheme == "https" and host != "localhost" and not host.endswith(".localhost")
        if url.scheme == "http":
            return address.is_loopback and self._settings.delivery.webhook_plain_loopback
        is_own = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
        return url.scheme == "https" and not is_own


def _encrypting(office: Office) -> list[OfficeKey]:
    """The keys that releases in the office's queue are encrypted to: what waits under one that was replaced is taken back."""
    return [key for key in office.keys if key.use == "enc"]


def _ended(keys: Iterable[OfficeKey], now: datetime) -> tuple[OfficeKey, ...]:
    return tuple(dataclasses.replace(key, not_after=min(key.not_after or now, now)) for key in keys)


def _is_certificate(pem: str) -> bool:
    try:
        return bool(load_pem_x509_certificates(pem.encode("ascii")))
    except ValueError:
        return False


def office_document(office: Office) -> dict[str, Any]:
    """An office as plain JSON: what the command line and the admin API show and take."""
    document: dict[str, Any] = {
        "id": office.id,
        "name_zh": office.name_zh,
        "name_en": office.name_en,
        "state": office.state.value,
        "adapter": office.adapter,
        "media_type": office.media_type,
        "scope": list(office.scope),
        "keys": [
            {
                "kid": key.kid,
                "use": key.use,
                "jwk": dict(key.jwk),
                "not_before": key.not_before.isoformat(),
                **({"not_after": key.not_after.isoformat()} if key.not_after else {}),
            }
            for key in office.keys
        ],
        "accepts_obligations": sorted(office.accepts_obligations),
        "agreements": sorted(office.agreements),
        "attributes": dict(office.attributes),
    }
    if office.webhook is not None:
        document["webhook"] = {"url": office.webhook.url}
    if office.queue is not None:
        document["queue"] = office.queue.value
    if office.sends is not None:
        document["sends"] = sorted(office.sends)
    return document
