"""What every key store must do. A module of one engine gives the fixture `keys` (open) and `reopen`, which ends it as told and opens it again."""

from __future__ import annotations

import asyncio

import pytest

from gateway.crypto.signing import new_signing_key, verify_key
from gateway.model.errors import Unavailable
from gateway.model.identifiers import KeyId


class KeyStoreSuite:
    def test_keys_that_are_taken_are_all_different_and_open(self, keys):
        taken = [key for _ in range(40) for key in keys.take(5)]
        assert len({key.id for key in taken}) == len({key.secret for key in taken}) == 200
        assert {len(key.secret) for key in taken} == {32}
        assert all(keys.open(key.id) == key.secret for key in taken)

    def test_a_key_never_shows_its_secret(self, keys):
        (key,) = keys.take(1)
        assert key.secret.hex() not in repr(key)
        assert str(key.secret) not in repr(key)

    @pytest.mark.parametrize("how", ["closed", "killed"])
    def test_a_key_that_was_handed_out_survives_the_end_of_the_process(self, keys, reopen, how):
        taken = keys.take(3)
        keys = reopen(how)
        assert [keys.open(key.id) for key in taken] == [key.secret for key in taken]

    @pytest.mark.parametrize("how", ["closed", "killed"])
    def test_no_key_is_handed_out_twice_across_ends(self, keys, reopen, how):
        taken = list(keys.take(10))
        for _ in range(3):
            keys = reopen(how)
            taken += keys.take(10)
        assert len({key.id for key in taken}) == len({key.secret for key in taken}) == 40

    def test_a_store_that_runs_dry_says_so_and_recovers(self, keys):
        taken = []
        with pytest.raises(Unavailable):
            for _ in range(100):
                keys.stock_refilled.clear()
                taken += keys.take(3000)
        assert keys.stock_refilled.wait(10)
        taken += keys.take(1000)
        assert len({key.id for key in taken}) == len(taken)

    def test_what_was_never_a_key_does_not_open(self, keys):
        for name in ("00" * 16, "no key", ""):
            assert keys.open(KeyId(name)) is None

    async def test_a_destroyed_key_never_opens_again(self, keys, reopen):
        gone, stays = keys.take(2)
        await keys.destroy([gone.id, KeyId("no key")])
        assert keys.open(gone.id) is None
        assert keys.open(stays.id) == stays.secret
        keys = reopen("closed")
        assert keys.open(gone.id) is None
        assert keys.open(stays.id) == stays.secret

    async def test_destroying_again_changes_nothing(self, keys):
        (key,) = keys.take(1)
        await asyncio.gather(keys.destroy([key.id]), keys.destroy([key.id]))
        assert keys.open(key.id) is None

    def test_a_named_secret_stays_the_same_and_each_is_its_own(self, keys, reopen):
        first, other = keys.secret("aliases"), keys.secret("lanes")
        assert len(first) == 32
        assert first != other
        keys = reopen("killed")
        assert (keys.secret("aliases"), keys.secret("lanes")) == (first, other)
        assert [keys.knows_secret(name) for name in ("aliases", "lanes", "never")] == [True, True, False]

    def test_a_signing_key_stays_until_it_is_rotated_and_the_old_one_stays_verifiable(self, keys, reopen):
        old = keys.signing_key("receipts")
        signature = old.sign(b"receipt")
        keys = reopen("closed")
        assert keys.signing_key("receipts").kid == old.kid
        new = new_signing_key("ES256")
        keys.use_signing_key("receipts", new)
        assert new.kid != old.kid
        assert keys.signing_key("receipts").kid == new.kid
        keys = reopen("killed")
        assert keys.signing_key("receipts").kid == new.kid
        by_kid = {jwk["kid"]: verify_key(jwk) for jwk in keys.verification_keys()}
        assert by_kid[old.kid].is_signed(signature, b"receipt")
        assert by_kid[new.kid].is_signed(keys.signing_key("receipts").sign(b"another"), b"another")

    def test_each_purpose_has_a_key_of_its_own(self, keys):
        kids = {keys.signing_key(purpose).kid for purpose in ("receipts", "releases", "tokens", "log")}
        assert len(kids) == 4
        assert {jwk["kid"] for jwk in keys.verification_keys()} == kids

    def test_public_keys_hold_no_private_parts(self, keys):
        keys.signing_key("receipts")
        assert all("d" not in jwk for jwk in keys.verification_keys())

    def test_an_unknown_purpose_has_no_key(self, keys):
        with pytest.raises(ValueError, match="receipts"):
            keys.signing_key("anything")
