"""How does the justice bureau (司法行政) speak? JSON Lines with pinyin keys; see mapping.yaml and DOMAIN 2.5.

`gx` says what the *child* is of the *offender*; canonical says what the
guardian is of the child. Dates of a sentence are kept to the month.
"""

from __future__ import annotations

from typing import Any

from adapters.kit.adapter import RowsAdapter
from adapters.kit.codetables import shared_tables
from adapters.kit.json_codec import JsonCodec
from adapters.kit.lens import CustomField, Reading, fill, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree
from adapters.kit.relations import inverse

_GX, _CARER = "~gx", "~carer"
_CUSTODY = {"JHR_ZY": "D11", "JHR_JD": "D12"}


class _ChildOfOffender:
    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        found = shared_tables()["relation"].find(text) if text else None
        if found is not None:
            target[_GX] = (found, at)
        elif text:
            reading.gap("unmapped-code", at, "not in code table `relation`", "persons.relation")

    def write(self, rest: Tree, native: Tree) -> None:
        """Releases relate persons to the minor in the extension block; the direction is not turned back."""


class _CurrentCarer:
    """`xjhr`: who looks after the child now, by relation (祖父) or by name."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = (text_of(value) or "").strip()
        if text:
            target[_CARER] = (text, at)

    def write(self, rest: Tree, native: Tree) -> None:
        """As above: a carer of a release stands in the extension block."""


class Judiciary(RowsAdapter):
    def after_reading(self, tree: Tree, reading: Reading) -> None:
        kind = (text_of(tree.get("ywlx")) or "").strip()
        offender = next((person for person in reading.persons if person["roles"] == ["guardian"]), None)
        carers: dict[str, Tree] = {}
        for child in [person for person in reading.persons if "minor" in person["roles"]]:
            held = child.pop(_GX, None)
            if held is not None and offender is not None:
                self._relate(offender, held, reading)
            carer = child.pop(_CARER, None)
            if carer is not None and carer[0] not in carers:
                found = shared_tables()["relation"].find(carer[0])
                person: Tree = {"roles": ["carer"], **({"relation": found} if found else {"name": carer[0]})}
                carers[carer[0]] = person
                reading.persons.append(person)
                reading.note(person, ("relation" if found else "name",), carer[1])
        reason = _CUSTODY.get(kind)
        if offender is not None and reason is not None:
            fill(offender, ("unavailable", "reason"), reason)
        if kind == "SJ_WCN":
            fill(reading.data, ("needs",), ["schooling"])
        elif kind == "FY_SQ":
            fill(reading.data, ("measures",), [{"code": "A04"}])
        elif kind == "FY_JG":
            decision = reading.data.get("legal_aid", {}).get("decision")
            answer = {"granted": "accepted", "refused": "declined"}.get(str(decision))
            if answer is not None:
                fill(reading.data, ("referral", "answer"), answer)
        if kind in ("JHR_ZY", "JHR_JD", "JHR_SF") and offender is not None:
            for name in ("from", "until"):
                month = offender.get("unavailable", {}).get(name)
                if month is not None:
                    fill(reading.data, ("custody", name), month)

    def _relate(self, offender: Tree, held: tuple[str, Position], reading: Reading) -> None:
        code, at = held
        found = inverse(code, offender.get("sex"))
        if found is None:
            reading.gap("relation-undetermined", at, "the relation to the minor does not follow", "persons.relation")
        elif fill(offender, ("relation",), found):
            reading.note(offender, ("relation",), at)
        else:
            reading.gap(
                "conflict", at, "another child stands in another relation to the same person", "persons.relation"
            )


_CUSTOMS: dict[str, CustomField] = {"child_of_offender": _ChildOfOffender(), "current_carer": _CurrentCarer()}
ADAPTER = Judiciary(load_mapping("adapters.judiciary"), JsonCodec(lines=True), _CUSTOMS)
