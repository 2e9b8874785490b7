"""What do all clinical formats have in common about people?

Who is a minor, who guards, which number is a resident identity, how a name of
parts is put together, whose relation a code tells. Positions come from the
format; nothing here knows one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from adapters.health.observations import is_sexual
from adapters.kit.codetables import CodeTable, canonical_tables, shared_tables
from adapters.kit.conversion import Noted, Unmappable
from adapters.kit.identity_values import read_citizen_id
from adapters.kit.lens import Reading, fill
from adapters.kit.native import Position, Tree
from adapters.kit.persons import settle_roles
from adapters.kit.text import has_private_use
from gateway.model.errors import Problem

CITIZEN = re.compile(r"[0-9]{17}[0-9Xx]")
HAN = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
RESIDENT_OID = "2.16.156.10011.1.3"
# HL7 RoleCode, v2 0063 and SNOMED CT: X of the patient, by GB/T 4761.
ROLES = {
    "NFTH": "51", "NFTHF": "51", "NMTH": "52", "GESTM": "52", "NPRN": "50", "STPFTH": "57", "ADOPTF": "57",
    "STPMTH": "58", "ADOPTM": "58", "PRNINLAW": "97", "PGRFTH": "61", "PGRMTH": "62", "MGRFTH": "63", "MGRMTH": "64",
    "GGRPRN": "97", "NBRO": "73", "NSIS": "77", "NSIB": "70", "TWIN": "70", "HSIB": "70", "SONC": "20", "DAUC": "30",
    "PUNCLE": "81", "MUNCLE": "85", "PAUNT": "84", "MAUNT": "88", "COUSN": "97", "FAMMEMB": "97",
    "HUSB": "11", "NBOR": "99", "ROOM": "99", "FRND": "99",
    "72705000": "52", "66839005": "51", "40683002": "50", "394859001": "62", "394858009": "61",
}  # fmt: skip
# An ordinary clinical message about a child, not written for the exchange: an observation for the ledger (DOMAIN 3.2, LED).
ORDINARY = "~ordinary"
CLINICAL_REFERRAL = "a clinical referral names no need or measure of the exchange; taken as an observation"
OBSERVED = {"change": "change", "reason": "health"}
_NO_NAMES = frozenset({"无名氏", "无名"})
# What a format puts into a person while it reads: the number of the record, and of the patient whose relative it is.
OWN, PATIENT = "~self", "~patient"
FORMER = "~former"  # a relation that has ended, or stands in a record that is out of use
CHILD = "~child"  # as a relation, until the sex is known
NOT_HERE = -1
DAY = "~day"  # in the envelope while a message without a time is read: the day on which age counts
GUARDIANS = frozenset({"GUARD", "GUADLTM", "GRD", "RESPRSN", "POWATT", "HPOWATT", "监护人"})
# A child of the patient, boy or girl: HL7's RoleCode and v2 0063 have a word that GB/T 4761 has not.
_CHILDREN = frozenset({"CHD", "CHILD", "NCH", "NCHILD", "子女"})
# Where a code stands in one of these its label only explains it. Anybody's own numbering is known by its label.
_RELATION_SYSTEMS = re.compile(r"4761|2\.3\.3\.8$|0063|RoleCode|5\.111$|6\.96$|snomed", re.IGNORECASE)
Identifier = tuple[str, str, Position]  # kind (canonical document type, or "" for a local number), number, position


_NOTHING = re.compile(r"[-—─–_/\\.?？*＊]+|无|不详|未知|不明|null|n/a", re.IGNORECASE)


def is_something(text: object) -> bool:
    """Whether a name or number would be read as one: what only fills its place must not be written as one either."""
    return isinstance(text, str) and bool(text) and text == text.strip() and _NOTHING.fullmatch(text) is None


def says_nothing(text: str, at: Position, target: str, reading: Reading) -> bool:
    """Whether a name or number only fills its place (`-`, 不详, `***`), which is named."""
    if _NOTHING.fullmatch(text) is None:
        return False
    if text.strip("*＊"):
        reading.gap("placeholder", at, "stands where a value is not known", target)
    else:
        reading.gap("masked-value", at, "the sender masked this value", target)
    return True


def name_the_unknown(reading: Reading) -> None:
    """A hospital calls a patient of whom it knows no name 无名氏: that is no name, and two such children are not one."""
    for person in reading.persons:
        if person.get("name") not in _NO_NAMES:
            continue
        del person["name"]
        reading.sources[:] = [
            (target, "/unidentified" if target is person and pointer == "/name" else pointer, at)
            for target, pointer, at in reading.sources
        ]
        person["unidentified"] = True


def note_observation(reading: Reading) -> None:
    """What an ordinary clinical message means to the ledger, where `before_reading` found it to be one."""
    if reading.envelope.pop(ORDINARY, None) is not None:
        fill(reading.data, ("ledger",), dict(OBSERVED))


def take_identifiers(found: Sequence[Identifier], target: Tree, reading: Reading) -> None:
    """A resident identity before any other document, and one local number; the rest are named gaps."""
    for kind, number, where in sorted(found, key=lambda entry: entry[0] != "ID"):
        path: tuple[str, ...] = ("id_no",) if kind else ("key",)
        if says_nothing(number, where, f"persons.{path[0]}", reading):
            continue
        if kind == "ID":
            try:
                read = read_citizen_id(number)
            except Unmappable as error:
                reading.gap(error.code, where, error.message, "persons.id_no")
                continue
            if isinstance(read, Noted):
                reading.gap(read.code, where, read.message, "persons.id_no")
                if read.code == "id-form":
                    kind, path = "", ("key",)
                read = read.value
            number = str(read)
        if kind and target.get("id_type", kind) != kind and "id_no" not in target:
            del target["id_type"]
        if path[0] in target and target[path[0]] != number:
            reading.gap("identifier", where, "a further identifier has no canonical field", f"persons.{path[0]}")
            continue
        target[path[0]] = number
        reading.note(target, path, where)
        if kind:
            target["id_type"] = kind
            reading.note(target, ("id_type",), where)


def take_names(names: Sequence[tuple[str, Position]], target: Tree, reading: Reading) -> None:
    """The first name is the name, the next different one the alias."""
    seen: set[str] = set()
    for name, where in names:
        if not name or name in seen or says_nothing(name, where, "persons.name", reading):
            continue
        seen.add(name)
        path = ("name",) if "name" not in target else ("alias",)
        if not fill(target, path, name):
            reading.gap("repeated", where, "a further name has no canonical field", "persons.alias")
            continue
        reading.note(target, path, where)
        if has_private_use(name):
            message = "holds a character that only one vendor's font knows"
            reading.gap("private-use-character", where, message, f"persons.{path[0]}")


def joined_name(family: Sequence[str], given: Sequence[str]) -> str:
    """A Chinese name is family and given without a blank; any other is given names first."""
    parts = [part.strip() for part in (*family, *given) if part.strip()]
    if parts and all(HAN.search(part) for part in parts):
        return "".join(parts)
    return " ".join(part.strip() for part in (*given, *family) if part.strip())


def relation_of(said: Sequence[str], table: CodeTable) -> str | None:
    """The canonical relation of the first code or label that GB/T 4761 or HL7's tables know."""
    for text in said:
        if text:
            found = shared_tables()["relation"].find(text) or table.find(text)
            if found is not None:
                return found
    return None


