"""Who gets a token, what it is good for, and what strangers can learn."""

import base64
import json
import time
from datetime import timedelta

import pytest
from jwcrypto import jwk as outside_jwk
from jwcrypto import jws as outside_jws

from gateway.crypto.compact import sign_compact
from gateway.crypto.signing import new_signing_key
from gateway.http.app import STRANGERS
from gateway.http.settings import HttpSettings
from gateway.model.agency import OfficeState
from gateway.model.canonical import canonical_json
from gateway.model.errors import NotPermitted, Unauthenticated
from tests.unit.http.standins import ISSUER, OfficeSystem, StandIn, event


async def ask(standin, form):
    async with standin.client.post("/oauth/token", data=form) as answer:
        return answer.status, dict(answer.headers), await answer.read()


async def test_a_registered_office_gets_a_token_that_others_can_verify(standin):
    status, headers, body = await ask(standin, standin.police.form(standin.clock.now()))
    document = json.loads(body)
    assert (status, document["token_type"], document["scope"]) == (200, "Bearer", "notices")
    assert headers["Cache-Control"] == "no-store"
    async with standin.client.get("/.well-known/jwks.json") as answer:
        keys = outside_jwk.JWKSet.from_json(await answer.text())
    read = outside_jws.JWS.from_jose_token(document["access_token"])
    read.verify(keys)
    claims = json.loads(read.payload)
    assert claims["sub"] == standin.police.office
    assert claims["exp"] - claims["iat"] == document["expires_in"] == 600


async def test_the_metadata_names_endpoint_method_and_algorithms(standin):
    async with standin.client.get("/.well-known/oauth-authorization-server") as answer:
        document = await answer.json()
    assert document["issuer"] == ISSUER
    assert document["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert set(document["token_endpoint_auth_signing_alg_values_supported"]) == {"EdDSA", "ES256"}


async def test_an_assertion_is_good_once(standin):
    form = standin.police.form(standin.clock.now())
    assert (await ask(standin, form))[0] == 200
    assert (await ask(standin, form))[0] == 401


async def test_one_jti_may_be_used_by_two_offices(standin):
    for system in (standin.police, standin.health):
        form = system.form(standin.clock.now(), claims={"jti": "one"})
        assert (await ask(standin, form))[0] == 200


def seconds(standin, **by):
    return int((standin.clock.now() + timedelta(**by)).timestamp())


WRONG_CLAIMS = {
    "another audience": lambda s: {"aud": "https://elsewhere.example/oauth/token"},
    "two audiences": lambda s: {"aud": [f"{ISSUER}/oauth/token", "https://elsewhere.example"]},
    "no audience": lambda s: {"aud": None},
    "another subject": lambda s: {"sub": s.health.office},
    "another issuer": lambda s: {"iss": s.health.office},
    "an unknown issuer": lambda s: {"iss": "courts.999999", "sub": "courts.999999"},
    "expired": lambda s: {"exp": seconds(s, seconds=-61)},
    "no expiry": lambda s: {"exp": None},
    "expiry as text": lambda s: {"exp": "2099"},
    "expiry beyond time": lambda s: {"exp": 10**30},
    "living too long": lambda s: {"exp": seconds(s, hours=1)},
    "not yet valid": lambda s: {"nbf": seconds(s, seconds=61)},
    "issued tomorrow": lambda s: {"iat": seconds(s, days=1)},
    "no jti": lambda s: {"jti": None},
    "an empty jti": lambda s: {"jti": ""},
    "a long jti": lambda s: {"jti": "x" * 300},
    "a number as issuer": lambda s: {"iss": 5, "sub": 5},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
async def test_a_wrong_claim_is_answered_like_every_other_stranger(standin, claims):
    stranger = await ask(standin, {**standin.police.form(standin.clock.now()), "client_assertion": "a.b.c"})
    answer = await ask(standin, standin.police.form(standin.clock.now(), claims=claims(standin)))
    assert (answer[0], answer[2]) == (401, b'{"error":"invalid_client"}') == (stranger[0], stranger[2])
    assert {**answer[1], "Date": ""} == {**stranger[1], "Date": ""}


WRONG_HEADERS = [
    {"kid": "police.440113-2"},
    {"kid": None},
    {"crit": ["exp"], "exp": 1},
    {"typ": "at+jwt"},
    {"b64": True, "crit": ["b64"]},
]


@pytest.mark.parametrize("header", WRONG_HEADERS)
async def test_a_header_cannot_choose_key_or_kind(standin, header):
    system, now = standin.police, standin.clock.now()
    claims = {"iss": system.office, "sub": system.office, "aud": ISSUER, "exp": seconds(standin, minutes=1), "jti": "1"}
    whole = {"alg": "EdDSA", "kid": system.kid, "typ": "JWT"} | header
    whole = {name: value for name, value in whole.items() if value is not None}
    parts = [base64.urlsafe_b64encode(canonical_json(part)).rstrip(b"=") for part in (whole, claims)]
    private = system.key.get_op_key("sign")
    signature = base64.urlsafe_b64encode(private.sign(b".".join(parts))).rstrip(b"=")
    form = system.form(now, assertion=b".".join([*parts, signature]).decode())
    assert (await ask(standin, form))[0] == 401


async def test_a_key_cannot_be_brought_along(standin):
    other = OfficeSystem(standin.police.office)
    assertion = other.assertion(standin.clock.now(), header={"jwk": other.public})
    assert (await ask(standin, other.form(standin.clock.now(), assertion=assertion)))[0] == 401


async def test_a_shared_secret_made_from_the_public_key_opens_nothing(standin):
    public = standin.police.key.export_to_pem()
    shared = outside_jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(public).rstrip(b"=").decode())
    assertion = standin.police.assertion(standin.clock.now(), header={"alg": "HS256"}, key=shared)
    assert (await ask(standin, standin.police.form(standin.clock.now(), assertion=assertion)))[0] == 401


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"client_assertion_type": "urn:other"}, "invalid_request"),
        ({"client_assertion": ""}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
    ],
)
async def test_a_malformed_request_gets_the_error_of_rfc_6749(standin, change, error):
    status, _, body = await ask(standin, {**standin.police.form(standin.clock.now()), **change})
    assert (status, json.loads(body)) == (400, {"error": error})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
        (b"%ff%fe", "application/x-www-form-urlencoded"),
        ("姓名=x".encode(), "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded"),
    ],
)
async def test_a_body_that_is_no_form_is_an_invalid_request(standin, body, kind):
    async with standin.client.post("/oauth/token", data=body, headers={"Content-Type": kind}) as answer:
        assert (answer.status, await answer.json()) == (400, {"error": "invalid_request"})


