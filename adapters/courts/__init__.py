"""How do the courts (法院) speak? Namespaced XML with code and label pairs; see mapping.yaml and DOMAIN 2.6."""

from __future__ import annotations

from typing import Any

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.codetables import CodeTable, shared_tables
from adapters.kit.converters import CONVERTERS, Unmappable, Unwritable
from adapters.kit.lens import NATIVE_ROLES, CustomField, Reading, default_refs, fill, scalar, text_of
from adapters.kit.mapping import AgencyMapping, load_mapping
from adapters.kit.native import Position, Tree, get_at
from adapters.kit.xml_codec import XmlCodec

_KIND, _PROXY, _PARTY = "~kind", "~proxy", "~party"
_JUDGMENTS = frozenset({"CXPJ", "HFJH"})
# AJLX: protection order application and variation; guardianship disputes and changes
_ORDER_TYPES, _GUARDIANSHIP_TYPES = frozenset({"0332", "0333"}), frozenset({"0314", "0315"})
_PARTIES = {"SQR": "applicant", "BSQR": "infringer", "WCNR": "minor", "JHR": "guardian"}
_AS_PARTY = {"minor": "WCNR", "infringer": "BSQR", "applicant": "SQR", "guardian": "JHR"}
_AJLX = {
    "RSBHL": {"@DM": "0332", "#": "人身安全保护令申请审查案件"},
    "CXPJ": {"@DM": "0315", "#": "变更监护人案件"},
    "HFJH": {"@DM": "0315", "#": "变更监护人案件"},
}


def _home(kind: str | None) -> str:
    return "judgment" if kind in _JUDGMENTS else "order"


class _CaseNumber:
    """`AH` belongs to the judgment or the order, as the notice is one or the other."""

    fills = ("order.case_no", "judgment.case_no")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(scalar(value, reading.scalar_key))
        if text is not None:
            path = (_home(reading.envelope.get(_KIND)), "case_no")
            fill(target, path, CONVERTERS["case_number"].read(text))
            reading.note(target, path, at)
            reading.envelope.setdefault("@subject", str(CONVERTERS["case_number"].read(text)))

    def write(self, rest: Tree, native: Tree) -> None:
        _move(rest, "case_no", "case_number", native, "AH")


def _move(rest: Tree, name: str, converter: str, native: Tree, element: str) -> None:
    home = rest.get(_home(rest.get(_KIND)))
    if isinstance(home, dict) and name in home:
        try:
            native[element] = CONVERTERS[converter].write(home[name])
        except Unwritable:
            return
        del home[name]


class _Result:
    """`JG`: 01 to 07 of an order, 11 to 13, 02 and 05 of a judgment; written with its label."""

    fills = ("order.result", "judgment.result")

    def __init__(self, judgments: CodeTable) -> None:
        self.tables = {"order": shared_tables()["order_result"], "judgment": judgments}

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        home = _home(reading.envelope.get(_KIND))
        code = text_of(value.get("@DM")) if isinstance(value, dict) else None
        label = text_of(scalar(value, reading.scalar_key))
        for text in (code, label):
            found = self.tables[home].find(text) if text else None
            if found is not None:
                fill(target, (home, "result"), found)
                reading.note(target, (home, "result"), at)
                return
        if code or label:
            reading.gap("unmapped-code", at, f"not in code table `{self.tables[home].name}`", f"{home}.result")

    def write(self, rest: Tree, native: Tree) -> None:
        name = _home(rest.get(_KIND))
        home = rest.get(name)
        if isinstance(home, dict):
            table = self.tables[name]
            code = table.writer().get(str(home.get("result")))
            if code is not None:
                native["JG"] = {"@DM": code, "#": table.spellings[str(home.pop("result"))][1]}


class _Document:
    """`WS`: the document stays at the court; its SM3 digest travels."""

    fills = ("order.document", "judgment.document")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        item = value[0] if isinstance(value, list) and value else value
        if isinstance(value, list) and len(value) > 1:
            reading.gap("repeated", at, "one document is expected; the others are not mapped")
        digest = text_of(item.get("@SM3")) if isinstance(item, dict) else None
        if digest is None:
            return
        path = (_home(reading.envelope.get(_KIND)), "document", "digest")
        try:
            fill(target, path, CONVERTERS["sm3"].read(digest))
            reading.note(target, path, at)
        except Unmappable as error:
            reading.gap(error.code, (*at, "@SM3"), error.message, ".".join(path))

    def write(self, rest: Tree, native: Tree) -> None:
        document = get_at(rest, (_home(rest.get(_KIND)), "document"))
        if isinstance(document, dict) and document.keys() == {"digest"}:
            try:
                native["WS"] = {"@SM3": CONVERTERS["sm3"].write(document["digest"])}
            except Unwritable:
                return
            del rest[_home(rest.get(_KIND))]["document"]