def take_relation(
    said: Sequence[tuple[str, str, str]], table: CodeTable, target: Tree, at: Position, reading: Reading
) -> None:
    """(system, code, label) of a relation to the patient. A guardian's role marks a guardian."""
    is_unknown = False
    for system, code, label in said:
        if code.upper() in GUARDIANS or label.upper() in GUARDIANS or label.lower() == "guardian":
            target["~guardian"] = True
            continue
        if code.upper() in _CHILDREN or label in _CHILDREN:
            relation: str | None = CHILD
        else:
            by_code = ROLES.get(code.upper()) or relation_of((code,), table)
            by_label = relation_of((label, label.rpartition(" ")[2]), table)
            relation = by_code or by_label
            if by_code and by_label and not _agree(by_code, by_label):
                reading.gap("code-conflict", at, "the code and its label say different things", "persons.relation")
                relation = by_code if _RELATION_SYSTEMS.search(system) else by_label
        if relation is not None:
            if fill(target, ("relation",), relation):
                reading.note(target, ("relation",), at)
            return
        is_unknown = True
    if is_unknown:
        reading.gap("unmapped-code", at, "neither in code table `GB/T 4761` nor in HL7's", "persons.relation")


def _agree(one: str, other: str) -> bool:
    """Whether two relations are the same, or one is the kind that the other is of: a parent, a father."""
    tables = canonical_tables()
    return one == other or tables.parent("relation", one) == other or tables.parent("relation", other) == one


