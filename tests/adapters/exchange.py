"""Who sends which notice to whom: DOMAIN 3.2 as data, for the eight agencies that have systems of their own.

Committees, townships, contractors, hotlines and the coordinator of that table write canonical notices. `ANY` is said
where DOMAIN says any, the other side of a case, or every recipient of an earlier notice.
"""

from __future__ import annotations

from collections.abc import Mapping

MZ, GA, JY, WJ = "civil_affairs", "police", "education", "health"
SF, FY, JC, FL = "judiciary", "courts", "procuratorate", "womens_federation"
ANY = frozenset({MZ, GA, JY, WJ, SF, FY, JC, FL})
NOBODY: frozenset[str] = frozenset()


def _of(*agencies: str) -> frozenset[str]:
    return frozenset(agencies)


# type -> who of the eight sends it, who of them receives it
EXCHANGE: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "RPT": (ANY, _of(GA, MZ, JY)),
    "RPT-M": (ANY, _of(GA, JC, JY, WJ)),
    "ACC": (ANY, ANY),
    "TRN": (ANY, ANY),
    "PFB": (_of(GA), ANY),
    "ASM": (_of(MZ), _of(GA, JC, FY, JY, WJ, FL)),
    "REF": (_of(MZ, JC, SF, WJ, JY, FL, FY), ANY),
    "REF-R": (ANY, ANY),
    "AID": (ANY, _of(MZ)),
    "GRD-W": (_of(GA), _of(MZ, FL)),
    "GRD-O": (_of(GA, JC, FY), _of(MZ, FL, JY)),
    "GRD-PA": (_of(GA, FL, MZ), _of(FY)),
    "GRD-P": (_of(FY), _of(GA, MZ, JY, FL)),
    "GRD-T": (_of(MZ), _of(GA, JY, WJ, JC)),
    "GRD-H": (_of(MZ), _of(GA, JY)),
    "GRD-RA": (_of(MZ, FL, JY, WJ), _of(FY, JC)),
    "GRD-R": (_of(FY), _of(MZ, GA, JC, JY, WJ)),
    "GRD-S": (_of(FY), _of(MZ, GA, JC, JY, WJ)),
    "GRD-L": (_of(MZ), _of(GA, JY, WJ)),
    "GRD-E": (_of(JY, MZ), _of(MZ)),
    "GRD-D": (_of(GA, SF), _of(MZ)),
    "LED": (_of(MZ, JY, WJ), _of(MZ)),
    "VIS": (_of(MZ, GA, FL), _of(MZ)),
    "CLS": (ANY, ANY),
    "ESC": (_of(MZ, JC), ANY),
    "WDR": (ANY, ANY),
    "COR": (ANY, ANY),
    "CON": (ANY, ANY),
    "BGN": (NOBODY, ANY),
    "QRY": (ANY, ANY),
    "ANS": (ANY, ANY),
    "STATS": (_of(MZ), _of(MZ)),
}
