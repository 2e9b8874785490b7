"""What does the exchange log say about one event, and in which words?

The log is closed: an event is one of `EventName`, its fields are those of its
schema (`gateway.model.audit_events.EVENTS`) in their fixed order, and a field
holds a *form* - an id, an office, a code, a count, the name of a field - never
text that somebody wrote. A name, an address or a narrative has no field to go to.

Fields stand in three places:

* the *envelope*: what stays provable for ever, opened to compliance officers;
* the *officer slot*: who acted, one per record at most, with a secret of its own;
* *person slots*: one per person the event is about, with everything that links
  the record to that person, under that person's secret. Destroy the secret and
  the slot closes for ever while every proof goes on holding.

A *link* is a person slot's place in that person's chain: a running number, and
the event id and record root of the record before. It is known only inside the
writer, which is why it is not among the fields of the schema.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.model.access import PRESETS, Facet
from gateway.model.identifiers import EventId

LogValue = str | int | bool | datetime | tuple[str, ...] | tuple[tuple[str, str], ...]

OFFICER = "officer"
PERSON = "person"
HEADER = "header"  # always the first commitment: at, event, id, slots, v
LINK = "link"  # always the last commitment of a person slot
ROOT_BYTES = 32


class Form(StrEnum):
    """What a field may hold. Each has one pattern (`gateway/audit/forms.py`); none has room for free text."""

    ID = "id"  # opaque id made by this gateway, 16 to 64 of [0-9A-Za-z_-], never shaped like an identity number
    HANDLE = "handle"  # pseudonymous id of a person, officer or case; same shape; person and officer slots only
    DIGEST = "digest"  # sha256:<64 hex> or sm3:<64 hex> of a document; person slots only
    OFFICE = "office"  # an office id, or one of gateway, staff, witness
    CODE = "code"  # a constant of this code base or of the vocabulary: [a-z][a-z0-9]*([-_./:][a-z0-9]+)*
    CODES = "codes"  # several of them, sorted, each once
    FLAGS = "flags"  # codes, each with an optional JSON pointer of ASCII names: schema:/persons/0/birth_date
    PURPOSE = "purpose"  # DOMAIN 5.9: P01
    BASIS = "basis"  # DOMAIN 5.1 numbers, sorted: L20
    NOTICE_TYPE = "notice_type"  # DOMAIN 3.2: RPT-M
    REGION = "region"  # 6, 9 or 12 digits
    RULES = "rules"  # rule ids, sorted
    FIELDS = "fields"  # field ids, sorted
    FIELD_FORMS = "field_forms"  # pairs (field id, name of what is shown), sorted by field id
    HASH = "hash"  # hash of a public document (policy, directory, configuration): hex, optional prefix
    KEY = "key"  # key id
    VERSION = "version"  # version of a policy pack, text or scheme
    FACTS = "facts"  # pairs (fact of the vocabulary, one of its closed values), sorted by fact
    REFERENCE = "reference"  # (event id,) or (event id, base64 record root)
    COUNT = "count"  # 0 .. 2**53-1
    FLAG = "flag"  # true or false
    INSTANT = "instant"  # aware datetime, written in UTC to the millisecond


@dataclass(frozen=True, slots=True)
class LogField:
    """One field of an event. `choices` closes a CODE or CODES to a list."""

    name: str
    form: Form
    required: bool = False
    choices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EventSchema:
    """The fields of one event in the order in which they are committed: by name.

    A change of fields is a new `version`; records of the old
    one stay readable, since a record names the fields it commits to.
    `persons` is false for events that are about no person.
    """

    name: EventName
    version: int
    zh: str
    en: str
    envelope: tuple[LogField, ...]
    person: tuple[LogField, ...] = ()
    officer: tuple[LogField, ...] = ()

    @property
    def persons(self) -> bool:
        return bool(self.person)


@dataclass(frozen=True, slots=True)
class Slot:
    """What the event says about one person, or about the officer who acted.

    `subject` is the keyed name under which the private index finds the person's
    chain; it is never committed. `secret` (32 bytes or more) is the person's log
    key: whoever destroys it closes every slot made with it.
    """

    values: Mapping[str, LogValue]
    secret: bytes
    subject: str = ""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that happened, before it has a place in the log.

    `at` is an aware instant, written to the millisecond. `secret` is 32 fresh
    random bytes, stored beside the envelope and kept.
    """

    id: EventId
    name: EventName
    at: datetime
    values: Mapping[str, LogValue]
    secret: bytes
    persons: tuple[Slot, ...] = ()
    officer: Slot | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The place of a record in one person's chain. The first has number 1 and no predecessor."""

    seq: int
    prev_event: EventId | None = None
    prev_root: bytes = b""


