"""Signatures hold for exactly the bytes, key and algorithm they were made with."""

import base64
import json

import pytest
from jwcrypto import jwk as outside_jwk
from jwcrypto import jws as outside_jws

from gateway.crypto.detached import DetachedVerifier, sign_detached
from gateway.crypto.signing import (
    b64url,
    from_b64url,
    load_signing_key,
    new_signing_key,
    thumbprint,
    verify_key,
)
from gateway.model.errors import BadSignature
from tests.support.samples import ROOT, needs_samples

ALGORITHMS = ["EdDSA", "ES256"]
BODY = '{"姓名":"李小测"}'.encode()


def known(*keys):
    return {key.kid: key.public() for key in keys}.get


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_over_the_exact_bytes_verifies(algorithm):
    key = new_signing_key(algorithm)
    signed = DetachedVerifier().verify(sign_detached(key, BODY, {"typ": "JOSE"}), BODY, known(key))
    assert signed.header["typ"] == "JOSE"
    assert signed.key.kid == key.kid


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_any_changed_byte_of_the_body_is_found(algorithm):
    key = new_signing_key(algorithm)
    jws = sign_detached(key, BODY)
    for position in range(len(BODY)):
        changed = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        with pytest.raises(BadSignature):
            DetachedVerifier().verify(jws, changed, known(key))


def header_of(**members):
    return b64url(json.dumps(members).encode())


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "b64": False, "crit": ["b64"]},
        {"alg": "HS256", "b64": False, "crit": ["b64"]},
        {"alg": "ES256", "b64": False, "crit": ["b64"]},
        {"alg": "EdDSA", "crit": ["b64"]},
        {"alg": "EdDSA", "b64": True, "crit": ["b64"]},
        {"alg": "EdDSA", "b64": False},
        {"alg": "EdDSA", "b64": False, "crit": ["b64", "exp"]},
        {"alg": "EdDSA", "b64": False, "crit": ["b64"], "jwk": {}},
    ],
)
def test_a_header_cannot_choose_another_algorithm_or_rule(header):
    key = new_signing_key("EdDSA")
    text = header_of(kid=key.kid, **header)
    signature = b64url(key.sign(text.encode() + b"." + BODY))
    with pytest.raises(BadSignature):
        DetachedVerifier().verify(f"{text}..{signature}", BODY, known(key))


@pytest.mark.parametrize("jws", ["", ".", "..", "a..b", "a.b.c", "a..b..c", "é..é", "e30..AA", "x" * 9000])
def test_garbage_is_refused_with_a_remedy(jws):
    with pytest.raises(BadSignature) as refused:
        DetachedVerifier().verify(jws, BODY, lambda _: None)
    assert refused.value.remedy


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_implementation_verifies_ours_and_we_verify_theirs(algorithm):
    key = new_signing_key(algorithm)
    theirs = outside_jws.JWS(BODY)
    theirs.deserialize(sign_detached(key, BODY).replace("..", f".{base64.urlsafe_b64encode(b'').decode()}."))
    theirs.objects["payload"] = BODY
    theirs.verify(outside_jwk.JWK(**key.public().jwk()))

    private = outside_jwk.JWK.from_pem(
        b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(key.private_bytes()) + b"-----END PRIVATE KEY-----\n"
    )
    made = outside_jws.JWS(BODY)
    header = json.dumps({"alg": algorithm, "b64": False, "crit": ["b64"], "kid": key.kid})
    made.add_signature(private, alg=algorithm, protected=header)
    made.detach_payload()
    assert DetachedVerifier().verify(made.serialize(compact=True), BODY, known(key)).key.kid == key.kid


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_survives_its_own_file(algorithm):
    key = new_signing_key(algorithm)
    assert load_signing_key(key.private_bytes()).kid == key.kid == thumbprint(key.public().jwk())
    assert verify_key(key.public().jwk()).is_signed(key.sign(BODY), BODY)


def test_a_private_key_is_not_taken_for_a_public_one():
    with pytest.raises(ValueError, match="private"):
        verify_key({**new_signing_key().public().jwk(), "d": "AA"})


@pytest.mark.parametrize("text", ["AA==", "AB", "A A", "_-*"])
def test_base64url_is_read_strictly(text):
    with pytest.raises(ValueError, match=r".*"):
        from_b64url(text)


@needs_samples
@pytest.mark.samples
def test_published_ed25519_jws_verifies():
    vector = json.loads((ROOT / "jose" / "curve25519_jws.json").read_text())
    key = verify_key({name: value for name, value in vector["input"]["key"].items() if name != "d"})
    header, payload, signature = vector["output"]["compact"].split(".")
    assert key.is_signed(from_b64url(signature), f"{header}.{payload}".encode())
