"""How does the women's federation (妇联) speak? A spreadsheet register with one sheet per month; see mapping.yaml and DOMAIN 2.8."""

from __future__ import annotations

import re
from typing import Any

from adapters.kit.codetables import shared_tables
from adapters.kit.converters import Noted, Unmappable, Unwritable, read_name, write_name, write_text
from adapters.kit.lens import CustomField, Reading, fill, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree, get_at
from adapters.kit.table_adapter import TableAdapter

_ALIAS = re.compile(r"[\s((（]*(?:化名|假名)[\s)）]*")
_ROLES = {"T1": "teacher", "T2": "teacher", "01": "self", "99": "public", "ORG": "official"}
_ROLE_WORDS = {
    "邻居": "public",
    "朋友": "public",
    "同学": "public",
    "村干部": "committee",
    "社工": "social_worker",
    "医生": "doctor",
}


class _NameOrAlias:
    """未成年人姓名/化名: an alias where the cell says 化名."""

    fills = ("name", "alias")

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        if not text:
            return
        try:
            said = read_name(text)
        except Unmappable as error:
            reading.gap(error.code, at, error.message, "persons.name")
            return
        if isinstance(said, Noted):
            reading.gap(said.code, at, said.message, "persons.name")
        plain = _ALIAS.sub("", text)
        path = ("alias",) if plain != text and plain else ("name",)
        if fill(target, path, plain or text):
            reading.note(target, path, at)

    def write(self, rest: Tree, native: Tree) -> None:
        for member, suffix, write in (("name", "", write_name), ("alias", "(化名)", write_text)):
            try:
                text = write(rest.get(member))
            except Unwritable:
                continue
            if _ALIAS.search(text) is None:
                native["未成年人姓名/化名"] = text + suffix
                del rest[member]
                return


class _County:
    """所在区县: a division code, or a name that stays text in front of the street."""

    fills = ("residence.region",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        if re.fullmatch(r"[0-9]{6}|[0-9]{9}|[0-9]{12}", text):
            fill(target, ("residence", "region"), text)
            reading.note(target, ("residence", "region"), at)
        elif text:
            target["~county"] = text
            reading.gap(
                "division-name",
                at,
                "a district by name; kept in the address, not as a code",
                "persons.residence.region",
            )

    def write(self, rest: Tree, native: Tree) -> None:
        residence = rest.get("residence")
        if isinstance(residence, dict) and re.fullmatch(r"[0-9]{6}|[0-9]{9}|[0-9]{12}", str(residence.get("region"))):
            native["所在区县"] = residence.pop("region")
            if not residence:
                del rest["residence"]


class _Consent:
    """是否同意转介: 是 or 同意 is consent, 否 is refusal, anything else and nothing is no evidence."""

    fills = ("consent.status",)

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        status = {"是": "given", "同意": "given", "否": "refused", "不同意": "refused"}.get(text)
        if status is not None:
            fill(target, ("consent", "status"), status)
            reading.note(target, ("consent", "status"), at)
        elif text:
            reading.gap("boolean-form", at, "neither 是 nor 否", "consent.status")

    def write(self, rest: Tree, native: Tree) -> None:
        consent = rest.get("consent")
        label = {"given": "是", "refused": "否"}.get(str(consent.get("status"))) if isinstance(consent, dict) else None
        if label is not None and isinstance(consent, dict):
            native["是否同意转介"] = label
            del consent["status"]
            if not consent:
                del rest["consent"]


class WomensFederation(TableAdapter):
    def after_reading(self, tree: Tree, reading: Reading) -> None:
        super().after_reading(tree, reading)
        for person in reading.persons:
            county = person.pop("~county", None)
            if county is not None:
                residence = person.setdefault("residence", {})
                residence["address"] = county + residence.get("address", "")
        if "通报类型" in tree:
            return
        # What follows reads the federation's own register, not a release that came back.
        relation = reading.reporter.get("relation")
        if relation:
            found = shared_tables()["relation"].find(str(relation))
            role = _ROLE_WORDS.get(str(relation)) or _ROLES.get(str(found)) or ("relative" if found else "other")
            fill(reading.data, ("report", "reporter_role"), role)
        if reading.data.get("urgency") == 2 and get_at(reading.data, ("harm", "types")):
            fill(reading.data, ("immediate_danger",), True)


_CUSTOMS: dict[str, CustomField] = {"name_or_alias": _NameOrAlias(), "county": _County(), "consent": _Consent()}
ADAPTER = WomensFederation(
    load_mapping("adapters.womens_federation"), _CUSTOMS, title="妇联维权服务登记表", sheet="通报"
)
