"""How do releases reach a folder of the agency, and when is the gateway told that they have?

A release is `<delivery>.<revision><suffix>`, with `<that>.manifest.json` beside it:
media type, size, digest, and the gateway's detached signature over the bytes, so
whoever takes the file further can still prove whose it is. Both are on disk
before the delivery is acknowledged. A crash before that, and the same release
comes again and is written to the same name; a higher revision stands beside.

Write order: the file, then its manifest. A reader takes what has a manifest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from gateway.engines.file_drop.durable import stamp_of, sync_folder, write_durably
from gateway.model.canonical import canonical_json
from gateway.model.errors import Tampered

MANIFEST = ".manifest.json"
_DELIVERY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class Release(Protocol):
    """What a client fetched, its signature verified."""

    @property
    def delivery(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def signature(self) -> str: ...


def suffix_of(content_type: str, suffixes: Mapping[str, str]) -> str:
    """How a file of this content is called: `suffixes` by media type without parameters, or by its structured suffix
    (`+xml`); `.bin` for all others."""
    kind = content_type.split(";")[0].strip().lower()
    form = "+" + kind.rpartition("+")[2]  # an agency's own `application/vnd...+xml` is XML all the same
    return suffixes.get(kind) or suffixes.get(form, ".bin")


class InboxFolder:
    """`suffixes` as `suffix_of` takes them."""

    def __init__(self, directory: Path, suffixes: Mapping[str, str]) -> None:
        self._directory, self._suffixes = directory, suffixes
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(directory.parent)

    def put(self, release: Release) -> Path:
        """On disk when this returns. Raises Tampered for a delivery that is no identifier, OSError when the disk fails."""
        if _DELIVERY.fullmatch(release.delivery) is None or release.revision < 0:
            raise Tampered("a delivery whose identifier is none")
        suffix = suffix_of(release.content_type, self._suffixes)
        path = self._directory / f"{release.delivery}.{release.revision}{suffix}"
        manifest = path.with_name(path.name + MANIFEST)
        told = canonical_json(
            {
                "delivery": release.delivery,
                "revision": release.revision,
                "media_type": release.content_type,
                "size": len(release.body),
                "sha256": hashlib.sha256(release.body).hexdigest(),
                "signature": release.signature,
            }
        )
        if stamp_of(path) is not None and stamp_of(manifest) is not None and path.read_bytes() == release.body:
            return path
        write_durably(path, release.body)
        write_durably(manifest, told)
        return path
