"""Whom does an identifier mean, and which secret opens what the log says of them?

An authorised officer types an identifier; it becomes a keyed alias, the alias a person
with a random id, the id a keyed name in the log. None of these steps can be taken
without the gateway's secrets, and the identifier itself is kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.crypto.sealing import keyed_digest
from gateway.model.errors import InvalidDocument, NotFound
from gateway.model.identifiers import PersonId
from gateway.ports.keys import KeyStore
from gateway.ports.retention_storage import RetentionStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.keep import Keeper
from gateway.services.kin import Kin
from gateway.services.tell import Teller


@dataclass(frozen=True, slots=True, repr=False)
class FoundPerson:
    """`subject` is the keyed name in the log, `log_secret` opens the person's slots. `also` are the persons whom two
    officers found to be this one; of them nobody else is named."""

    person: PersonId
    subject: bytes
    log_secret: bytes
    also: tuple[FoundPerson, ...] = ()

    @property
    def everybody(self) -> tuple[FoundPerson, ...]:
        """All persons on record that are this one, the one asked about first."""
        return (self, *self.also)

    def __repr__(self) -> str:
        return f"FoundPerson({self.person})"


class People:
    def __init__(
        self,
        *,
        notices: NoticeStorage,
        retention: RetentionStorage,
        keeper: Keeper,
        keys: KeyStore,
        teller: Teller,
        kin: Kin,
    ) -> None:
        self._notices, self._retention, self._keeper = notices, retention, keeper
        self._keys, self._teller, self._kin = keys, teller, kin

    async def look_again(self) -> None:
        """Learn what officers of other nodes found of persons by now. Raises Unavailable."""
        await self._kin.refresh()

    async def by_identifier(self, id_type: str, id_no: str) -> FoundPerson | None:
        """The person known under an identifier (`ID` and a citizen number, `student` and a student number); None for nobody."""
        described = {"student_no": id_no} if id_type == "student" else {"id_type": id_type, "id_no": id_no}
        aliases = self._keeper.aliases(described)
        if not aliases:
            raise InvalidDocument(
                "an identifier that names one person has a kind (`ID`, `PASS`, `HKM`, `TW`, `BIRTH`, `student`) and a number "
                "of at least six characters; a resident number has its form"
            )
        known = await self._notices.find_persons(aliases)
        for person, _ in known.values():
            return await self.by_id(person)
        return None

    async def by_id(self, person: PersonId) -> FoundPerson | None:
        """A person by the gateway's own id, with whoever is the same one; None for one that is not known, or was erased."""
        found = await self._alone(person)
        if found is None:
            return None
        others = [await self._alone(other) for other in self._kin.of(person)[1:]]
        return replace(found, also=tuple(other for other in others if other is not None))

    async def _alone(self, person: PersonId) -> FoundPerson | None:
        key = await self._retention.key_of(person)
        secret = None if key is None else self._keys.open(key)
        if secret is None:
            return None
        return FoundPerson(person, self._teller.subject(person), keyed_digest(secret, b"log"))

    async def named(self, text: str) -> FoundPerson:
        """`KIND:NUMBER`, or a person's own id. NotFound for nobody known."""
        kind, colon, number = text.partition(":")
        found = await (self.by_identifier(kind, number) if colon else self.by_id(PersonId(text)))
        if found is None:
            raise NotFound("nobody is known under this", remedy="give KIND:NUMBER, for instance ID:..., or a person id")
        return found
