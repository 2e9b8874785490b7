"""How does the procuratorate (检察) speak? An XML envelope of rows with documents inside; see mapping.yaml and DOMAIN 2.7."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.lens import CustomField, Reading, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree, as_list, get_at, set_at
from adapters.kit.xml_codec import XmlCodec

_OFD = "application/ofd"
_KINDS = {"照片": "image", "扫描件": "image_scan", "报告": "report"}


class _Document:
    """`WSNR`: the content stays in the raw message; digest and size become an attachment. A wrong SM3 is named."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        for index, item in enumerate(as_list(value)):
            where = (*at, index) if isinstance(value, list) else at
            text = "".join((text_of(item.get("#") if isinstance(item, dict) else item) or "").split())
            stated = (text_of(item.get("@SM3")) or "").strip().lower() if isinstance(item, dict) else ""
            content: bytes | None = None
            if text:
                try:
                    content = base64.b64decode(text, validate=True)
                except (binascii.Error, ValueError):
                    reading.gap("base64", where, "the document is not base64", "attachments")
            attachment: Tree = {"kind": "document"}
            if len(stated) == 64 and all(char in "0123456789abcdef" for char in stated):
                attachment["digest"] = "sm3:" + stated
                if content is not None and _sm3(content) not in (None, stated):
                    reading.gap(
                        "digest-mismatch",
                        (*where, "@SM3"),
                        "the digest is not that of the document",
                        "attachments.digest",
                    )
            elif content is not None:
                attachment["digest"] = "sha256:" + hashlib.sha256(content).hexdigest()
            if "digest" not in attachment:
                reading.gap("no-digest", where, "a document without content or digest", "attachments.digest")
                continue
            attachment["media_type"] = _OFD
            if content is not None:
                attachment["size"] = len(content)
                reading.gap("attachment-content", where, "the content stays with the raw message", "attachments")
            target.setdefault("attachments", []).append(attachment)
            reading.note(target, ("attachments",), where)

    def write(self, rest: Tree, native: Tree) -> None:
        """Releases name attachments in the extension block; content is fetched by digest."""


class _CaseNumber:
    """`BMSAH`: the case in the procuratorate's own words. Releases carry their own handle in MSG/@GABH."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        if text is not None and reading.envelope.setdefault("@subject", text.strip()) != text.strip():
            reading.gap("conflict", at, "another field of the message names another case", "@subject")

    def write(self, rest: Tree, native: Tree) -> None:
        """As said."""


def _sm3(content: bytes) -> str | None:
    """None where the platform has no SM3."""
    try:
        return hashlib.new("sm3", content).hexdigest()
    except ValueError:
        return None


class Procuratorate(MappedAdapter):
    def before_reading(self, tree: Tree, reading: Reading) -> None:
        row = get_at(tree, ("DATA", "ROW"))
        stated = text_of(get_at(tree, ("MSG", "@TYPE")))
        inner = text_of(row.get("XWLX")) if isinstance(row, dict) else None
        known = {rule.native for rule in self.mapping.kinds} | self.lens.lexicon.types_back.keys()
        if (stated is None or stated not in known) and inner in known:
            set_at(tree, ("MSG", "@TYPE"), inner)
        if isinstance(row, dict):
            label = text_of(row.get("WSLX"))
            if label is not None:
                reading.envelope["~document"] = _KINDS.get(label, "document")

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        kind = reading.envelope.pop("~document", None)
        for attachment in reading.data.get("attachments", ()) if kind else ():
            attachment["kind"] = kind

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        row = tree.setdefault("DATA", {}).setdefault("ROW", {})
        tree["MSG"].setdefault("@TO", str(outgoing.recipient))
        if not row:
            row["XWLX"] = tree["MSG"]["@TYPE"]


_CUSTOMS: dict[str, CustomField] = {"document": _Document(), "case_number": _CaseNumber()}
ADAPTER = Procuratorate(
    load_mapping("adapters.procuratorate"), XmlCodec(roots=("ROOT",), split=("DATA", "ROW")), _CUSTOMS
)
