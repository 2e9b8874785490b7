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
from gateway.model.identifiers import NoticeType

_GX, _CARER = "~gx", "~carer"
_CUSTODY = {"JHR_ZY": "D11", "JHR_JD": "D12"}
_REHAB = "rehab"
_ANSWERS = {"granted": "accepted", "refused": "declined"}


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
        if kind in ("JHR_ZY", "JHR_JD", "JHR_SF") and offender is not None:
            self._custody(kind, offender, reading)
        elif kind == "SJ_WCN" and offender is not None:
            # a minor under correction, who needs a school: of the correction itself nothing travels (CCL 54)
            offender["roles"] = ["minor"]
            offender.pop("unavailable", None)
        elif kind == "FY_SQ":
            self._assistance(reading, "started")
        elif kind == "FY_JG":
            self._decision(reading)

    def _custody(self, kind: str, offender: Tree, reading: Reading) -> None:
        months = offender.get("unavailable", {})
        for name in ("from", "until"):
            if name in months:
                fill(reading.data, ("custody", name), months[name])
        is_rehab = reading.data.get("custody", {}).get("facility_kind") == _REHAB
        # 刑期: the months of a release notice are those of a sentence, unless it names a place of rehabilitation
        reason = _CUSTODY.get(kind) or ("D12" if is_rehab else "D11" if months else None)
        if reason is not None:
            fill(offender, ("unavailable", "reason"), reason)

    def _decision(self, reading: Reading) -> None:
        """`FY_JG` answers a referral where it names one, and tells civil affairs of legal aid (A04) where it does not."""
        decision = str(reading.data.get("legal_aid", {}).get("decision"))
        if "in_reply_to" not in reading.data:
            if decision in _ANSWERS:
                self._assistance(reading, "started" if decision == "granted" else "failed")
            return
        if decision in _ANSWERS:
            fill(reading.data, ("referral", "answer"), _ANSWERS[decision])
        if decision == "refused" and "reason" not in reading.data.get("referral", {}):
            reading.data["referral"]["reason"] = "other"
            reading.gap("not-given", ("data", "byly"), "no reason is given; taken as `other`", "referral.reason")

    def _assistance(self, reading: Reading, outcome: str) -> None:
        began = reading.data.get("legal_aid", {}).get("assigned_at") or reading.data.get("occurred_at")
        since = {"from": began[:10]} if began and outcome == "started" else {}
        fill(reading.data, ("measures",), [{"code": "A04", **since, "outcome": outcome}])

    def type_read(self, kind: NoticeType, reading: Reading) -> NoticeType:
        answers = kind == "AID" and "answer" in reading.data.get("referral", {})
        return NoticeType("REF-R") if answers else kind

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
ADAPTER = Judiciary(load_mapping("adapters.judiciary"), JsonCodec(lines=True, begins="ywlx"), _CUSTOMS)
