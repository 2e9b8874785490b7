"""Notes, checkpoints and policies are read byte by byte, or not at all."""

from __future__ import annotations

import contextlib
import sys
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit import ed25519
from gateway.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, signed_note, unchecked_keys
from gateway.audit.ed25519 import plain_verify_ed25519, verify_ed25519
from gateway.audit.findings import NotEnough, Unreadable, Wrong, decimal, decode_base64
from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    NoteKey,
    parse_note,
    parse_vkey,
    signature_line,
    verified_text,
)
from gateway.audit.proof_text import ProofText, parse_proof
from gateway.audit.trust import check_checkpoint, parse_trust_policy
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, POLICY, T0, WITNESS, WITNESS_PQ, ed25519_signer, mldsa_signer

HEAD = Checkpoint(ORIGIN, 17, bytes(range(32)))
KEYS = [one.key for one in (LOG, LOG_PQ, WITNESS, WITNESS_PQ)]


DEFAULT = (LOG.line(HEAD), LOG_PQ.line(HEAD, T0), WITNESS.line(HEAD, T0), WITNESS_PQ.line(HEAD, T0))


def note_of(*lines: bytes) -> bytes:
    return signed_note(HEAD, lines or DEFAULT)


def test_a_checkpoint_of_ours_is_read_back_with_all_its_lines() -> None:
    checkpoint, note, lines = open_checkpoint(note_of(), KEYS)
    assert checkpoint == HEAD and note.raw == note_of()
    assert [(line.key.type, line.at) for line in lines] == [(1, None), (6, T0), (4, T0), (6, T0)]


@pytest.mark.parametrize("text", [b"0", b"1", b"10", b"9223372036854775807"])
def test_decimals_have_one_spelling(text: bytes) -> None:
    assert decimal(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"00", b"01", b"+1", b"-1", b"1_000", b" 7", b"7\n", b"9223372036854775808", "７".encode(), b"1e3", b"0x1"],
)
def test_what_int_would_kindly_read_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        decimal(text)


@pytest.mark.parametrize(
    "text", [b"AB==", b"AA=", b"A", b"AA==\n", b"A A=", b"AA==AA==", b"-_==", b"AAB=", b"====", "ＡA==".encode()]
)
def test_what_base64_would_kindly_read_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_base64(text)


@given(st.binary(max_size=80))
def test_base64_is_read_back(data: bytes) -> None:
    assert decode_base64(b64encode(data)) == data


@given(st.binary(max_size=400))
@settings(max_examples=300)
def test_no_bytes_break_a_parser(data: bytes) -> None:
    for parse in (
        parse_note,
        parse_checkpoint,
        parse_proof,
        parse_trust_policy,
        lambda raw: parse_vkey(raw.decode("latin-1")),
    ):
        with contextlib.suppress(Unreadable, Wrong):
            parse(data)


@given(st.integers(0, len(note_of()) - 1), st.integers(1, 255))
@settings(max_examples=400, deadline=None)
def test_any_changed_byte_of_a_note_is_found_or_makes_its_line_a_strangers(at: int, flip: int) -> None:
    raw = note_of()
    changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
    try:
        checkpoint, _, lines = open_checkpoint(changed, KEYS)
    except (Unreadable, Wrong):
        return
    # a name or key id was changed: that line is now of an unknown key and is ignored by the format's own rule
    assert checkpoint == HEAD and len(lines) == 3


