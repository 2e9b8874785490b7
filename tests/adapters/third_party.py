"""A ninth agency's adapter as a third party would ship it: the cyberspace office (网信) reports by key=value lines.

Not part of the product: it shows that the port is enough, and that the conformance suite finds what is wrong.
"""

from __future__ import annotations

import json
import urllib.parse
from datetime import datetime

from gateway.model.errors import Problem
from gateway.model.identifiers import AgencyName, NoticeType
from gateway.model.notice import Gap, SubmittedNotice
from gateway.ports.translation import Decoded, Encoded, RefusedItem

KEYS = {"xm": "name", "sfzh": "id_no", "csrq": "birth_date"}


class KeyValueLines:
    """One notice per message: `key=value` lines, values percent-encoded; `body` holds what the keys cannot say."""

    name = "cyberspace"
    agency = AgencyName("cyberspace")
    media_types = ("text/x-key-value",)
    sends = frozenset({NoticeType("RPT")})

    def __init__(self, conveys):
        self.conveys = frozenset(conveys)
        self.manifest = {"bz": "remarks have no canonical field"}

    def decode(self, raw, media_type, sender, headers):
        if len(raw) > 1_000_000:
            return self._refused("too-large", f"byte {len(raw)}", "send less than a megabyte")
        try:
            lines = [line.partition("=") for line in raw.decode("utf-8").splitlines() if line.strip()]
        except UnicodeDecodeError as broken:
            return self._refused("charset", f"byte {broken.start}", "send UTF-8")
        values = {key: urllib.parse.unquote(value) for key, _, value in lines}
        kind = values.pop("lx", "")
        if kind not in {str(known) for known in self.conveys} or not values.get("bh"):
            return self._refused("unknown-kind", "lx", "begin with lx= and bh=")
        try:
            data = json.loads(values.pop("body", "{}"))
        except (ValueError, RecursionError):
            return self._refused("not-json", "body", "send JSON in body=")
        if not isinstance(data, dict):
            return self._refused("not-json", "body", "send an object in body=")
        child = {KEYS[key]: values.pop(key) for key in KEYS if key in values}
        if child:
            data.setdefault("persons", []).append({"ref": "p1", "roles": ["minor"], **child})
        native_id, reporter = values.pop("bh"), {}
        if "bgr" in values:
            reporter["name"] = values.pop("bgr")
        subject, sent = values.pop("gabh", ""), values.pop("sj", None)
        codes = {"bz": "dropped"}
        gaps = tuple(Gap(codes.get(key, "unmapped"), key or "line", "no rule maps this key") for key in values)
        try:
            moment = datetime.fromisoformat(sent) if sent else None
        except ValueError:
            moment = None
        notice = SubmittedNotice(
            sender.id, native_id, NoticeType(kind), data, subject, moment, reporter=reporter, gaps=gaps
        )
        return Decoded((notice,))

    def encode(self, release, recipient, media_type):
        body = json.dumps(release.data, ensure_ascii=False, sort_keys=True)
        lines = {
            "lx": release.type,
            "bh": release.id,
            "gabh": release.subject,
            "sj": release.time.isoformat(),
            "body": body,
        }
        text = "".join(f"{key}={urllib.parse.quote(value)}\n" for key, value in lines.items())
        return Encoded(text.encode(), self.media_types[0], {})

    def _refused(self, code, position, remedy):
        return Decoded((RefusedItem(position, (Problem(code, position, "this cannot be read", remedy),)),))


class Careless(KeyValueLines):
    """The same with everything an adapter must not do: each fault is one the suite has to find."""

    def decode(self, raw, media_type, sender, headers):
        if raw.startswith(b"\xff"):
            raise ValueError("bytes")
        decoded = super().decode(raw, media_type, sender, headers)
        (item,) = decoded.items
        if isinstance(item, RefusedItem):
            return Decoded((RefusedItem("", (Problem("bad", "", "no", ""),)),))
        data = dict(item.data)
        data.pop("harm", None)  # a silent loss
        told = tuple(
            Gap("odd", "persons", f"cannot read {person.get('name', '')}") for person in data.get("persons", ())
        )
        return Decoded((SubmittedNotice(item.sender, item.native_id, item.type, data, item.subject, gaps=told),))

    def encode(self, release, recipient, media_type):
        encoded = super().encode(release, recipient, media_type)
        return Encoded(encoded.body + f"bz={id(encoded)}\n".encode(), encoded.media_type, {})
