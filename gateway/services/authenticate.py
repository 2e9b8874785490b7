"""Which office is calling, and may it do more than report?

An office proves itself with a signed assertion (RFC 7523, `private_key_jwt`) and gets a short token, itself a
JWT signed by this gateway (RFC 9068), bound to the office's certificate where mutual TLS is used (RFC 8705).

Only keys of the office's own entry in the directory count, each with its one algorithm. What was found out about a
token is kept by the token's digest until it expires, and never past a change of the directory: after a suspension, a
compromise or a key rotation everything is looked at again.

To a stranger every failure is one and the same: an unknown office costs a verification like a known one, and the
answer carries no reason. An assertion is good once (`jti`), remembered durably before the token is made; a crash in
between costs the office a new assertion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from gateway.config import LimitSettings, Settings, TokenLifeSettings
from gateway.crypto.compact import Compact, read_compact, sign_compact
from gateway.crypto.signing import VerifyKey, b64url, new_signing_key
from gateway.model.agency import Caller, Office, OfficeState
from gateway.model.canonical import canonical_json
from gateway.model.errors import Refusal, Unauthenticated
from gateway.model.identifiers import OfficeId
from gateway.ports.clock import Clock, Ids, TimeInDoubt
from gateway.ports.keys import KeyStore
from gateway.ports.registry_storage import DirectoryStorage
from gateway.ports.storage import Epochs

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE_NOTICES = "notices"
SCOPE_REPORT_ONLY = "report-only"
ALGORITHMS = ("EdDSA", "ES256")
_ASSERTION_TYPES = frozenset({"JWT", "jwt", "client-authentication+jwt"})
_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type (RFC 9068 2.1), no secret
_JTI_REALM = "client-assertion"
_JTI_MAX_CHARS = 256
_TOKENS = TokenLifeSettings()


class OfficeSnapshot(Protocol):
    """The directory at one epoch."""

    @property
    def epochs(self) -> Epochs: ...

    @property
    def offices(self) -> Mapping[OfficeId, Office]: ...

    def signing_keys(self, office: OfficeId, at: datetime) -> Callable[[str], VerifyKey | None]:
        """Find a key by its kid among those the office may sign with at that instant."""
        ...


class OfficeDirectory(Protocol):
    @property
    def current(self) -> OfficeSnapshot: ...


class TokenRefused(Refusal):
    """The token endpoint's refusals, named by RFC 6749 5.2: `invalid_request`, `unsupported_grant_type`, `invalid_scope`."""

    code = "token-refused"

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """`issuer` is the gateway's public URL without a trailing slash; audiences are it and the token endpoint."""

    issuer: str
    token_life: timedelta = timedelta(seconds=_TOKENS.token_seconds)
    assertion_life: timedelta = timedelta(seconds=_TOKENS.assertion_seconds)
    skew: timedelta = timedelta(seconds=LimitSettings().clock_skew_seconds)
    kept_tokens: int = _TOKENS.kept_tokens

    @classmethod
    def of(cls, settings: Settings, issuer: str) -> TokenSettings:
        """The node's settings in this service's types; defaults and reasons stand in `gateway.config`."""
        tokens = settings.tokens
        return cls(
            issuer,
            timedelta(seconds=tokens.token_seconds),
            timedelta(seconds=tokens.assertion_seconds),
            timedelta(seconds=settings.limits.clock_skew_seconds),
            tokens.kept_tokens,
        )

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/oauth/token"


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`access_token` is shown in no repr, so that no log line can carry it."""

    access_token: str = field(repr=False)
    expires_in: timedelta
    scope: str


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    epoch: int
    expires_at: datetime
    certificate: str | None


class Authenticate:
    """Issues tokens and tells who calls with one."""

    def __init__(
        self,
        *,
        settings: TokenSettings,
        directories: OfficeDirectory,
        storage: DirectoryStorage,
        keys: KeyStore,
        clock: Clock,
        time: TimeInDoubt,
        ids: Ids,
    ) -> None:
        self._settings, self._directories, self._storage = settings, directories, storage
        self._keys, self._clock, self._time, self._ids = keys, clock, time, ids
        self._audiences = frozenset({settings.issuer, settings.token_endpoint})
        self._decoys = {algorithm: new_signing_key(algorithm).public() for algorithm in ALGORITHMS}
        self._known: dict[bytes, _Known] = {}
        self._token_key = keys.signing_key("tokens")
        self._replaced: tuple[VerifyKey, datetime] | None = None

    @property
    def settings(self) -> TokenSettings:
        return self._settings

    def public_keys(self) -> list[dict[str, object]]:
        """The JWK set: all keys whose signatures of ours must stay verifiable."""
        return list(self._keys.verification_keys())

    async def issue(self, form: Mapping[str, str], certificate: str | None = None) -> IssuedToken:
        """Answer one token request (RFC 6749 4.4, RFC 7523 2.2).

        `form` holds each parameter once; `certificate` is the SHA-256 thumbprint (base64url) of the client
        certificate of this connection, if there was one.
        Raises TokenRefused for what is wrong with the request as such, Unauthenticated for anything at all that is
        wrong with the client, Unavailable when the store is down.
        """
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused("unsupported_grant_type" if form.get("grant_type") else "invalid_request")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise TokenRefused("invalid_request")
        office, kid, jti, until, reading = self._assert_client(form["client_assertion"], form.get("client_id"))
        if not await self._storage.use_once(_JTI_REALM, _one_time(office.id, jti), until):
            raise Unauthenticated("the assertion was used before")
        if reading is not None:
            self._time.trust(reading)
        now = self._clock.now()
        is_limited = office.state is OfficeState.SUSPENDED or reading is None
        allowed = SCOPE_REPORT_ONLY if is_limited else SCOPE_NOTICES
        wished = frozenset(form.get("scope", "").split()) or {allowed}
        if not wished <= {SCOPE_NOTICES, SCOPE_REPORT_ONLY}:
            raise TokenRefused("invalid_scope")
        scope = allowed if allowed in wished else SCOPE_REPORT_ONLY
        return self._token(office, kid, scope, certificate, now)

    def caller_of(self, token: str, certificate: str | None = None) -> Caller:
        """Who calls with this token now. Raises Unauthenticated, always alike; never waits.

        Costs a hash when the token is known, a verification when not.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        epoch, now = self._directories.current.epochs.directory, self._clock.now()
        known = self._known.get(digest)
        if known is None or known.epoch != epoch:
            known = self._learn(token, epoch, now)
            self._keep(digest, known, now)
        if now >= known.expires_at or (known.certificate is not None and known.certificate != certificate):
            raise _stranger()
        return known.caller

    def _assert_client(
        self, assertion: str, client_id: str | None
    ) -> tuple[Office, str, str, datetime, datetime | None]:
        """The office, the kid and the jti of a valid assertion, with the instant until which the jti must be remembered, and
        the reading of the clock that it is fresh by; none where the time is in doubt and it is newer than the log: good for
        reports, which wait for no clock."""
        try:
            read = read_compact(assertion)
            claims = read.claims()
        except ValueError as broken:
            self._decoys["EdDSA"].is_signed(bytes(64), b"")
            raise _stranger() from broken
        office = self._directories.current.offices.get(OfficeId(str(claims.get("iss"))))
        kid = read.header.get("kid")
        key = None
        if office is not None and isinstance(kid, str) and office.state is not OfficeState.COMPROMISED:
            key = self._directories.current.signing_keys(office.id, self._clock.now())(kid)
        if not self._is_signed(read, key) or office is None or not isinstance(kid, str):
            raise _stranger()
        expires_at = self._hold_to_rules(read, claims, office, client_id)
        reading = next((now for now in self._time.readings() if self._is_fresh(claims, expires_at, now)), None)
        earliest = self._time.earliest()
        if reading is None and (earliest is None or expires_at <= earliest):
            raise _stranger()
        return office, kid, claims["jti"], expires_at + self._settings.skew, reading

    def _is_signed(self, read: Compact, key: VerifyKey | None) -> bool:
        """One verification of the named algorithm whether or not there is a key, so that time tells nothing."""
        if key is not None and key.algorithm == read.header["alg"]:
            return read.is_signed_by(key)
        decoy = self._decoys.get(read.header["alg"], self._decoys["EdDSA"])
        decoy.is_signed(read.signature, read.signing_input)
        return False

    def _hold_to_rules(
        self, read: Compact, claims: Mapping[str, Any], office: Office, client_id: str | None
    ) -> datetime:
        """RFC 7523 3 but for the time; returns when the assertion expires. The audience is one name: a list would let one
        assertion open two doors."""
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) == 1:
            audience = audience[0]
        expires_at, jti = _instant(claims.get("exp")), claims.get("jti")
        holds = (
            read.header.get("typ", "JWT") in _ASSERTION_TYPES
            and claims.get("sub") == office.id
            and client_id in (None, office.id)
            and isinstance(audience, str)
            and audience in self._audiences
            and isinstance(jti, str)
            and 0 < len(jti) <= _JTI_MAX_CHARS
        )
        if not holds or expires_at is None:
            raise _stranger()
        return expires_at

    def _is_fresh(self, claims: Mapping[str, Any], expires_at: datetime, now: datetime) -> bool:
        skew = self._settings.skew
        not_before, issued_at = (_instant(claims.get(name)) for name in ("nbf", "iat"))
        return (
            now - skew < expires_at <= now + self._settings.assertion_life + skew
            and ("nbf" not in claims or (not_before is not None and not_before <= now + skew))
            and ("iat" not in claims or (issued_at is not None and issued_at <= now + skew))
        )

    def _token(self, office: Office, kid: str, scope: str, certificate: str | None, now: datetime) -> IssuedToken:
        life = self._settings.token_life
        claims: dict[str, Any] = {
            "iss": self._settings.issuer,
            "aud": self._settings.issuer,
            "sub": office.id,
            "client_id": office.id,
            "client_kid": kid,
            "iat": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            "jti": b64url(self._ids.secret(16)),
            "scope": scope,
        }
        if certificate is not None:
            claims["cnf"] = {"x5t#S256": certificate}
        key = self._keys.signing_key("tokens")
        return IssuedToken(sign_compact(key, canonical_json(claims), {"typ": _TOKEN_TYPE}), life, scope)

    def _learn(self, token: str, epoch: int, now: datetime) -> _Known:
        try:
            read = read_compact(token)
            claims = read.claims()
        except ValueError as broken:
            raise _stranger() from broken
        good = self._key_of_tokens(read.header.get("kid"), now)
        if good is None or read.header.get("typ") != _TOKEN_TYPE or not read.is_signed_by(good[0]):
            raise _stranger()
        directory = self._directories.current
        office = directory.offices.get(OfficeId(str(claims.get("sub"))))
        expires_at, issued_at = _instant(claims.get("exp")), _instant(claims.get("iat"))
        is_ours = claims.get("iss") == claims.get("aud") == self._settings.issuer
        if issued_at is None or issued_at > now + self._settings.skew:  # made while the clock stood ahead
            raise _stranger()
        if not is_ours or office is None or expires_at is None or office.state is OfficeState.COMPROMISED:
            raise _stranger()
        if directory.signing_keys(office.id, now)(str(claims.get("client_kid"))) is None:
            raise _stranger()
        is_report_only = office.state is OfficeState.SUSPENDED or claims.get("scope") != SCOPE_NOTICES
        confirmation = claims.get("cnf", {}).get("x5t#S256")
        return _Known(Caller(office, is_report_only=is_report_only), epoch, min(expires_at, good[1]), confirmation)

    def _key_of_tokens(self, kid: object, now: datetime) -> tuple[VerifyKey, datetime] | None:
        """The key a token may be signed with, and until when: the one in use, or the one before for a token's life after its end.

        No other published key counts: those of receipts and releases sign no tokens, and a key that was replaced because it
        leaked must not let anybody in for ever. The keys come out of their wrapping, not from the public list.
        """
        life, current = self._settings.token_life, self._keys.signing_key("tokens")
        if kid != current.kid and (self._replaced is None or kid != self._replaced[0].kid):
            self._keys.verification_keys()  # reading them, the store sees whether another node put a new one in use
            current = self._keys.signing_key("tokens")
        if current.kid != self._token_key.kid:
            self._token_key, self._replaced = current, (self._token_key.public(), now + life)
        if kid == current.kid:
            return current.public(), now + life
        if self._replaced is not None and kid == self._replaced[0].kid and now < self._replaced[1]:
            return self._replaced
        return None

    def _keep(self, digest: bytes, known: _Known, now: datetime) -> None:
        if len(self._known) >= self._settings.kept_tokens:
            self._known = {
                kept: entry
                for kept, entry in self._known.items()
                if entry.epoch == known.epoch and entry.expires_at > now
            }
            while len(self._known) >= self._settings.kept_tokens:
                del self._known[next(iter(self._known))]
        self._known[digest] = known


def _stranger() -> Unauthenticated:
    return Unauthenticated("no valid credentials", remedy="get a token at /oauth/token with a registered key")


def _instant(value: object) -> datetime | None:
    """A NumericDate (RFC 7519 2) as an instant; None for anything that is not one of this age of the world."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**33:
        return None
    return datetime.fromtimestamp(value, UTC)


def _one_time(office: OfficeId, jti: str) -> bytes:
    return hashlib.sha256(office.encode() + b"\0" + jti.encode("utf-8", "surrogatepass")).digest()