class _Party:
    """`lx`: kept aside; who is the child follows when everything is read."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").upper()
        if text in _PARTIES:
            target[_PARTY] = text
        elif text:
            reading.gap("unmapped-code", at, "not a kind of party", "persons.roles")

    def write(self, rest: Tree, native: Tree) -> None:
        native["@LX"] = rest.pop(_PARTY)


class _Proxy:
    """`DLSQ`: who applied on behalf, under article 23 of the Anti-Domestic Violence Law. The applicant is then the protected person."""

    fills = ("order.applicant_kind",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        code = text_of(value.get("@DM")) if isinstance(value, dict) else text_of(value)
        found = shared_tables()["applicant_kind@courts"].find(code) if code else None
        target[_PROXY] = True
        if found is not None:
            if fill(reading.data, ("order", "applicant_kind"), found):
                reading.note(reading.data, ("order", "applicant_kind"), at)
        elif code:
            reading.gap("unmapped-code", at, "not in code table `applicant_kind@courts`", "order.applicant_kind")

    def write(self, rest: Tree, native: Tree) -> None:
        kind = rest.pop(_PROXY, None)
        if kind is not None:
            table = shared_tables()["applicant_kind@courts"]
            native["DLSQ"] = {"@DM": table.writer()[kind], "#": table.spellings[kind][1] + "代为申请"}


class Courts(MappedAdapter):
    def before_reading(self, tree: Tree, reading: Reading) -> None:
        if "@YWLX" not in tree:
            kind = self._kind_of_case(tree)
            if kind is not None:
                tree["@YWLX"] = kind
                tree["~plain"] = ""
        reading.envelope[_KIND] = text_of(tree.get("@YWLX")) or ""

    def _kind_of_case(self, tree: Tree) -> str | None:
        case = tree.get("AJLX")
        code = text_of(case.get("@DM")) if isinstance(case, dict) else None
        number = text_of(scalar(tree.get("AH"), "#")) or ""
        result = text_of(get_at(tree, ("JG", "@DM")))
        if code in _GUARDIANSHIP_TYPES or "民特" in number:
            return "HFJH" if result == "13" else "CXPJ"
        if code in _ORDER_TYPES or "民保" in number or "CS" in tree:
            return "RSBHL"
        return None

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        reading.envelope.pop(_KIND, None)
        plain = "~plain" in tree
        has_child = any(person.get(_PARTY) == "WCNR" for person in reading.persons)
        for person in reading.persons:
            party = person.pop(_PARTY, "")
            proxied = person.pop(_PROXY, False)
            role = _PARTIES.get(party, "other")
            if party == "SQR" and plain:
                is_minor = self._is_minor(person, reading)
                if is_minor or (is_minor is None and proxied and not has_child):
                    role = "minor"
            person["roles"] = [role]
        if plain:
            default_refs(reading.persons)
            respondent = next((person for person in reading.persons if person["roles"] == ["infringer"]), None)
            if respondent is not None and "order" in reading.data:
                fill(reading.data, ("order", "respondent"), respondent["ref"])
                fill(reading.data, ("order", "kind"), "protection")
            heir = next((person for person in reading.persons if person["roles"] == ["guardian"]), None)
            if heir is not None and "judgment" in reading.data:
                fill(reading.data, ("judgment", "new_guardian"), heir["ref"])

    def _is_minor(self, person: Tree, reading: Reading) -> bool | None:
        """Under 18 on the day of sending, by birth date or identity number; None where neither says. A year alone counts to its end."""
        number = str(person.get("id_no", ""))
        inside = (
            f"{number[6:10]}-{number[10:12]}-{number[12:14]}" if len(number) == 18 and number[:17].isdigit() else ""
        )
        born, sent = str(person.get("birth_date") or inside), reading.envelope.get("@time", "")
        if not born or not sent:
            return None
        return f"{int(born[:4]) + 18:04d}{born[4:]}" > sent[: len(born)] or (
            len(born) < 10 and int(born[:4]) + 18 == int(sent[:4])
        )

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        rest[_KIND] = self.lens.lexicon.types.get(outgoing.type, "")
        for person in rest.get("persons", ()):
            roles = person.get("roles") if isinstance(person, dict) else None
            party = (
                next((_AS_PARTY[role] for role in _AS_PARTY if role in roles), None)
                if isinstance(roles, list)
                else None
            )
            if party is not None:
                person[_PARTY] = party
                person[NATIVE_ROLES] = [_PARTIES[party]]

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        case = _AJLX.get(str(tree.get("@YWLX")))
        if case is not None:
            tree["AJLX"] = case


def _customs(mapping: AgencyMapping) -> dict[str, CustomField]:
    return {
        "case_number": _CaseNumber(),
        "result": _Result(mapping.tables["pjjg"]),
        "document": _Document(),
        "party": _Party(),
        "proxy": _Proxy(),
    }


_MAPPING = load_mapping("adapters.courts")
ADAPTER = Courts(
    _MAPPING,
    XmlCodec(roots=("AJTB",), namespace="urn:x-fyb:wcnr:1", prefix="fy", small_attributes=True),
    _customs(_MAPPING),
)
