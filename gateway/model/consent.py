"""What may a gateway's consent rules say? Ages, the order of those who speak for a child, and the texts of a receipt.

The values given here are the law's, and hold where a pack has no document of kind `consent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

# The kinds of authority that may stand in the order, as in `schemas/codes/consent_authority_kind.yaml`.
AUTHORITY_KINDS = ("parent", "other_guardian", "temporary_guardian", "court_appointed", "civil_affairs")


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """Years are completed ones. `ranks` is the order of K3: those of one rank speak side by side, and the first rank in
    which somebody without conflict is there speaks. `replaced_in` are the guardianship tracks, in capitals, in which a
    judgment has put somebody else in the parents' place. An older look at the records than `snapshot` is unknown.
    """

    view_heard_from: int = 8  # 民法典第20条、未成年人保护法第107条
    own_consent_from: int = 14  # 个人信息保护法第31条
    majority: int = 18  # 民法典第17条
    ranks: tuple[tuple[str, ...], ...] = (
        ("parent", "other_guardian"),
        ("temporary_guardian",),
        ("court_appointed",),
        ("civil_affairs",),
    )
    replaced_in: frozenset[str] = frozenset({"REVOKED", "LONG_TERM"})
    snapshot: timedelta = timedelta(seconds=60)
    rights: str = (
        "个人有权知情、决定、查阅、复制、更正、删除（个人信息保护法第44至50条）。"
        " You may know, decide, inspect, copy, correct and have deleted (PIPL 44-50)."
    )
    withdrawal: str = (
        "随时向登记单位提出，无须理由；撤回前的处理仍然有效，法定职责所需的处理不受影响（个人信息保护法第15条）。"
        " At any time with the office that recorded it, without reason; earlier processing stays lawful, statutory duties go on (PIPL 15)."
    )
    retention: str = (
        "目的实现或撤回后删除，法律另有规定的除外（个人信息保护法第47条）。"
        " Deleted when the purpose ends or you withdraw, unless law says otherwise (PIPL 47)."
    )


BY_LAW = ConsentRules()
