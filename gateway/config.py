"""What may an operator set, in which unit, with which default, and why?

Settings are read once from a TOML file, frozen, and checked against each other. An
unknown key refuses to start: a misspelt limit must not silently be no limit.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from gateway.model.errors import InvalidDocument, Problem

KIB = 1024


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the agencies' API listens."""

    host: str = "127.0.0.1"  # an operator opens it to the network on purpose
    port: int = 8440
    public_url: str = ""  # what offices call us; audience of tokens. Empty: http(s)://host:port
    tls_certificate: str = ""  # PEM files; empty: a front proxy does TLS
    tls_key: str = ""
    tls_client_authorities: str = ""  # PEM bundle; set: mutual TLS is offered and tokens are bound to certificates


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Against floods, bombs and mistakes."""

    max_body_bytes: int = 1024 * KIB  # a notice is about 3 KiB; a day's CSV of a county about 500 KiB
    max_batch_items: int = 500  # keeps one request's transaction short
    max_depth: int = 32  # the deepest schema nests 8
    notices_per_second: int = 200  # per office, refilled evenly
    burst_notices: int = 2000  # an office that was offline for two days sends its backlog
    report_reserve_percent: int = 25  # of the rate, kept for reports
    strangers_per_minute: int = 120  # unauthenticated requests per peer
    clock_skew_seconds: int = 60


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    lease_seconds: int = 60  # longer than the longest send
    ticket_seconds: float = 2.0  # DESIGN 4: from before the transaction is submitted to the first byte
    max_attempts: int = 12  # about a quarter of a day with the back-off below: a person looks the same day
    first_backoff_seconds: int = 5
    max_backoff_seconds: int = 3600
    breaker_failures: int = 5  # consecutive failures before an office's breaker opens
    breaker_open_seconds: int = 30
    webhook_timeout_seconds: int = 20
    max_in_flight_per_office: int = 4
    max_long_poll_seconds: int = 60
    expiry_days: int = 30  # a notice nobody fetched by then is told back to its sender as expired


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    receipt_days: int = 90  # how long a retry is answered with the first receipt (DESIGN 6)
    raw_days: int = 30  # bytes as received (DESIGN 3)
    release_expiry_days: int = 180  # what a recipient is told to keep it for, where no obligation is shorter


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the exchange log is signed, witnessed and watched."""

    checkpoint_seconds: float = 1.0  # the steady beat: finer would tell outsiders when something happened
    trust_policy: Path | None = None  # a tlog-policy file: witnesses with keys, addresses and quorum. None: no witness
    witness_seconds: float = 1.0  # how long publishing waits for one witness
    recosign_minutes: int = 10  # an idle log is cosigned anew, so that its age shows
    witness_grace_minutes: int = 240  # without a quorum for longer, ordinary disclosures wait; emergencies never
    watch_minutes: int = 60  # the window of the anomaly signals (DOMAIN 8.4)
    alarm_disclosures: int = 500  # to one office in a window
    alarm_off_hours: int = (
        50  # disclosures to one office between 22:00 and 06:00 China time in a window, urgency 2 left out
    )
    alarm_denials: int = 20  # refusals and withholdings of one office in a window
    alarm_sealed_questions: int = 5  # questions a sealed record could answer, by one office in a window
    alarm_log_reads: int = 200  # readings of the log by one reader in a window


@dataclass(frozen=True, slots=True)
class Settings:
    """`name` is the gateway's name and the log's origin; `directory` holds the data, `key_directory` the keys, apart from it."""

    name: str = "hutong.example"
    region: str = "440113"
    directory: Path = Path("data")
    key_directory: Path = Path("keys")
    key_passphrase: str = field(default="", repr=False)  # never in the file: HUTONG_KEY_PASSPHRASE
    policy_directory: Path | None = None  # None: the pack that ships with the gateway
    server: ServerSettings = field(default_factory=ServerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def public_url(self) -> str:
        scheme = "https" if self.server.tls_certificate else "http"
        return self.server.public_url or f"{scheme}://{self.server.host}:{self.server.port}"

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.delivery.lease_seconds)


def load_settings(path: Path) -> Settings:
    """Read and check a settings file; relative paths in it are relative to the file.

    Raises InvalidDocument with every problem found.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise InvalidDocument("the settings file does not exist", remedy="run `hutong init DIR` first") from missing
    except tomllib.TOMLDecodeError as broken:
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
    if not problems:
        settings = dataclasses.replace(
            settings,
            directory=path.parent / settings.directory,
            key_directory=path.parent / settings.key_directory,
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
    if Path in alternatives and isinstance(value, str):
        return Path(value)
    if float in alternatives and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if bool not in alternatives and isinstance(value, bool):
        return None
    return value if isinstance(value, tuple(a for a in alternatives if isinstance(a, type))) else None


def _check(settings: Settings) -> list[Problem]:
    problems = []

    def require(holds: bool, position: str, message: str) -> None:
        if not holds:
            problems.append(Problem("settings-conflict", position, message))

    for group in (settings.limits, settings.delivery, settings.retention, settings.log):
        for item in dataclasses.fields(group):
            value = getattr(group, item.name)
            require(not isinstance(value, int | float) or value > 0, item.name, "must be greater than zero")
    require(
        settings.delivery.lease_seconds > settings.delivery.webhook_timeout_seconds + settings.delivery.ticket_seconds,
        "delivery.lease_seconds",
        "a lease must outlive the longest send: webhook_timeout_seconds plus ticket_seconds",
    )
    require(settings.delivery.ticket_seconds <= 2.0, "delivery.ticket_seconds", "a ticket lives two seconds at most")
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
