"""What may an operator set, in which unit, with which default, and why?

Settings are read once from a TOML file, frozen, and checked against each other. An
unknown key refuses to start: a misspelt limit must not silently be no limit.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import quote

from gateway.model.errors import InvalidDocument, Problem

KIB = 1024

OBJECTS = "objects"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the agencies' API listens."""

    host: str = "127.0.0.1"  # an operator opens it to the network on purpose
    port: int = 8440  # 0: any free one
    public_url: str = ""  # what offices call us; audience of tokens. Empty: http(s)://host:port
    tls_certificate: str = ""  # PEM files; empty: a front proxy does TLS
    tls_key: str = ""  # the private key of tls_certificate, PEM, readable by the gateway's account alone
    tls_client_authorities: str = ""  # PEM bundle; set: mutual TLS is offered and tokens are bound to certificates
    max_connections: int = 4096  # 1,024 clients are the load to hold; the rest of the usual 8,192 files is the store's
    header_seconds: float = 10.0  # a fresh connection has this long for its first request: no slow drip
    file_seconds: float = 900.0  # for a bulk file: 64 MiB over a poor county line take about 11 minutes
    body_seconds: float = 30.0  # 1 MiB over a poor county line takes about 10
    keepalive_seconds: float = (
        75.0  # longer than the proxies' usual 60, so that they close first, also on a node that leaves
    )
    leave_seconds: float = (
        5.0  # a node of a cluster that closes says so this long, so that the balancer looks elsewhere
    )
    drain_seconds: float = 30.0  # how long a closing gateway waits for requests in flight
    trusted_proxies: tuple[str, ...] = ()  # networks; only these may name the peer in X-Forwarded-For
    metrics_readers: tuple[str, ...] = ("127.0.0.0/8", "::1/128")  # networks; to others /metrics does not exist


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Against floods, bombs and mistakes."""

    max_body_bytes: int = 1024 * KIB  # a notice is about 3 KiB; a day's CSV of a county about 500 KiB
    max_attachment_bytes: int = (
        64 * 1024 * KIB
    )  # a scanned file of some hundred pages; streamed, so it costs disk alone
    attachment_bytes_per_day: int = (
        2048 * 1024 * KIB
    )  # per office, refilled evenly: thirty of the largest documents a day
    disk_reserve_bytes: int = 1024 * 1024 * KIB  # with less room left documents wait, so that reports never do
    max_small_body_bytes: int = 64 * KIB  # bodies that are no notices: token requests, acknowledgements, replies
    max_file_bytes: int = 128 * 1024 * KIB  # a bulk file: 100,000 rows of a wide ledger are about 60 MiB
    max_batch_items: int = 500  # keeps one request's transaction short
    max_depth: int = 64  # the deepest schema nests 8; parsers are safe to 1,024
    max_line_bytes: int = 8190  # the request line, and each header
    max_headers: int = 100  # the header flood's end; honest clients send about 20
    notices_per_second: float = 200.0  # per office, refilled evenly
    burst_notices: int = 2000  # an office that was offline for two days sends its backlog
    report_reserve_percent: int = 25  # of rate and burst, kept for reports: their 429 must be rare
    relay_messages_per_hour: int = 30  # through one handle: behind it is a person, often a child
    strangers_per_minute: int = 120  # unauthenticated refusals per peer before it has to wait
    kept_peers: int = 10_000  # peers remembered for that; memory bound, about 200 bytes each
    clock_skew_seconds: int = 60  # offices' clocks are seldom set by hand to better than this
    clock_gap_hours: int = (
        24  # started longer than this after the log's newest record, an embedded node expires nothing yet
    )


@dataclass(frozen=True, slots=True)
class TokenLifeSettings:
    """How long what an office proves itself with is good."""

    token_seconds: int = 600  # short: a stolen token dies soon, a suspension needs none of it
    assertion_seconds: int = 300  # how far ahead `exp` may lie; bounds what jti memory must hold
    kept_tokens: int = 10_000  # verified claims kept, about 1 KiB each


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    lease_seconds: int = 60  # longer than the longest send
    ticket_seconds: float = 2.0  # DESIGN 4: from before the transaction is submitted to the first byte
    max_attempts: int = 12  # about a quarter of a day with the back-off below: a person looks the same day
    first_backoff_seconds: float = 5.0  # doubles with each try, half of it by chance
    max_backoff_seconds: float = 3600.0  # the longest pause, also of an office's own Retry-After
    breaker_failures: int = 5  # consecutive failures before an office's breaker opens
    breaker_open_seconds: float = 30.0  # then one try decides
    webhook_timeout_seconds: float = 20.0  # from the first byte to the end of the answer
    webhook_plain_loopback: bool = False  # http to this very machine: the demo's simulated agencies, nothing else
    max_in_flight_per_office: int = 4  # pushes to one office at once, and connections to it
    max_inbox_items: int = 100  # per page of the inbox and of changes
    max_long_poll_seconds: int = 60  # longer, and proxies cut it
    poll_slice_seconds: float = 2.0  # how soon a long poll notices a closing gateway or a vanished caller
    expiry_days: int = 30  # a notice nobody fetched by then is told back to its sender as expired


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    receipt_days: int = 90  # how long a retry is answered with the first receipt (DESIGN 6)
    raw_days: int = 30  # bytes as received (DESIGN 3)
    upload_days: int = 7  # a document that no notice has named by then lapses: an office offline for a long weekend
    release_expiry_days: int = 180  # what a recipient is told to keep it for, where no obligation is shorter


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the exchange log is signed, witnessed and watched."""

    checkpoint_seconds: float = 1.0  # the steady beat: finer would tell outsiders when something happened
    trust_policy: Path | None = None  # a tlog-policy file: witnesses with keys, addresses and quorum. None: no witness
    witness_seconds: float = 1.0  # how long publishing waits for one witness
    recosign_minutes: int = 10  # an idle log is cosigned anew, so that its age shows
    witness_grace_minutes: float = 240.0  # without a quorum for longer, ordinary disclosures wait; emergencies never
    watch_minutes: int = 60  # the window of the anomaly signals (DOMAIN 8.4)
    alarm_disclosures: int = 500  # to one office in a window
    alarm_off_hours: int = 50  # disclosures to one office between 22:00 and 06:00 China time in a window
    alarm_denials: int = 20  # refusals and withholdings of one office in a window
    alarm_sealed_questions: int = 5  # questions a sealed record could answer, by one office in a window
    late_report_hours: int = 24  # a mandatory report later than this after it was noticed is flagged (DOMAIN 3.3 C01)
    alarm_log_reads: int = 200  # readings of the log by one reader in a window