def test_every_changed_byte_of_the_text_is_found() -> None:
    raw = note_of()
    for at in range(len(HEAD.text) + 1):
        for flip in (0x01, 0x80, 0x20):
            with pytest.raises((Unreadable, Wrong)):
                open_checkpoint(raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :], KEYS)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"text\n\n", b"text\n", HEAD.text, HEAD.text + b"\n", note_of()[:-1], note_of() + b"\n",
        note_of().replace(b"\n", b"\r\n"), note_of().replace("— ".encode(), b"- "), note_of() + b"trailing\n",
        note_of().replace(b"17\n", b"17\x00\n"), note_of().replace(b"17", b"\xff\xfe"), b"\xef\xbb\xbf" + note_of(),
        note_of().replace("— ".encode(), "—  ".encode(), 1), note_of().replace("— ".encode(), "—\u00a0".encode(), 1),
    ],
)  # fmt: skip
def test_a_malformed_note_is_not_read(raw: bytes) -> None:
    with pytest.raises((Unreadable, Wrong)):
        open_checkpoint(raw, KEYS)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"origin\n1\n", f"{ORIGIN}\n017\n".encode() + b64encode(bytes(32)) + b"\n", b"\n1\n" + b64encode(bytes(32)) + b"\n",
        f"{ORIGIN}\n17\n".encode() + b64encode(bytes(31)) + b"\n", f"{ORIGIN}\n17\n".encode() + b64encode(bytes(32)) + b"\n\n",
        f"{ORIGIN}\n17\n".encode() + b64encode(bytes(32)), f"{ORIGIN}\n-1\n".encode() + b64encode(bytes(32)) + b"\n",
        f"{ORIGIN}\n17 \n".encode() + b64encode(bytes(32)) + b"\n",
    ],
)  # fmt: skip
def test_a_malformed_checkpoint_is_not_read(text: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_checkpoint(text)


def test_an_empty_tree_has_the_empty_root_and_extension_lines_are_kept() -> None:
    assert parse_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT).text).size == 0
    with pytest.raises(Wrong):
        parse_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)).text)
    assert parse_checkpoint(Checkpoint(ORIGIN, 1, bytes(32), ("extra line", "other")).text).extensions == (
        "extra line",
        "other",
    )


def test_name_and_id_must_both_match_and_a_known_keys_bad_line_rejects_the_note() -> None:
    stranger = ed25519_signer(ORIGIN, seed=1)
    with pytest.raises(Wrong, match="no known key"):
        open_checkpoint(note_of(stranger.line(HEAD)), KEYS)
    open_checkpoint(note_of(stranger.line(HEAD), LOG.line(HEAD)), KEYS)
    forged = signature_line(ORIGIN, LOG.key.key_id, bytes(64))
    with pytest.raises(Wrong, match="does not hold"):
        open_checkpoint(note_of(LOG.line(HEAD), forged), KEYS)
    renamed = signature_line("other.test/log", LOG.key.key_id, LOG.sign(HEAD.text))
    with pytest.raises(Wrong, match="no known key"):
        open_checkpoint(note_of(renamed), KEYS)


def test_a_key_of_another_name_does_not_sign_for_the_log() -> None:
    other = ed25519_signer("other.test/log")
    with pytest.raises(Wrong, match="no known key of the log"):
        open_checkpoint(note_of(other.line(HEAD)), [*KEYS, other.key])
    with pytest.raises(Wrong, match="no known key of the log"):
        open_checkpoint(note_of(WITNESS.line(HEAD, T0)), KEYS)


def test_a_cosignature_covers_its_time_and_an_mldsa_one_its_cosigner_and_origin() -> None:
    line = WITNESS.line(HEAD, T0)
    blob = decode_base64(line.split(b" ")[2].rstrip(b"\n"))
    later = signature_line(WITNESS.key.name, blob[:4], (T0 + 1).to_bytes(8, "big") + blob[12:])
    with pytest.raises(Wrong, match="cosignature"):
        open_checkpoint(note_of(LOG.line(HEAD), later), KEYS)
    for cosigner, head in ((mldsa_signer("other.test"), HEAD), (WITNESS_PQ, replace(HEAD, origin="other.test/log"))):
        blob = decode_base64(cosigner.line(head, T0).split(b" ")[2].rstrip(b"\n"))
        moved = signature_line(WITNESS_PQ.key.name, WITNESS_PQ.key.key_id, blob[4:])
        with pytest.raises(Wrong, match="cosignature"):
            open_checkpoint(note_of(LOG.line(HEAD), moved), KEYS)


