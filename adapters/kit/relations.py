"""Whose relation is it, and to whom?

Canonical: this person is X *of the minor* (GB/T 4761). A household register
says X *of the household head*; a prison says the child is X *of the offender*.
Both are converted, never copied. Where the codes do not determine the answer
the functions return None and the adapter names a gap.
"""

from __future__ import annotations

_GUARDIAN_LIKE = frozenset({"50", "51", "52", "57", "58", "60", "61", "62", "63", "64", "ORG"})


def guardian_by_relation(relation: object) -> bool:
    """Whether formats that list kin without a guardian mark mean a guardian by it: parents, grandparents, institutions."""
    return relation in _GUARDIAN_LIKE


def _sexed(sex: str | None, male: str, female: str, unknown: str | None) -> str | None:
    return male if sex == "1" else female if sex == "2" else unknown


def inverse(child_of_person: str, person_sex: str | None) -> str | None:
    """The child is `child_of_person` of the person; what is the person of the child?"""
    code = child_of_person
    if code in ("27", "37"):
        return _sexed(person_sex, "57", "58", None)
    if code[0] in "23":
        return _sexed(person_sex, "51", "52", "50")
    if code in ("41", "42"):
        return _sexed(person_sex, "61", "62", "60")
    if code in ("43", "44"):
        return _sexed(person_sex, "63", "64", "60")
    if code[0] == "4":
        return "60"
    if code[0] == "7":
        return "70"
    if code[0] == "5":
        return _sexed(person_sex, "20", "30", None)
    return None


def through_head(minor_to_head: str, person_to_head: str, person_sex: str | None) -> str | None:
    """Both codes are relations to one household head; what is the person of the minor?"""
    child = minor_to_head[0] in "23"
    grandchild = minor_to_head[0] == "4"
    if person_to_head in ("01", "02"):
        return inverse(minor_to_head, person_sex)
    if person_to_head[0] == "1":
        sex = {"11": "1", "12": "2"}.get(person_to_head, person_sex)
        return inverse(minor_to_head, sex) if child or grandchild else None
    if minor_to_head in ("01", "02"):
        return person_to_head
    if child and person_to_head[0] in "23":
        return "70"
    if child and person_to_head[0] == "5":
        return "60"
    if child and person_to_head[0] == "7":
        return "97"
    return None  # a son or daughter of a grandparent, for one, is the minor's parent, or an uncle or aunt
