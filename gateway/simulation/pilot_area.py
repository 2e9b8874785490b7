"""Which offices take part in the demo: 广州市番禺区 440113 with 省 and 市 above and 乡镇 below.

Offices are units, not persons; the names are of the kind real units have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EVERY_OBLIGATION = ("no_onward", "retention_days", "disposal_receipt", "report_back_hours", "notify_owner", "log_use")


@dataclass(frozen=True, slots=True)
class SimulatedOffice:
    """`adapter` is the format its system speaks; it is handed that adapter's first media type."""

    id: str
    name_zh: str
    name_en: str
    adapter: str = "canonical"
    attributes: Mapping[str, str] = field(default_factory=dict)


# The eight of scenario S1, one per agency.
EIGHT = (
    SimulatedOffice("health.440113", "番禺区卫生健康局", "Panyu district health bureau", "health"),
    SimulatedOffice("police.440113", "广州市公安局番禺区分局", "Panyu police", "police"),
    SimulatedOffice("civil_affairs.440113", "番禺区民政局", "Panyu civil affairs", "civil_affairs"),
    SimulatedOffice("education.440113", "番禺区教育局", "Panyu education bureau", "education",
                    attributes={"school_code": "3144010001"}),
    SimulatedOffice("courts.440113", "番禺区人民法院", "Panyu basic court", "courts"),
    SimulatedOffice("procuratorate.440113", "番禺区人民检察院", "Panyu procuratorate", "procuratorate"),
    SimulatedOffice("judiciary.440113", "番禺区司法局", "Panyu justice bureau", "judiciary"),
    SimulatedOffice("womens_federation.440113", "番禺区妇女联合会", "Panyu women's federation", "womens_federation"),
)  # fmt: skip

# Above and below: they take part in routing and fallback.
AROUND = (
    SimulatedOffice("health.440100", "广州市卫生健康委员会", "Guangzhou health commission"),
    SimulatedOffice("police.440100", "广州市公安局", "Guangzhou police"),
    SimulatedOffice("civil_affairs.440100", "广州市民政局", "Guangzhou civil affairs"),
    SimulatedOffice("education.440100", "广州市教育局", "Guangzhou education bureau"),
    SimulatedOffice("civil_affairs.440000", "广东省民政厅", "Guangdong civil affairs"),
    SimulatedOffice("community.440113102", "番禺区南村镇未成年人保护工作站", "Nancun township protection station"),
)
