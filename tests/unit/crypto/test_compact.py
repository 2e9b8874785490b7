"""A compact JWS is believed only with a key of ours, in that key's own algorithm."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto import jwk as outside_jwk
from jwcrypto import jws as outside_jws

from gateway.crypto.compact import read_compact, read_object, sign_compact
from gateway.crypto.detached import DetachedVerifier
from gateway.crypto.signing import new_signing_key, verify_key
from gateway.model.errors import BadSignature
from tests.support.samples import ROOT, needs_samples, sample_files

ALGORITHMS = ["EdDSA", "ES256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ours_is_verified_by_another_implementation_and_theirs_by_us(algorithm):
    key = new_signing_key(algorithm)
    ours = outside_jws.JWS.from_jose_token(sign_compact(key, b"{}", {"typ": "JWT"}))
    ours.verify(outside_jwk.JWK(**key.public().jwk()))

    shape = {"kty": "OKP", "crv": "Ed25519"} if algorithm == "EdDSA" else {"kty": "EC", "crv": "P-256"}
    their_key = outside_jwk.JWK.generate(**shape)
    theirs = outside_jws.JWS(b'{"a":1}')
    theirs.add_signature(their_key, alg=algorithm, protected=json.dumps({"alg": algorithm}))
    read = read_compact(theirs.serialize(compact=True))
    assert read.is_signed_by(verify_key(their_key.export_public(as_dict=True)))
    assert read.claims() == {"a": 1}
    assert not read.is_signed_by(key.public())


@given(st.text(max_size=200) | st.text("abcAB-_.=ey0", max_size=60))
def test_any_text_is_read_or_refused_and_never_more(text):
    try:
        read_compact(text)
    except ValueError:
        return


@given(st.binary(max_size=100))
def test_any_bytes_are_one_object_or_refused(raw):
    try:
        assert isinstance(read_object(raw), dict)
    except ValueError:
        return


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b'{"a":NaN}', b"[1]", b"1", b'{"a":' * 5000, b"\xff\xfe{\x00}\x00"])
def test_what_two_readers_could_read_differently_is_refused(raw):
    with pytest.raises(ValueError, match=r".*"):
        read_object(raw)


def encoded(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "header",
    [{}, {"alg": 5}, {"alg": "EdDSA", "crit": []}, {"alg": "EdDSA", "b64": False}, {"alg": "EdDSA", "zip": "DEF"}],
)
def test_a_header_that_asks_for_more_than_is_understood_is_refused(header):
    with pytest.raises(ValueError, match=r".*"):
        read_compact(f"{encoded(header)}.e30.AA")


def test_the_none_algorithm_has_no_key():
    read = read_compact(f"{encoded({'alg': 'none'})}.e30.AA")
    assert not any(read.is_signed_by(new_signing_key(algorithm).public()) for algorithm in ALGORITHMS)


@needs_samples
@pytest.mark.samples
def test_published_signatures_in_other_algorithms_are_refused():
    ours = [new_signing_key(algorithm).public() for algorithm in ALGORITHMS]
    seen = 0
    for path in sample_files("jose", "*.json"):
        if not path.name.startswith(("jws", "rfc7797", "curve25519_jws")):
            continue
        vector = json.loads(path.read_text())
        output = vector["output"]
        for text in [output.get("compact", ""), json.dumps(output.get("json", {}))]:
            seen += 1
            try:
                read = read_compact(text)
            except ValueError:
                continue
            assert not any(read.is_signed_by(key) for key in ours), path.name
        compact = output.get("compact", "")
        payload = vector["input"]["payload"].encode()
        if compact.count(".") == 2:
            header, _, signature = compact.split(".")
            for key in ours:
                with pytest.raises(BadSignature):
                    DetachedVerifier().verify(f"{header}..{signature}", payload, lambda _, key=key: key)
    assert seen > 10


@needs_samples
@pytest.mark.samples
def test_keys_of_other_kinds_uses_or_shapes_are_no_signing_keys_of_an_office():
    groups = json.loads((ROOT / "jose" / "wycheproof_json_web_key_test.json").read_text())["testGroups"]
    seen = 0
    for group in groups:
        for key in (group.get("public") or group.get("private"))["keys"]:
            seen += 1
            is_good = key["kty"] == "EC" and key["crv"] == "P-256" and key["alg"] == "ES256" and key["use"] == "sig"
            on_curve = is_good and not key["y"].endswith("nw")
            if on_curve and "d" not in key:
                verify_key(key)
            else:
                with pytest.raises(ValueError, match=r".*"):
                    verify_key(key)
    assert seen > 20


@needs_samples
@pytest.mark.samples
def test_no_published_private_or_shared_key_is_taken_for_a_public_one():
    for name in ("jwk_3_2.ec_private_key", "jwk_3_4.rsa_private_key", "jwk_3_5.symmetric_key_mac_computation"):
        key = json.loads((ROOT / "jose" / f"{name}.json").read_text())
        with pytest.raises(ValueError, match=r".*"):
            verify_key(key)


def test_a_key_for_encryption_or_with_a_short_coordinate_verifies_nothing():
    good = new_signing_key("ES256").public().jwk()
    for change in ({"use": "enc"}, {"key_ops": ["sign"]}, {"x": "AA"}, {"alg": "EdDSA"}, {"crv": "P-384"}):
        with pytest.raises(ValueError, match=r".*"):
            verify_key({**good, **change})