@dataclass(frozen=True, slots=True)
class RabbitSettings:
    """RabbitMQ carries bells between nodes and the agencies' queues. Without an address the gateway needs none."""

    addresses: tuple[str, ...] = ()  # amqps://USER@HOST:PORT/VHOST of each broker, tried in turn; empty: no RabbitMQ
    password: str = field(default="", repr=False)  # of that user, and never in the file: HUTONG_AMQP_PASSWORD
    authorities: str = ""  # PEM bundle that signed the brokers' certificates; empty: the system's
    management: tuple[str, ...] = ()  # https://HOST:PORT of the plugin: cuts off the suspended, counts hand-overs
    brokers: tuple[str, ...] = ("127.0.0.0/8", "::1/128")  # networks; only these may ask here who may do what
    heartbeat_seconds: float = 5.0  # a connection on which nothing is heard for two beats is half-open, and closed
    window: int = 200  # messages under way without confirm; throughput stops growing soon after 100
    confirm_seconds: float = 10.0  # a confirm that takes longer counts as none: the message comes again
    delivery_limit: int = 20  # hand-overs of one message without an answer before its queue sets it aside as poison
    max_waiting: int = 100  # releases waiting in one office's queue; what waits there is disclosed already
    waiting_seconds: float = 3600.0  # a release nobody fetched by then is taken back, and decided on anew
    max_submissions: int = 10_000  # messages waiting in one office's submit queue before it is told to slow down
    concurrency: int = 32  # submissions of one office in work at once; those of one case stay in their order


