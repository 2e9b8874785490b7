"""In which words does a report of the log name offices, fields, forms, purposes and grounds?

The log holds codes; whoever reads a report (a guardian, a court, a compliance officer) is told
what they stand for, the code first, so that a program can still cut it off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.audit.opening import Opening
from gateway.audit.report import Cell
from gateway.model.agency import Office
from gateway.model.audit_events import EVENTS
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId, OfficeId
from gateway.policy.vocabulary import Vocabulary
from gateway.ports.log_storage import StoredRecord
from gateway.services.facts import CHINA

FORMS_ZH = {
    "presence": "仅提示存在", "pseudonym": "假名", "generalise": "概化", "mask": "部分遮盖", "relay": "转达句柄", "summary": "摘要",
    "clear": "原文",
}  # fmt: skip
# Whose a field is: two fields of one title, of the child and of a guardian, are told apart.
_OF_WHOM = {
    "minor": "儿童", "guardian": "监护人", "carer": "照料人", "infringer": "涉嫌侵害人", "reporter": "报告人", "sibling": "兄弟姐妹",
    "applicant": "申请人", "other": "其他人员",
}  # fmt: skip
_MATTER = "案件事项"


class ReportWords:
    """Offices and vocabulary are asked for at each report: both change while the gateway runs."""

    def __init__(
        self,
        fields: Mapping[FieldId, FieldSpec],
        offices: Callable[[], Mapping[OfficeId, Office]],
        vocabulary: Callable[[], Vocabulary],
    ) -> None:
        self._fields, self._offices, self._vocabulary = fields, offices, vocabulary

    def usual(self, record: StoredRecord, opening: Opening) -> dict[str, Cell]:
        """The cells that most reports have."""
        fields = opening.fields
        return {
            "at": record.at.astimezone(CHINA).isoformat(timespec="seconds"),
            "event": EVENTS[opening.name].zh,
            "recipient": self.office(fields.get("recipient")),
            "fields": self.shown(opening),
            "purpose": self.purpose(fields.get("purpose")),
            "basis": "；".join(map(self.basis, fields.get("basis", ()))),
            "policy": text(fields.get("policy")),
            "notice": text(fields.get("notice")),
            "record": f"{record.index} {record.event}",
        }

    def office(self, id_: str | None) -> str | None:
        office = None if id_ is None else self._offices().get(OfficeId(id_))
        return id_ if office is None else f"{office.name_zh}（{id_}）"

    def purpose(self, code: str | None) -> str | None:
        spec = None if code is None else self._vocabulary().purposes.get(code)
        return code if spec is None else f"{code} {spec.title.zh}"

    def basis(self, code: str) -> str:
        spec = self._vocabulary().legal_bases.get(code)
        return code if spec is None else f"{code} {spec.title.zh}（{'、'.join(spec.citation)}）"

    def shown(self, opening: Opening) -> str:
        """The fields with their forms, under whose they are: `儿童：姓名（原文）、……；监护人：……`."""
        groups: dict[str, list[str]] = {}
        for name, form in forms(opening):
            spec = self._fields.get(FieldId(name))
            whose = _OF_WHOM.get(name.partition(".")[0], _MATTER)
            title = name if spec is None else spec.title_zh
            groups.setdefault(whose, []).append(f"{title}（{FORMS_ZH.get(form, form)}）")
        order = [*_OF_WHOM.values(), _MATTER]
        return "；".join(f"{whose}：{'、'.join(groups[whose])}" for whose in sorted(groups, key=order.index))


def forms(opening: Opening) -> list[tuple[str, str]]:
    """The fields of a record with their forms; none for events that name fields alone."""
    found = opening.fields.get("fields")
    return sorted(found.items()) if isinstance(found, Mapping) else []


def text(value: Any) -> str | None:
    return None if value is None else str(value)
