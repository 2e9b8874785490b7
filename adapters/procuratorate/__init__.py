"""How does the procuratorate (检察) speak? An XML envelope of rows with documents inside; see mapping.yaml and DOMAIN 2.7."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.converters import CONVERTERS, Unmappable
from adapters.kit.lens import CustomField, Reading, fill, scalar, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree, as_list, get_at, set_at
from adapters.kit.xml_codec import XmlCodec

_OFD = "application/ofd"
_SUPERVISION = "ESC"
_ORDER = "GRD-O"
_ADDRESS = re.compile(r"([0-9]{6}|[0-9]{9}|[0-9]{12})(MZ|GA|JY|WJ|SF|FY|JC|FL)")
_AGENCIES = {
    "MZ": "civil_affairs", "GA": "police", "JY": "education", "WJ": "health", "SF": "judiciary", "FY": "courts",
    "JC": "procuratorate", "FL": "womens_federation",
}  # fmt: skip
_ASIDE = {"@TO": "~to", "WSRQ": "~issued_at", "ZXDW": "~executor"}
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


class _Aside:
    """What means something in some kinds of message only: kept aside until the kind is known. Releases say it in the extension block."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(scalar(value, reading.scalar_key))
        if text is not None:
            reading.data[_ASIDE[self.name]] = (text.strip(), at)

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
        aside: dict[str, tuple[str, Position] | None] = {
            name: reading.data.pop(key, None) for name, key in _ASIDE.items()
        }
        means = self._type_of(text_of(get_at(tree, ("MSG", "@TYPE"))) or "")
        addressee = aside["@TO"]
        if means == _SUPERVISION and addressee is not None:
            self._address(addressee[0], addressee[1], reading)
        for name, path in (("WSRQ", ("order", "issued_at")), ("ZXDW", ("order", "executor"))):
            said = aside[name]
            if said is not None and means == _ORDER:
                self._order(path, said[0], said[1], reading)
            elif said is not None:
                reading.gap("dropped", said[1], "a document that is no order has no canonical field for it")
        if means == _ORDER and "attachments" in reading.data:
            for name in ("issued_at", "executor"):
                if name not in reading.data.get("order", {}):
                    reading.gap("not-given", ("DATA", "ROW"), "stands in the document alone", f"order.{name}")

    def _type_of(self, native: str) -> str:
        """The notice type of a native kind that is the procuratorate's own; releases are written in the kinds of all."""
        return next((str(rule.type) for rule in self.mapping.kinds if rule.native == native.strip()), "")

    def _address(self, text: str, at: Position, reading: Reading) -> None:
        found = _ADDRESS.fullmatch(text)
        if found is None:
            reading.gap("unmapped-code", at, "no area code followed by an agency's initials", "requested_recipients")
        elif fill(reading.data, ("requested_recipients",), [f"{_AGENCIES[found[2]]}.{found[1]}"]):
            reading.note(reading.data, ("requested_recipients",), at)

    def _order(self, path: tuple[str, ...], text: str, at: Position, reading: Reading) -> None:
        try:
            value = CONVERTERS["moment" if path[-1] == "issued_at" else "text"].read(text)
        except Unmappable as error:
            reading.gap(error.code, at, error.message, ".".join(path))
            return
        if fill(reading.data, path, value):
            reading.note(reading.data, path, at)

    def after_writing(self, tree: Tree, outgoing: Outgoing) -> None:
        row = tree.setdefault("DATA", {}).setdefault("ROW", {})
        tree["MSG"].setdefault("@TO", str(outgoing.recipient))
        if not row:
            row["XWLX"] = tree["MSG"]["@TYPE"]


_CUSTOMS: dict[str, CustomField] = {
    "document": _Document(),
    "case_number": _CaseNumber(),
    "addressee": _Aside("@TO"),
    "document_date": _Aside("WSRQ"),
    "executor": _Aside("ZXDW"),
}
ADAPTER = Procuratorate(
    load_mapping("adapters.procuratorate"),
    XmlCodec(roots=("ROOT",), split=("DATA", "ROW"), children=("MSG", "DATA")),
    _CUSTOMS,
)