STORAGES = ("embedded", "postgres")


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the record is when `storage` is "postgres": then any number of nodes share it."""

    address: str = ""  # postgresql://USER@HOST:PORT/DATABASE, without the password
    password: str = field(default="", repr=False)  # of that user, and never in the file: HUTONG_POSTGRES_PASSWORD
    connections: int = 8  # for questions, beside one to write, one to sequence and two to listen and lead

    @property
    def url(self) -> str:
        """The address with the password, for the driver alone."""
        if not self.password:
            return self.address
        scheme, rest = self.address.split("://", 1)
        user, at, host = rest.partition("@")
        return f"{scheme}://{user}:{quote(self.password, safe='')}@{host}" if at else self.address


@dataclass(frozen=True, slots=True)
class Settings:
    """`name` is the gateway's name and the log's origin; `directory` holds the data, `key_directory` the keys, apart from it."""

    name: str = "hutong.example"  # issuer of receipts and origin of the log: never changed afterwards
    region: str = "440113"  # division code of the area whose policy is in force here
    directory: Path = Path("data")  # store, log, admin socket; relative to the settings file
    key_directory: Path = Path("keys")  # apart from the data, so that a copy of the data opens nothing
    object_directory: Path | None = None  # attachments; None: in the data, or for nodes that share keys beside those
    key_passphrase: str = field(default="", repr=False)  # never in the file: HUTONG_KEY_PASSPHRASE
    storage: str = "embedded"  # or "postgres": one process owns its own store, or many nodes share a database
    policy_directory: Path | None = None  # None: the pack that ships with the gateway
    server: ServerSettings = field(default_factory=ServerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    tokens: TokenLifeSettings = field(default_factory=TokenLifeSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    log: LogSettings = field(default_factory=LogSettings)
    rabbitmq: RabbitSettings = field(default_factory=RabbitSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)

    @property
    def objects(self) -> Path:
        """The folder of the attachments: nodes of a cluster share it, as they share the keys."""
        if self.object_directory is not None:
            return self.object_directory
        return (self.key_directory.parent if self.is_clustered else self.directory) / OBJECTS

    @property
    def is_clustered(self) -> bool:
        return self.storage == "postgres"

    @property
    def public_url(self) -> str:
        scheme = "https" if self.server.tls_certificate else "http"
        return self.server.public_url or f"{scheme}://{self.server.host}:{self.server.port}"

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.delivery.lease_seconds)

    @property
    def longest_pause(self) -> timedelta:
        """No delivery is put off, or leased, for longer than this."""
        seconds = max(self.delivery.max_backoff_seconds, self.rabbitmq.waiting_seconds)
        return timedelta(seconds=seconds) + self.lease


def load_settings(path: Path) -> Settings:
    """Read and check a settings file; relative paths in it are relative to the file.

    Raises InvalidDocument with every problem found.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise InvalidDocument("the settings file does not exist", remedy="run `hutong init DIR` first") from missing
    except OSError as unread:
        raise InvalidDocument(f"the settings file cannot be read: {os.strerror(unread.errno or 0)}") from unread
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise InvalidDocument(f"the settings file is not TOML: {broken}", remedy="see ops/config") from broken
    problems: list[Problem] = []
    if "key_passphrase" in document:
        problems.append(
            Problem(
                "secret-in-file",
                "key_passphrase",
                "a passphrase does not belong in a file",
                "set HUTONG_KEY_PASSPHRASE",
            )
        )
    settings: Settings = _read(Settings, document, "", problems)
    for table, variable in (("rabbitmq", "HUTONG_AMQP_PASSWORD"), ("postgres", "HUTONG_POSTGRES_PASSWORD")):
        if "password" in document.get(table, {}):
            where = f"{table}.password"
            problems.append(Problem("secret-in-file", where, "a password does not belong in a file", f"set {variable}"))
    if not problems:
        settings = dataclasses.replace(
            settings,
            rabbitmq=dataclasses.replace(settings.rabbitmq, password=os.environ.get("HUTONG_AMQP_PASSWORD", "")),
            postgres=dataclasses.replace(settings.postgres, password=os.environ.get("HUTONG_POSTGRES_PASSWORD", "")),
            directory=path.parent / settings.directory,
            key_directory=path.parent / settings.key_directory,
            object_directory=None if settings.object_directory is None else path.parent / settings.object_directory,
            key_passphrase=os.environ.get("HUTONG_KEY_PASSPHRASE", ""),
            policy_directory=None if settings.policy_directory is None else path.parent / settings.policy_directory,
            log=dataclasses.replace(
                settings.log,
                trust_policy=None if settings.log.trust_policy is None else path.parent / settings.log.trust_policy,
            ),
        )
        problems += _check(settings)
    if problems:
        raise InvalidDocument("the settings do not hold", problems=tuple(problems))
    return settings


