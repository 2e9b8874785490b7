"""How does health (卫生健康) speak? HL7 v2 by default, FHIR R4 and CDA R2 by media type (DOMAIN 2.4).

One adapter name for all: a hospital's engine, its regional platform and its
document registry are one office.
"""

from __future__ import annotations

from adapters.health.cda import CDA
from adapters.health.fhir import FHIR
from adapters.health.v2 import V2
from adapters.kit.formats import FormatChoice

ADAPTER = FormatChoice(
    "health", [("", V2), ("{[", FHIR), ("<", CDA)], ("application/json", "application/xml", "text/xml")
)
