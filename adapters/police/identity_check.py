"""How do the police ask and answer who somebody is? In a shape of its own, older than our notices.

A request is `ROWS/INFO/SBM` and rows; the first row often repeats the element
names with Chinese captions, which a naive reader takes for a person. An answer
is `ROWS/ROW/INPUT` beside `OUTPUT/ITEM`, in small letters, with 一致 or 不一致
per item. Service wrappers are `PACKAGE/PACKAGEHEAD` and `PACKAGE/DATA/RECORD`.
Each row becomes one tree in our own elements, so the mapping reads it like any
other message: a QRY, or an ANS. Masked values and photographs are not mapped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.kit.lens import scalar, text_of
from adapters.kit.native import NativeItem, Position, Tree, Unreadable, as_list, get_at, path_position
from adapters.kit.xml_codec import Roots, XmlCodec, local_name, numbered, to_tree
from gateway.model.notice import Gap

_CAPTIONS = re.compile(r"公民身份|身份号码|身份证|姓名|性别|出生日期|民族|住址|照片|业务类型|备注")
_NAMES = {
    "GMSFHM": "GMSFHM",
    "SFZH": "GMSFHM",
    "SFZHM": "GMSFHM",
    "GMSFZHM": "GMSFHM",
    "XM": "XM",
    "XBDM": "XBDM",
    "XB": "XBDM",
    "CSRQ": "CSRQ",
}
_IGNORED = frozenset({"@FSD", "@YWLX", "INPUT", "OUTPUT", "SBM"})
_ROOTS: Roots = {"ROWS": frozenset({"ROW", "INFO"}), "PACKAGE": frozenset({"PACKAGEHEAD", "DATA"})}


@dataclass(frozen=True)
class PoliceCodec(XmlCodec):
    """`REQUEST` messages, and identity checks as QRY and ANS."""

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        found, gaps, is_careful = self.opened(raw, {**self.wanted, **_ROOTS})
        items: list[NativeItem | Unreadable] = []
        for index, message in enumerate(found):
            name = local_name(message.tag)
            at = numbered(name, index, len(found))
            if name not in _ROOTS:
                items.extend(self.message(message, at, gaps, is_careful))
                continue
            tree = to_tree(message, self.limits)
            if not isinstance(tree, dict):
                raise Unreadable("empty", path_position(at), "no rows", "send at least one ROW")
            items.extend(identity_rows(tree, at, gaps))
        return items


def identity_rows(tree: Tree, root: Position, gaps: list[Gap]) -> Sequence[NativeItem | Unreadable]:
    base: Position = (*root, "ROW")
    if root[0] == "PACKAGE":
        rows, base = as_list(get_at(tree, ("DATA", "RECORD"))), (*root, "DATA", "RECORD")
        number = text_of(scalar(get_at(tree, ("PACKAGEHEAD", "XLH")), "#"))
        sent = text_of(scalar(get_at(tree, ("PACKAGEHEAD", "FSSJ")), "#"))
    else:
        rows, number, sent = as_list(tree.get("ROW")), None, None
    out: list[NativeItem | Unreadable] = []
    for index, row in enumerate(rows):
        at = (*base, index)
        if isinstance(row, dict) and not is_caption(row):
            out.append(_item(row, at, gaps, number, sent))
    if not out:
        raise Unreadable(
            "empty", path_position(root), "no rows with data", "send at least one ROW besides the captions"
        )
    return out


def is_caption(row: Tree) -> bool:
    """A row whose every value is the Chinese name of its element."""
    texts = [text for key, value in row.items() if key[0] != "@" and (text := text_of(scalar(value, "#")))]
    return bool(texts) and all(_CAPTIONS.search(text) and not re.search(r"[0-9]{6}", text) for text in texts)


def _item(row: Tree, at: Position, gaps: list[Gap], number: str | None, sent: str | None) -> NativeItem:
    notes = list(gaps)
    asked = row.get("INPUT") if isinstance(row.get("INPUT"), dict) else row
    person: Tree = {}
    for key, value in (asked if isinstance(asked, dict) else row).items():
        target = _NAMES.get(key)
        text = text_of(scalar(value, "#"))
        if target is not None and text is not None:
            person.setdefault(target, "".join(text.split()) if target == "GMSFHM" else text)
        elif text is not None and key not in _IGNORED:
            notes.append(Gap("unmapped", path_position((*at, key)), "no rule maps this"))
    verdicts = _verdicts(row.get("OUTPUT"), (*at, "OUTPUT"), notes)
    body: Tree = {"SHR": person} if person else {}
    kind = "XCQQ"
    if "OUTPUT" in row:
        kind = "XCDF"
        if verdicts:
            body["DF"] = {"DM": "match" if all(verdict == "一致" for verdict in verdicts) else "no_match"}
    else:
        body["XC"] = {"WT": "identity"}
    head: Tree = {"XXLX": kind}
    if number is not None:
        head["XLH"] = number
    if sent is not None:
        head["FSSJ"] = sent

    def locate(path: Position) -> str:
        return path_position((*at, *path[2:])) if path[:2] == ("BODY", "SHR") else path_position(at)

    return NativeItem({"HEAD": head, "BODY": body}, path_position(at), notes, locate)


def _verdicts(output: Any, at: Position, notes: list[Gap]) -> list[str]:
    """一致 or 不一致 of every compared item. What the register says of the person (photograph, address) is not an answer."""
    found: list[str] = []
    for item in as_list(output):
        for entry in as_list(item.get("ITEM") if isinstance(item, dict) else None):
            for key, value in entry.items() if isinstance(entry, dict) else ():
                text = (text_of(scalar(value, "#")) or "").strip()
                if key.startswith("RESULT_") and text in ("一致", "不一致"):
                    found.append(text)
                elif text and key not in _NAMES:
                    notes.append(Gap("unmapped", path_position((*at, "ITEM", key)), "no rule maps this"))
    return found
