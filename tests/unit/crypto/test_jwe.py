"""What we lock opens with another library and one key; what that library locks opens here; nothing else opens."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto import jwe as other
from jwcrypto import jwk

from gateway.crypto.jwe import decrypt, encrypt, encryption_key
from gateway.crypto.signing import b64url, from_b64url
from gateway.model.errors import Tampered


def key_pair():
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (b64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return private, {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "e-1", "use": "enc"}


def test_another_library_opens_what_we_locked():
    private, public = key_pair()
    found = other.JWE()
    found.deserialize(encrypt(public, "在学".encode(), "application/json").decode(), jwk.JWK.from_pyca(private))
    assert found.payload.decode() == "在学"
    assert found.jose_header["kid"] == "e-1"
    assert found.jose_header["cty"] == "application/json"


def test_we_open_what_another_library_locked():
    private, _ = key_pair()
    header = json.dumps({"alg": "ECDH-ES", "enc": "A256GCM"})
    locked = other.JWE(b"text", header, recipient=jwk.JWK.from_pyca(private.public_key()))
    assert decrypt(private, locked.serialize(compact=True).encode()) == b"text"


def test_every_message_has_a_key_of_its_own():
    _, public = key_pair()
    assert len({encrypt(public, b"same", "text/plain").split(b".")[0] for _ in range(3)}) == 3


def test_another_key_or_a_changed_byte_opens_nothing():
    private, public = key_pair()
    locked = encrypt(public, b"text", "text/plain")
    with pytest.raises(Tampered):
        decrypt(key_pair()[0], locked)
    for place, part in enumerate(locked.split(b".")):
        if part:
            parts = locked.split(b".")
            parts[place] = part[:-2] + (b"AA" if part[-2:] != b"AA" else b"BA")
            with pytest.raises(Tampered):
                decrypt(private, b".".join(parts))


def test_a_message_has_one_spelling_and_a_header_of_another_kind_is_refused_cleanly():
    private, public = key_pair()
    protected, _, nonce, text, tag = encrypt(public, b"a text", "text/plain").split(b".")
    both = from_b64url(text.decode()) + from_b64url(tag.decode())
    moved = (b64url(both[:3]).encode(), b64url(both[3:]).encode())
    other = b64url(b'{"alg":"ECDH-ES","enc":"A256GCM","epk":[]}').encode()
    for parts in ((protected, b"", nonce, *moved), (other, b"", nonce, text, tag)):
        with pytest.raises(Tampered):
            decrypt(private, b".".join(parts))


@pytest.mark.parametrize("change", [{"crv": "P-384"}, {"kty": "OKP"}, {"d": "AAAA"}, {"x": b64url(bytes(32))}])
def test_what_is_no_public_p256_key_is_refused(change):
    with pytest.raises(ValueError):
        encryption_key({**key_pair()[1], **change})