def test_an_unknown_national_signature_line_disturbs_nobody() -> None:
    national = signature_line(ORIGIN, b"\xff\x01\x02\x03", bytes(71))
    assert len(open_checkpoint(note_of(LOG.line(HEAD), national, WITNESS.line(HEAD, T0)), KEYS)[2]) == 2


@pytest.mark.parametrize("signer", [LOG, LOG_PQ, WITNESS, WITNESS_PQ])
def test_a_vkey_is_read_back_and_its_id_is_checked(signer: object) -> None:
    key = signer.key  # type: ignore[attr-defined]
    assert parse_vkey(key.vkey) == key
    name, identifier, blob = key.vkey.rsplit("+", 2)
    for bad in (
        f"{name}+{identifier[::-1]}+{blob}", f"x{name}+{identifier}+{blob}", f"{name}+{identifier.upper()}+{blob}!",
        f"{name}+{identifier}", f"na me+{identifier}+{blob}", f"{name}+{identifier}+{blob}\n", f"+{identifier}+{blob}",
        f"{name}+{identifier}+{blob[:-4]}", f"na\u3000me+{identifier}+{blob}",
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            parse_vkey(bad)


def test_a_note_of_any_text_is_verified_by_its_key() -> None:
    text = "通报\n\n第二段\n".encode()
    raw = text + b"\n" + signature_line(LOG.key.name, LOG.key.key_id, LOG.sign(text))
    assert verified_text(parse_note(raw), [LOG.key]) == text
    with pytest.raises(Wrong):
        verified_text(parse_note(raw), [WITNESS.key])


# RFC 8032 section 7.1, tests 1 to 3.
RFC_8032 = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_plain_ed25519_knows_the_vectors_of_its_standard(key: str, message: str, signature: str) -> None:
    args = bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message)
    assert plain_verify_ed25519(*args) and verify_ed25519(*args)