def _read(kind: Any, document: dict[str, Any], where: str, problems: list[Problem]) -> Any:
    hints, values = get_type_hints(kind), {}
    for name, value in document.items():
        position = f"{where}{name}"
        if name not in hints:
            problems.append(Problem("unknown-setting", position, "no such setting", "remove it or correct its name"))
            continue
        wanted = hints[name]
        if dataclasses.is_dataclass(wanted) and isinstance(value, dict):
            values[name] = _read(wanted, value, f"{position}.", problems)
        elif (converted := _convert(wanted, value)) is not None:
            values[name] = converted
        else:
            problems.append(Problem("wrong-type", position, "the value has the wrong type", "see `hutong doctor`"))
    return kind(**values)


def _convert(wanted: Any, value: Any) -> Any:
    alternatives = get_args(wanted) if get_origin(wanted) else (wanted,)
    if get_origin(wanted) is tuple:
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value) if is_list else None
    if Path in alternatives and isinstance(value, str):
        return Path(value)
    if float in alternatives and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if bool not in alternatives and isinstance(value, bool):
        return None
    return value if isinstance(value, tuple(a for a in alternatives if isinstance(a, type))) else None


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _check(settings: Settings) -> list[Problem]:
    problems = []

    def require(holds: bool, position: str, message: str) -> None:
        if not holds:
            problems.append(Problem("settings-conflict", position, message))

    for name in ("server", "limits", "tokens", "delivery", "retention", "log", "rabbitmq", "postgres"):
        group = getattr(settings, name)
        for item in dataclasses.fields(group):
            value = getattr(group, item.name)
            is_amount = isinstance(value, int | float) and not isinstance(value, bool) and item.name != "port"
            require(not is_amount or value > 0, f"{name}.{item.name}", "must be greater than zero")
    for table, name in (("server", "trusted_proxies"), ("server", "metrics_readers"), ("rabbitmq", "brokers")):
        for network in getattr(getattr(settings, table), name):
            require(_is_network(network), f"{table}.{name}", "must be networks such as 10.1.0.0/16")
    for address in settings.rabbitmq.addresses:
        is_of_form = re.fullmatch(r"amqps?://([^@/:]+@)?[^@/]+(/[^/]*)?", address) is not None
        require(is_of_form, "rabbitmq.addresses", "must be amqps://USER@HOST:PORT/VHOST, without a password")
    require(settings.storage in STORAGES, "storage", f"must be one of {', '.join(STORAGES)}")
    is_database = re.fullmatch(r"postgres(ql)?://[^@/:]+@[^@/]+/[^/]+", settings.postgres.address) is not None
    require(
        not settings.is_clustered or is_database,
        "postgres.address",
        "must be postgresql://USER@HOST:PORT/DATABASE, without a password",
    )
    require(
        settings.delivery.lease_seconds > settings.delivery.webhook_timeout_seconds + settings.delivery.ticket_seconds,
        "delivery.lease_seconds",
        "a lease must outlive the longest send: webhook_timeout_seconds plus ticket_seconds",
    )
    require(settings.delivery.ticket_seconds <= 2.0, "delivery.ticket_seconds", "a ticket lives two seconds at most")
    require(
        settings.limits.attachment_bytes_per_day >= settings.limits.max_attachment_bytes,
        "limits.attachment_bytes_per_day",
        "must let one document of max_attachment_bytes through",
    )
    require(settings.limits.report_reserve_percent < 100, "limits.report_reserve_percent", "must be under 100")
    data, keys = settings.directory.resolve(), settings.key_directory.resolve()
    require(
        data != keys and data not in keys.parents and keys not in data.parents,
        "key_directory",
        "keys and data must be apart, so that a copy of the data opens nothing",
    )
    tls = (settings.server.tls_certificate, settings.server.tls_key)
    require(all(tls) or not any(tls), "server.tls_key", "certificate and key come together")
    return problems
