"""In which version of HL7 v2 is a message written, and how is it numbered there?

The media type asked for says the version (`application/hl7-v2+er7; version=2.5.1`); 2.4 where it says none or one we
do not write. Up to 2.6 the standard allows MSH-10 twenty characters (2.7 and later 199), and engines cut what is longer,
so that two messages get one number. A longer number is written as twenty characters of its SHA-256 (100 bits,
base32) in every version: a hospital that changes its version still knows a message that comes again. The whole number
stands in ZTB-6.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from adapters.kit.native import Tree, as_list

VERSIONS = ("2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2")
DEFAULT = "2.4"
MAX_NUMBER = 20


def version_asked(media_type: str) -> str:
    """
    >>> version_asked('application/hl7-v2+er7; version="2.5.1"'), version_asked("application/hl7-v2; version=9")
    ('2.5.1', '2.4')
    """
    for parameter in media_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "version" and value.strip().strip('"') in VERSIONS:
            return value.strip().strip('"')
    return DEFAULT


def write_for(tree: Tree, version: str) -> None:
    """Put the tree of a message, as 2.4 has it, into another version: what that one requires and what it has withdrawn."""
    at = VERSIONS.index(version)
    tree["MSH"]["12"] = version
    if at >= VERSIONS.index("2.5"):
        tree["MSH"]["9"]["3"] = "ORU_R01"
    if at >= VERSIONS.index("2.6"):  # XTN.1 is withdrawn
        for segment, field in (("PID", "13"), ("NK1", "5")):
            for one in as_list(tree.get(segment)):
                if isinstance(phone := one.get(field), str):
                    one[field] = {"3": "PH", "12": phone}
    if version == "2.3.1" or at >= VERSIONS.index("2.7"):
        for number, result in enumerate(as_list(tree.get("OBX")), 1):
            result.setdefault("4", str(number))
    visit: Any = tree.get("PV1", {}).get("19")
    if at >= VERSIONS.index("2.7") and visit:  # CX.5 is required
        visit["5"] = "VN"


def short_number(number: str) -> str:
    """The number as MSH-10 holds it.

    >>> short_number("WJ20260301-0007")
    'WJ20260301-0007'
    >>> short_number("0190f0aa-0000-7000-8000-000000000001.2")
    'M7BFESDP54PR5UDKYR4T'
    """
    if len(number) <= MAX_NUMBER:
        return number
    return base64.b32encode(hashlib.sha256(number.encode()).digest()).decode()[:MAX_NUMBER]
