"""How does an office's system talk to the gateway?

Token by `private_key_jwt` (RFC 7523), a detached signature over the exact bytes,
signed receipts that are verified before they are believed, and releases whose
signature is verified before they are handed on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from uuid import uuid4

import aiohttp
import jwt

from gateway.crypto.detached import DetachedVerifier, sign_detached
from gateway.crypto.signing import SigningKey, VerifyKey, load_signing_key, verify_key
from gateway.model.canonical import canonical_json
from gateway.model.errors import BadSignature, Problem, Refusal, Tampered, Unavailable
from gateway.model.identifiers import OfficeId, office_urn, parse_office_id

CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BATCH_RECEIPT = "Hutong-Batch-Receipt"
TOKEN_EARLY_SECONDS = 30


class Answered(Refusal):
    """The gateway refused; `status` and `problem` are its RFC 9457 answer."""

    code = "answered"

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        told = tuple(Problem.heard(p) for p in problem.get("problems", ()) if isinstance(p, dict))
        text = str(problem.get("detail") or problem.get("title") or f"status {status}")
        super().__init__(text, remedy=str(problem.get("remedy", "")), problems=told)
        self.status, self.problem = status, problem


@dataclass(frozen=True, slots=True)
class Profile:
    """An office's own settings: who it is, where the gateway is, which key it signs with."""

    office: OfficeId
    url: str
    key: SigningKey = field(repr=False)

    @classmethod
    def load(cls, directory: Path, office: str) -> Profile:
        """Read `<directory>/<office>/office.toml` and the key file it names. Raises Refusal when it is not there."""
        try:
            path = directory / parse_office_id(office) / "office.toml"
        except ValueError as broken:
            raise Refusal(str(broken), remedy="see `hutong office list` on the gateway") from broken
        if not path.is_file():
            raise Refusal(
                "there is no profile of this office here", remedy="run `hutong office add OFFICE --profile DIR`"
            )
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        key = load_signing_key((path.parent / document["key"]).read_bytes(), document.get("kid"))
        return cls(OfficeId(document["office"]), document["url"].rstrip("/"), key)


@dataclass(frozen=True, slots=True)
class Inbound:
    """One release as it arrived, its signature verified."""

    delivery: str
    revision: int
    lease_token: str
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""


