"""What must stand in an ORU^R01 whatever was withheld, so that the rules of HL7 v2.4 hold?

PID-3 and PID-5 are required, and so is a result. What may not be told is said to be so, in the standard's own words, and
reads as absent again: a name of type U (unspecified, table 0200), a number of this message alone (type U of HUTONG, never
the same twice, so that no engine joins two children by it), patient class N (not applicable, table 0004), and a result
that says nothing but that this is a notice. Each further child is a patient result of its own.
"""

from __future__ import annotations

from typing import Any

from adapters.kit.hl7v2 import Hl7v2Codec
from adapters.kit.native import Tree, as_list

NO_NAME = {"7": "U"}
_NUMBERED = ("HUTONG", "U")
NOTICE: Tree = {"1": "TB", "2": "通报", "3": "L"}
_NOBODY = ".p0"
_FURTHER = "further patients"


def is_of_this_message_alone(authority: str, kind: str) -> bool:
    """Whether an identifier is the stand-in for one that was not given."""
    return (authority, kind) == _NUMBERED


def _numbered(identifier: Tree) -> tuple[Any, Any]:
    return identifier.get("4"), identifier.get("5")


def is_stand_in(observation: Tree) -> bool:
    """Whether a result says nothing but that the message is a notice."""
    return observation.get("3") == NOTICE


def without_stand_ins(tree: Tree) -> None:
    """Orders of further patients that hold nothing, and a patient who is nobody, taken out before a message is read."""
    patient = tree.get("PID")
    number = patient.get("3") if isinstance(patient, dict) else None
    if isinstance(number, dict) and str(number.get("1")).endswith(_NOBODY) and _numbered(number) == _NUMBERED:
        del tree["PID"]
    orders = tree.get("OBR")
    if isinstance(orders, list):
        tree["OBR"] = [orders[0], *(order for order in orders[1:] if order.get("4") != NOTICE)]


def complete(tree: Tree, number: str) -> None:
    """Fill in what the segment rules require. `number` is that of the message."""
    if "NK1" in tree and "PID" not in tree:
        tree["PID"] = {
            "3": {"1": f"{number}{_NOBODY}", "4": _NUMBERED[0], "5": _NUMBERED[1]}
        }  # kin are a patient's kin
    patients = as_list(tree.get("PID"))
    for place, patient in enumerate(patients, 1):
        patient.setdefault("3", {"1": f"{number}.p{place}", "4": _NUMBERED[0], "5": _NUMBERED[1]})
        patient.setdefault("5", dict(NO_NAME))
    if patients:
        tree.setdefault("PV1", {}).setdefault("2", "N")
    else:
        tree.pop("PV1", None)  # a visit is a patient's; ZTB-2 names the case as well
    order = as_list(tree.setdefault("OBR", {}))[0]
    order["3"], order["4"] = number, dict(NOTICE)
    tree.setdefault("OBX", _stand_in())
    if len(patients) > 1:
        tree["PID"] = patients[0]
        tree[_FURTHER] = [(patient, {"3": number, "4": dict(NOTICE)}) for patient in patients[1:]]


def _stand_in() -> Tree:
    return {"2": "ST", "3": dict(NOTICE), "5": "通报", "11": "F"}


class NoticeCodec(Hl7v2Codec):
    """Writes each further patient after the results of the one before, as the structure of ORU^R01 has it."""

    def write(self, tree: Tree) -> bytes:
        further: Any = tree.pop(_FURTHER, ())
        whole = super().write(tree)
        if not further:
            return whole
        head, own = whole.split(b"\rZ", 1) if b"\rZ" in whole else (whole.removesuffix(b"\r"), b"")
        lines = [head]
        for place, (patient, order) in enumerate(further, 2):
            block = {"PID": {**patient, "1": str(place)}, "OBR": {**order, "1": str(place)}, "OBX": _stand_in()}
            lines.append(super().write(block).removesuffix(b"\r"))
        return b"\r".join([*lines, b"Z" + own] if own else [*lines, b""])
