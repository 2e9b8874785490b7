"""Of what are the events of the exchange log declared?

Fields that many events have stand here once, and so do the kinds of events that share
theirs. `audit_events` is the table that is declared with them.
"""

from __future__ import annotations

from gateway.model.audit import EventName, EventSchema, Form, LogField
from gateway.model.fields import PERSON_ROLES

F = Form

_TRANSPORTS = frozenset({"http", "amqp", "mllp", "file", "pull", "webhook", "cli", "console"})
_WAYS_TO_AUTHENTICATE = frozenset(
    {"mtls", "jwt", "mtls-jwt", "signature", "gateway-attested", "oidc", "local", "socket", "none"}
)
_AGE_BANDS = frozenset({"unborn", "0-7", "8-13", "14-15", "16-17", "18-plus", "unknown"})


def must(name: str, form: Form, *choices: str) -> LogField:
    return LogField(name, form, required=True, choices=frozenset(choices))


def may(name: str, form: Form, *choices: str) -> LogField:
    return LogField(name, form, choices=frozenset(choices))


# Every event: who acted (an office, the gateway, staff, a witness), and the event this one follows.
ACTOR = must("actor", F.OFFICE)
AUTHN = may("authn", F.CODE, *_WAYS_TO_AUTHENTICATE)
ACCOUNT = may("account", F.CODE)  # of the machine, behind the name that somebody acted under at the local socket
FOLLOWS = may("follows", F.REFERENCE)
NOTICE = must("notice", F.ID)
DELIVERY = must("delivery", F.ID)
RECIPIENT = must("recipient", F.OFFICE)
REASON = may("reason", F.CODE)
POLICY = may("policy", F.HASH)
TRANSPORT = may("transport", F.CODE, *_TRANSPORTS)
PURPOSE = may("purpose", F.PURPOSE)
BASIS = may("basis", F.BASIS)
TYPE = may("type", F.NOTICE_TYPE)
URGENCY = may("urgency", F.COUNT)
REVISION = may("revision", F.COUNT)

# What every person slot says; `age_band` is the band at the time of the event.
PERSON = (
    must("person", F.HANDLE),
    may("roles", F.CODES, *PERSON_ROLES),
    may("case", F.HANDLE),
    may("age_band", F.CODE, *_AGE_BANDS),
)
DOCUMENT = (*PERSON, may("digest", F.DIGEST))
OFFICER = (must("officer", F.HANDLE), may("staff_role", F.CODE), may("reason_ref", F.HANDLE))


def event(
    name: EventName,
    zh: str,
    en: str,
    *fields: LogField,
    person: tuple[LogField, ...] = (),
    version: int = 2,
) -> tuple[EventName, EventSchema]:
    return name, EventSchema(
        name,
        version,
        zh,
        en,
        _by_name(ACTOR, AUTHN, ACCOUNT, *fields, FOLLOWS),
        _by_name(*person),
        _by_name(*OFFICER),
    )


def _by_name(*fields: LogField) -> tuple[LogField, ...]:
    return tuple(sorted(fields, key=lambda one: one.name))


def delivery(
    name: EventName, zh: str, en: str, *fields: LogField, person: tuple[LogField, ...] = PERSON
) -> tuple[EventName, EventSchema]:
    return event(name, zh, en, DELIVERY, NOTICE, RECIPIENT, *fields, person=person)


def policy(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return event(
        name, zh, en, must("policy", F.HASH), may("version", F.VERSION), may("region", F.REGION), *fields, REASON
    )


def consent(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return event(
        name,
        zh,
        en,
        must("consent", F.ID),
        must("epoch", F.COUNT),
        may("giver_kind", F.CODE),
        may("purposes", F.CODES),
        may("text_version", F.VERSION),
        *fields,
        person=PERSON,
    )


def office(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return event(
        name,
        zh,
        en,
        must("office", F.OFFICE),
        may("entry", F.HASH),
        may("directory_version", F.COUNT),
        *fields,
        REASON,
    )


def key(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return event(
        name, zh, en, must("key", F.KEY), may("use", F.CODE), may("owner", F.OFFICE), may("hash", F.HASH), *fields
    )


def staff(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return event(name, zh, en, may("staff", F.ID), may("staff_role", F.CODE), may("client", F.CODE), *fields, REASON)


def grant(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return event(
        name, zh, en, must("grant", F.ID), may("scope", F.CODE), *fields, PURPOSE, BASIS, REASON, person=PERSON
    )