async def test_every_stranger_gets_the_same_bytes_at_the_api(standin):
    own = (await standin.bearer(standin.police))["Authorization"].removeprefix("Bearer ")
    forged = sign_compact(
        new_signing_key(), canonical_json({"sub": standin.police.office, "exp": 2**32}), {"typ": "at+jwt"}
    )
    receipt_like = sign_compact(
        standin.keys.signing_key("tokens"), canonical_json({"sub": standin.police.office, "exp": 2**32})
    )
    answers = set()
    for credentials in (
        None,
        "",
        "Basic eDp5",
        "Bearer",
        "Bearer ",
        "Bearer a.b.c",
        "Bearer " + "x" * 5000,
        f"Bearer {forged}",
        f"Bearer {receipt_like}",
        f"Bearer {own[:-4]}AAAA",
        f"bearer {own}é",
    ):
        headers = {} if credentials is None else {"Authorization": credentials}
        async with standin.client.post("/v1/notices", data=b"{}", headers=headers) as answer:
            answers.add((answer.status, await answer.read(), answer.headers["WWW-Authenticate"], len(answer.headers)))
    standin.clock.advance(minutes=11)
    async with standin.client.get("/v1/inbox", headers={"Authorization": f"Bearer {own}"}) as answer:
        answers.add((answer.status, await answer.read(), answer.headers["WWW-Authenticate"], len(answer.headers)))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401


