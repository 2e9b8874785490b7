"""Small field specs, decisions and contexts for trying the room without schemas or policies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from gateway.model.access import DELIVER, PRESETS, Decision, Facet, FieldDecision, Obligation
from gateway.model.fields import PERSON_ROLES, FieldSpec, SensitivityClass
from gateway.model.identifiers import DeliveryId, FieldId, NoticeType, OfficeId, PolicyHash
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.release import ReleaseContext

RPT = NoticeType("RPT")
SECRET = ReleaseSecret(bytes(range(32)))

PERSON_FIELDS: Mapping[str, tuple[str, str]] = {  # name -> kind, code table
    "key": ("key", ""), "name": ("name", ""), "alias": ("alias", ""), "id_no": ("id_no", ""), "id_type": ("id_type", ""),
    "student_no": ("student_no", ""), "sex": ("sex", ""), "birth_date": ("date", ""), "age": ("age", ""),
    "age_band": ("age_band", ""), "ethnicity": ("ethnicity", ""), "residence.region": ("region", ""),
    "residence.address": ("address", ""), "phone": ("phone", ""), "school.code": ("school", "school"),
    "school.name": ("school", ""), "grade": ("grade", ""), "difficulty": ("codes", "difficulty"),
    "mental_health": ("codes", ""), "relation": ("code", "relation"), "unidentified": ("boolean", ""),
    "lives_with": ("meta", ""), "of": ("meta", ""), "ref": ("meta", ""), "roles": ("codes", "person_role"),
}  # fmt: skip
NOTICE_FIELDS: Mapping[str, tuple[str, str]] = {
    "urgency": ("level", ""), "immediate_danger": ("boolean", ""), "occurred_at": ("datetime", ""),
    "in_reply_to": ("handle", ""), "sender.unit": ("unit", ""), "sender.contact_officer": ("handle", ""),
    "place.region": ("region", ""), "place.detail": ("place", ""), "harm.types": ("codes", "harm_type"),
    "harm.narrative": ("text", ""), "harm.summary": ("summary_text", ""), "harm.injury.codes": ("codes", ""),
    "report.reporter_handle": ("handle", ""), "measures[].code": ("code", "measure"), "measures[].from": ("date", ""),
    "measures[].executor": ("unit", ""), "order.case_no": ("file_no", ""), "order.respondent": ("meta", ""),
    "order.terms[].item": ("code", ""), "order.terms[].detail": ("text", ""), "police.status": ("status", "police"),
    "welfare.bank_account": ("account", ""), "assessment.risk_level": ("level", ""),
}  # fmt: skip
CHILD_ONLY = frozenset({"student_no", "school.code", "school.name", "grade", "difficulty"})
COMPARTMENT: Mapping[str, str] = {"mental_health": "MENTAL", "report.reporter_handle": "REPORTER"}

TABLES: Mapping[str, Mapping[str, str]] = {
    "harm_type": {"H2": "H2", "H21": "H2", "H22": "H2", "H41": "H4"},
    "difficulty": {"D31": "D3", "D32": "D3", "D11": "D1"},
    "relation": {"51": "5", "52": "5", "61": "6"},
    "school": {"2144000001": "440113/primary"},
    "police": {"filed": "in-hand", "closed": "done"},
}


def _spec(field_id: str, path: str, kind: str, table: str, role: str | None, compartment: str) -> FieldSpec:
    return FieldSpec(
        FieldId(field_id), path, kind, SensitivityClass.S3, "字段", role, compartment, code_table=table or None
    )


def specs() -> dict[FieldId, FieldSpec]:
    found = []
    for path, (kind, table) in NOTICE_FIELDS.items():
        field_id = path.replace("[]", "") if "." in path else f"notice.{path}"
        found.append(_spec(field_id, path, kind, table, None, COMPARTMENT.get(path, "GENERAL")))
    for role in PERSON_ROLES:
        for name, (kind, table) in PERSON_FIELDS.items():
            if name in CHILD_ONLY and role not in ("minor", "sibling"):
                continue
            compartment = "REPORTER" if role == "reporter" else COMPARTMENT.get(name, "GENERAL")
            found.append(_spec(f"{role}.{name}", f"persons[].{name}", kind, table, role, compartment))
    return {spec.id: spec for spec in found}


SPECS = specs()
PROJECTOR = Projector({RPT: SPECS}, TABLES)


def decision(
    presets: Mapping[str, str | Facet],
    *,
    otherwise: str = "withhold",
    floors: Mapping[str, Facet] | None = None,
    deliver: bool = True,
    obligations: tuple[Obligation, ...] = (),
) -> Decision:
    """A decision by preset names; the outcome is derived from it, as the engine must."""
    shown: dict[FieldId, Facet] = dict.fromkeys(SPECS, PRESETS[otherwise])
    for name, preset in presets.items():
        shown[FieldId(name)] = PRESETS[preset] if isinstance(preset, str) else preset
    floor = {FieldId(name): facet for name, facet in (floors or {}).items()}
    if deliver:
        shown[DELIVER] = Facet.EXISTS
    fields = {
        field_id: FieldDecision(facet | floor.get(field_id, Facet.NOTHING), floor=floor.get(field_id, Facet.NOTHING))
        for field_id, facet in shown.items()
    }
    outcome = repr(sorted((field_id, int(one.shown), int(one.floor)) for field_id, one in fields.items()))
    return Decision(fields, PolicyHash("p"), outcome, obligations)


def context(**changed: Any) -> ReleaseContext:
    fixed: dict[str, Any] = {
        "delivery": DeliveryId("d-1"),
        "recipient": OfficeId("education.440113"),
        "type": RPT,
        "case_handle": "case-abc",
        "purpose": "P05",
        "time": datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
        "expires_at": datetime(2026, 6, 1, tzinfo=UTC),
        "as_of": date(2026, 3, 1),
        "secret": SECRET,
    }
    return ReleaseContext(**{**fixed, **changed})
