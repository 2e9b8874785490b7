"""What is the coarse form of a place, a school, a unit?

Region codes generalise by their own structure (GB/T 2260 county 6 digits, GB/T 10114 township 9, village 12). Text
of an address never becomes other text: what is coarse about a place is its region field, decided by itself.
"""

from __future__ import annotations

import re

from gateway.model.identifiers import parse_office_id

_REGION = re.compile(r"[0-9]{6}(?:[0-9]{3}){0,2}", re.ASCII)


def county_of(region: str) -> str | None:
    """The six digits of the county; None when it is no region code."""
    return region[:6] if _REGION.fullmatch(region) is not None else None


def township_of(region: str) -> str | None:
    """Nine digits where they are known, else what is known above; None when it is no region code."""
    return region[:9] if _REGION.fullmatch(region) is not None else None


def unit_of_county(unit: str) -> str | None:
    """`agency.county` of an office id; None for any other name or code of a unit."""
    try:
        agency, division = parse_office_id(unit).split(".")[:2]
    except ValueError:
        return None
    return f"{agency}.{division[:6]}"