class AgencyClient:
    """One office's connection to the gateway. Use as an async context manager."""

    def __init__(
        self, profile: Profile, *, officer: str = "", purpose: str = "", session: aiohttp.ClientSession | None = None
    ) -> None:
        self.profile, self._officer, self._purpose = profile, officer, purpose
        self._session, self._owns_session = session, session is None
        self._verifier = DetachedVerifier()
        self._gateway_keys: dict[str, VerifyKey] = {}
        self._token, self._token_until = "", 0.0

    async def __aenter__(self) -> Self:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_session and self._session is not None:
            await self._session.close()

    async def submit(
        self, body: bytes, media_type: str, headers: Mapping[str, str] | None = None, signature: str | None = None
    ) -> Any:
        """Push the bytes; answers the receipt document (for a batch, a list with one per notice).

        `headers` with `ce-` names make it binary mode. `signature` is one that was made elsewhere with a key of this
        office; else the profile's key signs.
        Raises Answered for a refusal, Tampered when a receipt does not verify, or the answer to a batch does not answer
        these bytes.
        """
        answer, raw, told = await self._exchange(
            "POST",
            "/v1/notices",
            body,
            {
                "Content-Type": media_type,
                **(headers or {}),
                **({"Hutong-Signature": signature} if signature else self._signature(body, headers or {})),
            },
        )
        if isinstance(answer, list):
            claims = await self.verify_receipt(told.get(BATCH_RECEIPT, ""))
            of = (claims.get("type"), claims.get("body_sha256"), claims.get("answer_sha256"))
            if of != ("batch", hashlib.sha256(body).hexdigest(), hashlib.sha256(raw).hexdigest()):
                raise Tampered("the receipt of a batch answers other bytes than were sent")
        for receipt in answer if isinstance(answer, list) else [answer]:
            if "receipt" in receipt:
                await self.verify_receipt(receipt["receipt"])
        return answer

    async def submit_file(self, body: bytes, media_type: str) -> Any:
        """Push a bulk file; answers its receipt, verified. Its rows follow: see `file` and `file_rows`."""
        answer = await self._call("POST", "/v1/files", body, {"Content-Type": media_type, **self._signature(body)})
        await self.verify_receipt(answer["receipt"])
        return answer

    async def files(self) -> Any:
        """One's own bulk files with their progress, newest first."""
        return await self._call("GET", "/v1/files", None, {})

    async def file(self, file: str) -> Any:
        """How far one's own bulk file is."""
        return await self._call("GET", f"/v1/files/{file}", None, {})

    async def file_rows(self, file: str, cursor: str = "0", limit: int = 500, *, only_refused: bool = False) -> Any:
        """`{"rows": [...], "cursor": ...}`: each row's receipt or problems, from the cursor on."""
        query = f"after={cursor}&max={limit}" + ("&outcome=refused" if only_refused else "")
        return await self._call("GET", f"/v1/files/{file}/rows?{query}", None, {})

    async def upload(self, content: bytes | Path) -> str:
        """Store a document, to be named in a notice by the digest that this answers."""
        whole = content if isinstance(content, bytes) else await asyncio.to_thread(content.read_bytes)
        digest = f"sha256:{hashlib.sha256(whole).hexdigest()}"
        await self._call("PUT", f"/v1/attachments/{digest}", whole, {"Content-Type": "application/octet-stream"})
        return digest

    async def attachment(self, inbound: Inbound, digest: str) -> bytes:
        """A document that a release under lease names. Raises Answered where there is none for this office, Tampered
        when the bytes are not those of the digest."""
        path = f"/v1/attachments/{digest}?delivery={inbound.delivery}"
        whole: bytes = await self._call("GET", path, None, {"Hutong-Lease": inbound.lease_token})
        kind, _, hexadecimal = digest.partition(":")
        if kind == "sha256" and hashlib.sha256(whole).hexdigest() != hexadecimal:
            raise Tampered("an attachment is not what its digest says", remedy="fetch it again")
        return whole

    async def check(self, body: bytes, media_type: str) -> Any:
        return await self._call(
            "POST", "/v1/notices:check", body, {"Content-Type": media_type, **self._signature(body)}
        )

    async def pull(self, limit: int = 20, wait_seconds: int = 0, accept: str = "") -> list[Inbound]:
        """Fetch releases under lease, each signature verified over its exact bytes."""
        headers = {"Accept": accept} if accept else {}
        answer = await self._call("GET", f"/v1/inbox?max={limit}&wait={wait_seconds}", None, headers)
        inbound = []
        for item in answer["items"] if isinstance(answer, dict) else answer:
            body = base64.b64decode(item["data_base64"])
            await self._verified(item["signature"], body)
            inbound.append(
                Inbound(
                    item["delivery"], item["revision"], item["lease_token"], item["content_type"], body,
                    item.get("headers", {}), item["signature"],
                )
            )  # fmt: skip
        return inbound

    async def acknowledge(self, inbound: Inbound) -> Any:
        return await self._json("POST", f"/v1/inbox/{inbound.delivery}/ack", {"lease_token": inbound.lease_token})

    async def give_back(self, inbound: Inbound, reason: str, retry_after_seconds: int | None = None) -> Any:
        told: dict[str, Any] = {"lease_token": inbound.lease_token, "reason": reason}
        if retry_after_seconds is not None:
            told["retry_after_seconds"] = retry_after_seconds
        return await self._json("POST", f"/v1/inbox/{inbound.delivery}/nack", told)

    async def notice(self, notice: str) -> Any:
        """The status of the deliveries of one's own notice; every receipt verified."""
        answer = await self._call("GET", f"/v1/notices/{notice}", None, {})
        for delivery in answer["deliveries"]:
            if "receipt" in delivery:
                await self.verify_receipt(delivery["receipt"])
        return answer

    async def changes(self, cursor: str = "", wait_seconds: int = 0) -> Any:
        """What happened to one's own notices after a cursor; every receipt verified. `{"changes": [...], "cursor": ...}`."""
        answer = await self._call("GET", f"/v1/notices?changed_since={cursor}&wait={wait_seconds}", None, {})
        for change in answer["changes"]:
            if "receipt" in change:
                await self.verify_receipt(change["receipt"])
        return answer

    async def reply(self, delivery: str, action: str, document: Mapping[str, Any]) -> Any:
        """Answer a delivery (`accept`, `decline`, `feedback`), signed over the exact bytes."""
        return await self._signed("POST", f"/v1/inbox/{delivery}/{action}", document)

    async def record_consent(self, name: str, document: Mapping[str, Any]) -> Any:
        """Record a yes or no under the office's own id; answers the records with the person's receipt."""
        return await self._signed("PUT", f"/v1/consents/{name}", document)

    async def withdraw_consent(self, name: str, document: Mapping[str, Any] | None = None) -> Any:
        """Withdraw; answered when nothing that was decided before can leave any more."""
        return await self._signed("POST", f"/v1/consents/{name}/withdrawal", document or {})

    async def consent(self, name: str) -> Any:
        return await self._call("GET", f"/v1/consents/{name}", None, {})

    async def emergency_access(self, document: Mapping[str, Any]) -> Any:
        """Ask for emergency access to one case; what may be seen comes through the inbox."""
        return await self._json("POST", "/v1/emergency-access", document)

    async def relay(self, handle: str, text: str, name: str = "") -> Any:
        """Have a message passed on through a relay handle; the same name and text again answers the first receipt."""
        document = {"text": text, **({"id": name} if name else {})}
        return await self._signed("POST", f"/v1/relay/{handle}", document)

    async def usage_receipt(self, document: Mapping[str, Any]) -> Any:
        """Tell how a release was used (`kind` use) or destroyed (`kind` disposal)."""
        return await self._json("POST", "/v1/usage-receipts", document)

    async def set_webhook(self, document: Mapping[str, Any]) -> Any:
        """Say where this office wants to be called: `{"url": ..., "trust_pem": ...}`, or `{}` for nowhere."""
        return await self._signed("PUT", "/v1/webhook", document)

    async def verify_receipt(self, receipt: str) -> Mapping[str, Any]:
        """The claims of a receipt (compact JWS); Tampered when it is not the gateway's or not for this office."""
        try:
            kid = jwt.get_unverified_header(receipt)["kid"]
            key = await self._gateway_key(kid)
            public = getattr(key, "key", None)
            if key is None or public is None:
                raise Tampered("the receipt names a key the gateway does not publish")
            claims: Mapping[str, Any] = jwt.decode(
                receipt, public, algorithms=[key.algorithm], audience=office_urn(self.profile.office),
                options={"verify_iat": False},
            )  # fmt: skip
        except (jwt.PyJWTError, KeyError) as broken:
            raise Tampered("the receipt does not verify") from broken
        return claims

    async def _signed(self, method: str, path: str, document: Mapping[str, Any]) -> Any:
        """An order: signed for this call, for now and once."""
        body = canonical_json(document)
        order = {"order": f"{method} {path}", "iat": int(time.time()), "jti": str(uuid4())}
        signature = sign_detached(self.profile.key, body, order)
        return await self._call(method, path, body, {"Content-Type": "application/json", "Hutong-Signature": signature})

    async def _json(self, method: str, path: str, document: Mapping[str, Any]) -> Any:
        return await self._call(method, path, canonical_json(document), {"Content-Type": "application/json"})

    async def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        return (await self._exchange(method, path, body, headers))[0]

    async def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[Any, bytes, Mapping[str, str]]:
        """What was answered, its exact bytes, and the headers beside it."""
        assert self._session is not None
        sent = {"Authorization": f"Bearer {await self.token()}", **headers}
        if self._officer:
            sent["Hutong-Officer"] = self._officer
        if self._purpose:
            sent["Hutong-Purpose"] = self._purpose
        try:
            async with self._session.request(method, self.profile.url + path, data=body, headers=sent) as response:
                raw = await response.read()
                if response.status == 204:
                    return [], raw, response.headers
                if response.status == 200 and response.content_type == "application/octet-stream":
                    return raw, raw, response.headers
                answer = _document(raw, response.status)
                if response.status == 401:
                    self._token = ""  # the next call comes with a fresh one
                if response.status >= 400:
                    raise Answered(response.status, answer if isinstance(answer, dict) else {})
                return answer, raw, response.headers
        except (aiohttp.ClientError, TimeoutError) as broken:
            raise _silent() from broken

    async def token(self) -> str:
        """The access token of this office, fetched anew shortly before its end."""
        if self._token and time.monotonic() < self._token_until:
            return self._token
        assert self._session is not None
        now = int(time.time())
        token_url = f"{self.profile.url}/oauth/token"
        claims = {
            "iss": self.profile.office,
            "sub": self.profile.office,
            "aud": token_url,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid4()),
        }
        key = self.profile.key
        assertion = jwt.encode(claims, _pem(key), algorithm=key.algorithm, headers={"kid": key.kid})
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": CLIENT_ASSERTION,
            "client_assertion": assertion,
        }
        try:
            async with self._session.post(token_url, data=form) as response:
                answer = _document(await response.read(), response.status)
                if response.status != 200:
                    raise Answered(response.status, answer if isinstance(answer, dict) else {})
        except (aiohttp.ClientError, TimeoutError) as broken:
            raise _silent() from broken
        self._token = answer["access_token"]
        self._token_until = time.monotonic() + answer["expires_in"] - TOKEN_EARLY_SECONDS
        return self._token

    def _signature(self, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
        """Over the bytes, and in binary mode over the CloudEvents attributes beside them."""
        beside = {name[3:].lower(): value for name, value in headers.items() if name.lower().startswith("ce-")}
        return {"Hutong-Signature": sign_detached(self.profile.key, body, {"ce": beside} if beside else None)}

    async def _verified(self, signature: str, body: bytes) -> None:
        missing: list[str] = []

        def key_of(kid: str) -> VerifyKey | None:
            key = self._gateway_keys.get(kid)
            if key is None:
                missing.append(kid)
            return key

        try:
            self._verifier.verify(signature, body, key_of)
        except BadSignature:
            if not missing:
                raise
            await self._gateway_key(missing[0])  # a key not seen before: asked for once, not with every delivery
            self._verifier.verify(signature, body, self._gateway_keys.get)

    async def _gateway_key(self, kid: str) -> VerifyKey | None:
        if kid not in self._gateway_keys:
            assert self._session is not None
            try:
                async with self._session.get(f"{self.profile.url}/.well-known/jwks.json") as response:
                    if response.status != 200:
                        raise _silent()
                    published = _document(await response.read(), response.status)
            except (aiohttp.ClientError, TimeoutError) as broken:
                raise _silent() from broken
            self._gateway_keys = {key["kid"]: verify_key(key) for key in published["keys"]}
        return self._gateway_keys.get(kid)


def _silent() -> Unavailable:
    return Unavailable("the gateway does not answer", remedy="check the address and try again")


def _document(raw: bytes, status: int) -> Any:
    """The gateway answers JSON. What stands between may answer anything else: an error is one all the same, and all
    the rest says nothing about the notice."""
    try:
        return json.loads(raw)
    except ValueError as foreign:
        if status >= 400:
            return {}
        raise Unavailable(
            "something other than the gateway answered", remedy="check the address and proxy"
        ) from foreign


def _pem(key: SigningKey) -> bytes:
    lines = base64.encodebytes(key.private_bytes())
    return b"-----BEGIN PRIVATE KEY-----\n" + lines + b"-----END PRIVATE KEY-----\n"