def has_ended(end: str, reading: Reading) -> bool:
    """Whether something that lasts until `end` was over when the message was sent; an end beside no such day is one."""
    digits = "".join(filter(str.isdigit, end))[:8]
    day = (reading.envelope.get("@time") or reading.envelope.get(DAY, ""))[:10].replace("-", "")
    return bool(digits) and (not day or digits < day[: len(digits)])


def take_end(end: str, at: Position, target: Tree, reading: Reading) -> bool:
    """Whether a relation has ended: it is said, and whoever stands in it is no guardian by it."""
    if not has_ended(end, reading):
        return False
    target[FORMER] = True
    reading.gap("former", at, "the relation has ended; nobody is taken for a guardian by it", "persons.roles")
    return True


def _part_from_former(reading: Reading) -> None:
    for person in reading.persons:
        if person.pop(FORMER, False) and person["roles"] == ["member"]:
            person["roles"] = ["other"]
            person.pop("~guardian", None)


def name_children(reading: Reading) -> None:
    """A child of the patient is a son or a daughter by its sex; GB/T 4761 has no word for one of unknown sex."""
    for person in reading.persons:
        if person.get("relation") != CHILD:
            continue
        relation = {"1": "20", "2": "30"}.get(str(person.get("sex")))
        if relation is not None:
            person["relation"] = relation
            continue
        del person["relation"]
        for entry in [entry for entry in reading.sources if entry[0] is person and entry[1] == "/relation"]:
            reading.sources.remove(entry)
            message = "a child of the patient whose sex is not known: neither son nor daughter"
            reading.gap("unmapped-code", entry[2], message, "persons.relation")


def protect_sexual_detail(reading: Reading) -> None:
    """A description of injuries that tells of sexual harm goes to that compartment."""
    harm = reading.data.get("harm")
    if not isinstance(harm, dict):
        return
    injury = harm.get("injury")
    if is_sexual(harm) and isinstance(injury, dict) and "text" in injury:
        text = injury.pop("text")
        harm["sexual_detail"] = f"{harm['sexual_detail']}\n{text}" if "sexual_detail" in harm else text
        if not injury:
            del harm["injury"]


def mark_adults(reading: Reading, day: str, where: Callable[[int], Position], *, is_parted: bool) -> None:
    """A patient of 18 or more on `day` (or by the stated age) is `other`: these notices are about minors.

    Where no minor is left, the notice is about the patient's children, if the message names any under age: a mother who
    is admitted leaves somebody behind.
    """
    patients = [person for person in reading.persons if person["roles"] == ["minor"]]
    adults = [(index, person) for index, person in enumerate(patients) if _is_adult(person, day) is True]
    for index, person in adults:
        person["roles"] = ["other"]
        reading.gap("adult", where(index), "the patient is not a minor", "persons.roles")
    if adults and (len(adults) == len(patients) or not is_parted):
        _drop_diagnoses(reading)
    if len(adults) == len(patients) == 1:
        _turn_to_the_children(reading, adults[0][1], day)


def is_of_age(born: str, day: str) -> bool | None:
    """Whether somebody born then is certainly 18 or more on that day; None where one of them is not known."""
    if not day or not born[:4].isdigit():
        return None
    majority, known = f"{int(born[:4]) + 18:04d}{born[4:]}", day[: len(born)]
    return majority < known or (majority == known and len(born) == 10)


