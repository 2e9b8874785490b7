"""What is remembered about persons is bounded, and the store's word replaces it."""

from __future__ import annotations

from gateway.model.identifiers import KeyId, PersonId
from gateway.ports.storage import PersonLink
from gateway.services import acquaintance
from gateway.services.acquaintance import Acquaintance

A, B = (PersonId("a"), KeyId("ka")), (PersonId("b"), KeyId("kb"))


def test_a_new_person_is_remembered_by_every_alias():
    met = Acquaintance()
    met.meet([PersonLink(*A[:1], "p1", A[1], (b"1", b"2"), True)])
    assert met == {b"1": A, b"2": A}


def test_an_unknown_alias_of_a_known_person_is_not_believed_to_be_theirs():
    met = Acquaintance({b"1": A})
    met.meet([PersonLink(A[0], "p1", A[1], (b"1", b"new"), False)])
    assert met == {b"1": A}


def test_what_the_store_says_replaces_what_was_remembered():
    met = Acquaintance({b"1": A, b"2": A, b"3": A})
    met.correct([b"1", b"2"], {b"2": B})
    assert met == {b"2": B, b"3": A}


def test_the_oldest_are_forgotten_first(monkeypatch):
    monkeypatch.setattr(acquaintance, "KEPT_ALIASES", 2)
    met = Acquaintance()
    for n in range(4):
        met.meet([PersonLink(A[0], "p1", A[1], (bytes([n]),), True)])
    assert list(met) == [b"\x02", b"\x03"]