async def test_the_cost_of_a_stranger_is_that_of_a_known_office(standin):
    """Processor time of the service alone, in turns: an unknown office is verified against a decoy, so the ratio stays near
    one."""
    unknown = OfficeSystem("courts.999999")
    wrong_key = OfficeSystem(standin.police.office)
    wrong_key.kid = standin.police.kid
    forms = [system.form(standin.clock.now()) for system in (unknown, wrong_key)]
    costs = [[], []]
    for _ in range(60):
        for form, times in zip(forms, costs, strict=True):
            begin = time.thread_time()
            with pytest.raises(Unauthenticated):
                standin.authenticate._assert_client(form["client_assertion"], None)
            times.append(time.thread_time() - begin)
    strangers, known = (sorted(times)[len(times) // 4] for times in costs)
    assert 0.4 < strangers / known < 2.5


async def test_a_suspended_office_may_report_and_nothing_else(standin):
    before = await standin.bearer(standin.police)
    standin.directories.suspend(standin.police.office)
    status, _, body = await ask(standin, standin.police.form(standin.clock.now()))
    assert (status, json.loads(body)["scope"]) == (200, "report-only")
    assert (await standin.send(standin.police, event()))[0] == 202
    assert standin.submit.calls[-1][0].is_report_only
    async with standin.client.post("/v1/inbox/delivery-1/accept", headers=before) as answer:
        assert answer.status == 403


async def test_a_compromised_office_is_a_stranger_at_once(standin):
    before = await standin.bearer(standin.police)
    standin.directories.change(standin.police.office, state=OfficeState.COMPROMISED)
    async with standin.client.get("/v1/inbox", headers=before) as answer:
        assert answer.status == 401
    assert (await ask(standin, standin.police.form(standin.clock.now())))[0] == 401


async def test_a_token_dies_with_the_key_it_was_got_with(standin):
    before = await standin.bearer(standin.police)
    standin.directories.change(standin.police.office, keys=())
    async with standin.client.get("/v1/inbox", headers=before) as answer:
        assert answer.status == 401


async def test_a_published_key_that_signs_no_tokens_now_makes_none(standin):
    """Whoever holds the key that a rotation replaced because it leaked, or one that signs receipts, is a stranger."""
    caller_of, keys = standin.authenticate.caller_of, standin.keys
    leaked, real = keys.signing_key("tokens"), await standin.token(standin.police)

    def forged(key):
        claims = json.loads(base64.urlsafe_b64decode(real.split(".")[1] + "=="))
        life = int(timedelta(days=3650).total_seconds())
        claims |= {"exp": claims["exp"] + life, "jti": str(time.perf_counter_ns())}
        return sign_compact(key, canonical_json(claims), {"typ": "at+jwt"})

    for purpose in ("receipts", "releases", "log"):
        with pytest.raises(Unauthenticated):
            caller_of(forged(keys.signing_key(purpose)))
    early = forged(leaked)
    assert caller_of(early).office == caller_of(real).office
    keys.use_signing_key("tokens", new_signing_key("ES256"))
    assert caller_of(real).office.id == standin.police.office  # got honestly, good until it runs out
    assert caller_of(await standin.token(standin.police)).office.id == standin.police.office
    late = forged(leaked)
    standin.clock.advance(seconds=600)
    for token in (early, late, forged(leaked)):
        with pytest.raises(Unauthenticated):
            caller_of(token)
    assert caller_of(await standin.token(standin.police)).office.id == standin.police.office


async def test_a_token_bound_to_a_certificate_is_nothing_without_it(standin):
    form = standin.police.form(standin.clock.now())
    issued = await standin.authenticate.issue(form, "thumbprint-of-a-certificate")
    assert standin.authenticate.caller_of(issued.access_token, "thumbprint-of-a-certificate").office
    for certificate in (None, "another"):
        with pytest.raises(Unauthenticated):
            standin.authenticate.caller_of(issued.access_token, certificate)


async def test_the_token_shows_in_no_repr(standin):
    issued = await standin.authenticate.issue(standin.police.form(standin.clock.now()))
    assert issued.access_token not in repr(issued)


async def test_kept_tokens_stay_within_their_bound(standin):
    standin.authenticate._settings = type(standin.authenticate.settings)(ISSUER, kept_tokens=3)
    for _ in range(6):
        token = await standin.token(standin.police)
        assert standin.authenticate.caller_of(token)
    assert len(standin.authenticate._known) <= 3


async def test_a_peer_that_keeps_failing_has_to_wait_and_is_counted_per_minute():
    standin = await StandIn(HttpSettings(strangers_per_minute=5)).start()
    try:
        statuses = []
        for _ in range(7):
            async with standin.client.get("/v1/inbox") as answer:
                statuses.append((answer.status, "Retry-After" in answer.headers))
        assert statuses == [(401, False)] * 5 + [(429, True)] * 2
        assert (await ask(standin, {**standin.police.form(standin.clock.now()), "client_assertion": "a.b.c"}))[0] == 429
        strangers = standin.app[STRANGERS]
        assert not strangers.collect()
        standin.clock.advance(minutes=1)
        (counted,) = strangers.collect()
        assert (counted.peer, counted.refusals) == ("127.0.0.1", 8)
        assert not strangers.collect()
        assert (await standin.send(standin.police, event()))[0] == 202
    finally:
        await standin.stop()


async def test_an_office_behind_a_loud_stranger_is_still_served():
    standin = await StandIn(HttpSettings(strangers_per_minute=1)).start()
    try:
        bearer = await standin.bearer(standin.police)
        for _ in range(5):
            async with standin.client.get("/v1/inbox") as answer:
                assert answer.status in (401, 429)
        async with standin.client.get("/v1/inbox", headers=bearer) as answer:
            assert answer.status == 200
        assert (await ask(standin, standin.police.form(standin.clock.now())))[0] == 200
    finally:
        await standin.stop()


async def test_what_a_service_forbids_is_403(standin):
    standin.submit.answer = NotPermitted("a suspended office may send reports alone")
    assert (await standin.send(standin.police, event()))[0] == 403