FIRST_LINK = Link(1)


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot with its place in the chain.

    `sealed` holds the slot's values and link, readable with the slot's secret alone (`gateway.audit.opening`);
    `root` closes the slot when the secret is gone. `subject` and `link` are for the private index, and go
    when the person is erased: store neither beside `sealed`.
    """

    kind: str
    subject: str
    sealed: bytes
    root: bytes
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """An event with its place in the chains, ready to be appended.

    `entry` are the exact bytes of the leaf (`{"c":"<base64 root>","v":1}`), to be
    stored as they are and never rebuilt; `leaf_hash` is its RFC 6962 hash.
    `envelope` is canonical JSON: `{"fields":{present fields},"header":{...}}`.
    """

    event_id: EventId
    name: EventName
    at: datetime
    root: bytes
    entry: bytes
    leaf_hash: bytes
    envelope: bytes
    secret: bytes
    slots: tuple[SlotRecord, ...] = ()

    @property
    def opening(self) -> bytes:
        """What to keep beside the entry to open it later: the envelope and its secret, the slots sealed. Canonical JSON."""
        slots = b",".join(
            b'{"kind":"%b","root":"%b","sealed":"%b"}'
            % (slot.kind.encode(), b64encode(slot.root), b64encode(slot.sealed))
            for slot in self.slots
        )
        return b'{"envelope":%b,"secret":"%b","slots":[%b]}' % (self.envelope, b64encode(self.secret), slots)

    @property
    def person_slots(self) -> tuple[SlotRecord, ...]:
        return tuple(slot for slot in self.slots if slot.kind == PERSON)


_PRESET_NAMES: Mapping[Facet, str] = {facets: name for name, facets in PRESETS.items()}
FACET_SETS: Mapping[str, Facet] = {
    **PRESETS,
    **{
        "+".join(facet.name.lower() for facet in Facet(bits) if facet.name): Facet(bits)
        for bits in range(128)
        if bits & 1 and Facet(bits) not in _PRESET_NAMES
    },
}
_SET_NAMES: Mapping[Facet, str] = {facets: name for name, facets in FACET_SETS.items()}


def shown_name(shown: Facet) -> str:
    """The word of the log for a set of facets: a preset's name (`clear`, `mask`), or the facets joined by `+`."""
    return _SET_NAMES[shown]


