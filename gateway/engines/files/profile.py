"""An office's own profile on disk: who it is, where the gateway is, its private key (mode 0600)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from gateway.crypto.signing import SigningKey
from gateway.model.identifiers import parse_office_id


def write_profile(directory: Path, office: str, url: str, key: SigningKey) -> Path:
    """Write `<directory>/<office>/office.toml` and the key beside it; returns the folder. An older key file is kept as it is."""
    folder = directory / parse_office_id(office)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_file = folder / f"{key.kid[:16]}.pem"
    lines = base64.encodebytes(key.private_bytes()).decode("ascii")
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n")
    text = f'office = "{office}"\nurl = "{url}"\nkey = "{key_file.name}"\nkid = "{key.kid}"\n'
    (folder / "office.toml").write_text(text, encoding="utf-8")
    return folder