@given(st.binary(max_size=40), st.integers(0, 95), st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_the_plain_ed25519_and_the_library_are_of_one_mind(message: bytes, at: int, bit: int) -> None:
    key, signature = LOG.key.key, LOG.sign(message)
    assert plain_verify_ed25519(key, signature, message)
    joined = bytearray(key + signature)
    joined[at] ^= 1 << bit
    args = bytes(joined[:32]), bytes(joined[32:]), message
    assert plain_verify_ed25519(*args) == verify_ed25519(*args) is False


def test_a_signature_with_s_above_the_order_is_refused_by_both() -> None:
    signature = LOG.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + ed25519._L
    stretched = signature[:32] + s.to_bytes(32, "little")
    assert not plain_verify_ed25519(LOG.key.key, stretched, b"m")
    assert not verify_ed25519(LOG.key.key, stretched, b"m")
    assert not plain_verify_ed25519(LOG.key.key[:-1], signature, b"m")


def test_without_the_library_mldsa_lines_are_named_and_ed25519_still_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.split(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    _, note, lines = open_checkpoint(note_of(), KEYS)
    assert [line.key.type for line in lines] == [ED25519, COSIGNATURE_ED25519]
    assert unchecked_keys(note, KEYS) == (LOG_PQ.key, WITNESS_PQ.key)
    with pytest.raises(Wrong):
        open_checkpoint(note_of(signature_line(ORIGIN, LOG.key.key_id, bytes(64))), KEYS)


def test_the_policy_is_read_and_its_quorum_counts_each_witness_once() -> None:
    policy = parse_trust_policy(POLICY)
    assert [key.type for key in policy.logs] == [ED25519, COSIGNATURE_MLDSA44]
    assert policy.urls == {"second": "https://witness2.test/"}
    assert policy.is_met_by([WITNESS.key]) and policy.is_met_by([WITNESS_PQ.key]) and not policy.is_met_by([LOG.key])
    both = parse_trust_policy(POLICY.replace(b"any-one any", b"any-one all"))
    assert not both.is_met_by([WITNESS.key, WITNESS.key]) and both.is_met_by([WITNESS_PQ.key, WITNESS.key])


V1, V2 = WITNESS.key.vkey, WITNESS_PQ.key.vkey


@pytest.mark.parametrize(
    "text",
    [
        "", f"log {LOG.key.vkey}\n", "quorum w\n", "quorum none\nquorum none\n", f"log {V1}\nquorum none\n",
        f"witness w {LOG.key.vkey}\nquorum w\n", f"witness none {V1}\nquorum none\n", f"witness w {V1}\nwitness w {V2}\nquorum w\n",
        f"witness a {V1}\nwitness b {V1}\nquorum a\n", f"witness w {V1}\ngroup g 2 w\nquorum g\n", f"witness w {V1}\ngroup g 0 w\nquorum g\n",
        f"witness w {V1}\ngroup g any w w\nquorum g\n", f"witness w {V1}\ngroup g any w\ngroup h any w\nquorum h\n",
        f"group g any w\nwitness w {V1}\nquorum g\n", f"witness w {V1} url more\nquorum w\n", "quorum none extra\n",
        "unknown line\nquorum none\n", "quorum none\x00\n", f"group g any\nwitness w {V1}\nquorum g\n", f"log {LOG.key.vkey}\r\nquorum none\n",
        f"witness w {V1}\ngroup g any g\nquorum g\n", f"witness w {V1}\ngroup g 01 w\nquorum g\n",
    ],
)  # fmt: skip
def test_a_malformed_policy_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_trust_policy(text.encode())


def test_a_policy_may_be_indented_commented_and_in_chinese() -> None:
    text = f" \t# 见证\n\twitness 检察院 {V1} \t\n\n quorum  检察院\n".encode()
    assert parse_trust_policy(text).quorum == "检察院"


def test_too_few_or_too_old_cosignatures_are_not_enough_and_not_wrong() -> None:
    policy = parse_trust_policy(POLICY)
    check_checkpoint(note_of(), policy, not_before=T0)
    check_checkpoint(note_of(LOG.line(HEAD), WITNESS_PQ.line(HEAD, T0)), policy)
    with pytest.raises(NotEnough, match="too few"):
        check_checkpoint(note_of(LOG.line(HEAD), LOG_PQ.line(HEAD, T0)), policy)
    with pytest.raises(NotEnough, match="too old"):
        check_checkpoint(note_of(), policy, not_before=T0 + 1)
    with pytest.raises(Wrong, match="another log"):
        check_checkpoint(note_of(), policy, origin="other.test/log")


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(max_size=50),
)
@settings(deadline=None)
def test_a_proof_file_is_read_back(index: int, path: list[bytes], extra: bytes | None) -> None:
    proof = ProofText(index, tuple(path), note_of(), extra)
    assert parse_proof(proof.raw) == proof


@pytest.mark.parametrize(
    "change",
    [
        (b"@v1", b"@v2"), (b"index 5", b"index 05"), (b"index 5", b"Index 5"), (b"index 5\n", b""), (b"\n\n", b"\n"),
        (b64encode(bytes(32)), b64encode(bytes(31))), (b"index 5\n", b"index 5\r\n"), (b"index 5\n", b"extra AA==\nextra AA==\nindex 5\n"),
    ],
)  # fmt: skip
def test_a_malformed_proof_file_is_not_read(change: tuple[bytes, bytes]) -> None:
    raw = ProofText(5, (bytes(32), bytes(32)), note_of()).raw
    with pytest.raises((Unreadable, Wrong)):
        found = parse_proof(raw.replace(*change, 1))
        parse_note(found.checkpoint)


def test_a_proof_file_has_at_most_63_hashes() -> None:
    with pytest.raises(Unreadable, match="63"):
        parse_proof(ProofText(5, (bytes(32),) * 64, note_of()).raw)


def test_a_name_of_more_than_255_bytes_cannot_cosign_with_mldsa() -> None:
    with pytest.raises(Unreadable):
        mldsa_signer("w" * 256).line(HEAD, T0)
    assert NoteKey("w", COSIGNATURE_ED25519, bytes(32)).key_id != NoteKey("w", ED25519, bytes(32)).key_id