class EventName(StrEnum):
    """Everything that the log can say happened. Past tense, closed; the schemas are in `audit_events`."""

    # intake
    NOTICE_ACCEPTED = "notice_accepted"
    FILE_ACCEPTED = "file_accepted"
    FILE_FINISHED = "file_finished"
    NOTICE_REFUSED = "notice_refused"
    NOTICE_WITHDRAWN = "notice_withdrawn"
    NOTICE_SUPERSEDED = "notice_superseded"
    NOTICE_CHECKED = "notice_checked"
    REPORTER_VAULTED = "reporter_vaulted"
    RECEIPT_ISSUED = "receipt_issued"
    UNAUTHENTICATED_REFUSALS_COUNTED = "unauthenticated_refusals_counted"
    SEALED_QUESTION_COUNTED = "sealed_question_counted"
    # delivery and disclosure
    DELIVERY_ROUTED = "delivery_routed"
    DELIVERY_WITHHELD = "delivery_withheld"
    DELIVERY_HELD = "delivery_held"
    DELIVERY_RELEASED = "delivery_released"
    DISCLOSURE_DECIDED = "disclosure_decided"
    TICKET_ISSUED = "ticket_issued"
    TICKET_VOIDED = "ticket_voided"
    DELIVERY_SENT = "delivery_sent"
    DELIVERY_ACKNOWLEDGED = "delivery_acknowledged"
    DELIVERY_READ = "delivery_read"
    DELIVERY_ACCEPTED = "delivery_accepted"
    DELIVERY_DECLINED = "delivery_declined"
    DELIVERY_ACTED_ON = "delivery_acted_on"
    DELIVERY_DEFERRED = "delivery_deferred"
    DELIVERY_PARKED = "delivery_parked"
    DELIVERY_DEAD_LETTERED = "delivery_dead_lettered"
    DELIVERY_RETRIED = "delivery_retried"
    DELIVERY_REDIRECTED = "delivery_redirected"
    DELIVERY_EXPIRED = "delivery_expired"
    DELIVERY_WITHDRAWN = "delivery_withdrawn"
    USAGE_RECEIPT_RECORDED = "usage_receipt_recorded"
    DISPOSAL_CONFIRMED = "disposal_confirmed"
    DISPOSAL_MISSED = "disposal_missed"
    ATTACHMENT_STORED = "attachment_stored"
    ATTACHMENT_RELEASED = "attachment_released"
    MESSAGE_RELAYED = "message_relayed"
    MESSAGE_REFUSED = "message_refused"
    QUERY_ANSWERED = "query_answered"
    ACCESS_EVALUATED = "access_evaluated"
    DEADLINE_MISSED = "deadline_missed"
    # cases and persons
    CASE_OPENED = "case_opened"
    CASE_TRANSFERRED = "case_transferred"
    CASE_CLOSED = "case_closed"
    PERSONS_FINDING_ASKED = "persons_finding_asked"
    PERSONS_JOINED = "persons_joined"
    PERSONS_PARTED = "persons_parted"
    PERSONS_HELD_APART = "persons_held_apart"
    PERSON_PROPOSALS_READ = "person_proposals_read"
    CONFLICT_RECORDED = "conflict_recorded"
    CONFLICT_CLEARED = "conflict_cleared"
    # policy
    POLICY_DRAFTED = "policy_drafted"
    POLICY_TESTED = "policy_tested"
    POLICY_SUBMITTED = "policy_submitted"
    POLICY_APPROVED = "policy_approved"
    POLICY_REJECTED = "policy_rejected"
    POLICY_ACTIVATED = "policy_activated"
    POLICY_RETIRED = "policy_retired"
    POLICY_ROLLED_BACK = "policy_rolled_back"
    # consent
    CONSENT_RECORDED = "consent_recorded"
    CONSENT_REFUSED = "consent_refused"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_EXPIRED = "consent_expired"
    # keys and directory
    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_RETIRED = "key_retired"
    KEY_COMPROMISED = "key_compromised"
    KEY_USED = "key_used"
    OFFICE_ADDED = "office_added"
    OFFICE_CHANGED = "office_changed"
    OFFICE_SUSPENDED = "office_suspended"
    OFFICE_RESUMED = "office_resumed"
    OFFICE_COMPROMISED = "office_compromised"
    OFFICE_REMOVED = "office_removed"
    CONTRACT_ENDED = "contract_ended"
    # staff
    STAFF_ENROLLED = "staff_enrolled"
    STAFF_ROLE_CHANGED = "staff_role_changed"
    STAFF_REMOVED = "staff_removed"
    STAFF_SIGNED_IN = "staff_signed_in"
    STAFF_SIGN_IN_REFUSED = "staff_sign_in_refused"
    GRANT_REQUESTED = "grant_requested"
    GRANT_APPROVED = "grant_approved"
    GRANT_REFUSED = "grant_refused"
    GRANT_ENDED = "grant_ended"
    CONTENT_READ = "content_read"
    # emergency
    EMERGENCY_ACCESS_GRANTED = "emergency_access_granted"
    EMERGENCY_ACCESS_REFUSED = "emergency_access_refused"
    EMERGENCY_ACCESS_ENDED = "emergency_access_ended"
    EMERGENCY_NOTICE_SENT = "emergency_notice_sent"
    EMERGENCY_ACCESS_REVIEWED = "emergency_access_reviewed"
    # retention
    ERASURE_REQUESTED = "erasure_requested"
    ERASURE_REFUSED = "erasure_refused"
    ERASURE_COMPLETED = "erasure_completed"
    PAYLOAD_DISPOSED = "payload_disposed"
    LEGAL_HOLD_SET = "legal_hold_set"
    LEGAL_HOLD_LIFTED = "legal_hold_lifted"
    RIGHTS_REQUEST_RECORDED = "rights_request_recorded"
    RIGHTS_REQUEST_ANSWERED = "rights_request_answered"
    # the log itself
    LOG_READ = "log_read"
    LOG_EXPORTED = "log_exported"
    LOG_REPORT_MADE = "log_report_made"
    HOLD_ENTERED = "hold_entered"
    HOLD_RELEASED = "hold_released"
    HOLD_JOURNAL_JOINED = "hold_journal_joined"
    WITNESS_QUORUM_LOST = "witness_quorum_lost"
    WITNESS_QUORUM_RESTORED = "witness_quorum_restored"
    ANOMALY_DETECTED = "anomaly_detected"
    # the gateway
    GATEWAY_STARTED = "gateway_started"
    GATEWAY_STOPPED = "gateway_stopped"
    CONFIGURATION_CHANGED = "configuration_changed"
    BACKUP_MADE = "backup_made"
    BACKUP_RESTORED = "backup_restored"
    STORE_MIGRATED = "store_migrated"