def _is_adult(person: Tree, day: str) -> bool | None:
    """None where neither a birth date nor an age says so."""
    born, age = str(person.get("birth_date", "")), person.get("age")
    if (is_adult := is_of_age(born, day)) is not None:
        return is_adult
    return int(age.get("years", 0)) >= 18 if isinstance(age, dict) and not born else None


def _drop_diagnoses(reading: Reading) -> None:
    """What an adult was diagnosed with is no harm done to a child, who may be whom the notice turns out to be about."""
    harm = reading.data.get("harm", {})
    for name in ("injury", "hiv_sti_preg"):
        if "codes" not in harm.get(name, {}):
            continue
        del harm[name]["codes"]
        if not harm[name]:
            del harm[name]
        dropped = [entry for entry in reading.sources if entry[0] is reading.data and entry[1] == f"/harm/{name}/codes"]
        taken = {id(entry) for entry in dropped}
        reading.sources[:] = [entry for entry in reading.sources if id(entry) not in taken]
        for _, _, at in dropped:
            reading.gap("other-person", at, "a diagnosis of somebody who is not a minor")
    if not harm:
        reading.data.pop("harm", None)


def _turn_to_the_children(reading: Reading, parent: Tree, day: str) -> None:
    """Sons and daughters of an adult patient who are certainly under age are the minors; the patient is their parent."""
    children = [
        person
        for person in reading.persons
        if person is not parent
        and (person.get("relation") == CHILD or str(person.get("relation", ""))[:1] in ("2", "3"))
        and _is_adult(person, day) is False
    ]
    for child in children:
        child["roles"] = ["minor"]
        del child["relation"]
        child.pop(PATIENT, None)
    if not children:
        return
    parent["roles"] = ["guardian"]
    parent["relation"] = {"1": "51", "2": "52"}.get(str(parent.get("sex")), "50")
    of_children = {id(child) for child in children}
    reading.sources[:] = [
        (parent if pointer == "/relation" and id(target) in of_children else target, pointer, at)
        for target, pointer, at in reading.sources
    ]


def join_relatives(reading: Reading) -> None:
    """Minors first; then each relative is joined to the patient that the format named by number (`PATIENT`, `OWN`)."""
    reading.persons.sort(key=lambda person: "minor" not in person["roles"])
    refs = {person[OWN]: f"p{n}" for n, person in enumerate(reading.persons, 1) if OWN in person}
    for person in reading.persons:
        person.pop(OWN, None)
        patient = person.pop(PATIENT, None)
        if patient in refs and "relation" in person:
            person.setdefault("of", refs[patient])
        elif patient == NOT_HERE and "minor" not in person["roles"]:
            person["~unrelated"] = True


def settle_people(reading: Reading, day: str, born: Callable[[int], Position], *, is_parted: bool = False) -> None:
    """What every clinical format asks of people once all of them are read: roles, adults, names, compartments.

    `born` is where the birth date of the index-th patient stands, `day` the day on which age counts.
    `is_parted`: what is about an adult beside a child was set aside before, since the format says whose it is.
    """
    _part_from_former(reading)
    settle_roles(reading.persons)
    note_observation(reading)
    name_the_unknown(reading)
    mark_adults(reading, day, born, is_parted=is_parted)
    name_children(reading)
    protect_sexual_detail(reading)


def nobody(reading: Reading, at: Position) -> Problem | None:
    """Why an ordinary clinical message that tells of nobody is refused; a notice of the exchange may be about no person."""
    if reading.persons or reading.data.get("ledger") != OBSERVED:
        return None
    where = reading.locate(at) or "/"
    return Problem(
        "no-person", where, "nothing tells whom the message is about", "name the patient: name, number or birth date"
    )


def taken_back(where: str) -> Problem:
    """Why an ordinary message that deletes a record is refused: taken as an observation it would say the contrary."""
    return Problem(
        "taken-back",
        where,
        "the message deletes a record; it is no observation of a child",
        "withdraw or correct the notice that rested on it (WDR, COR)",
    )
