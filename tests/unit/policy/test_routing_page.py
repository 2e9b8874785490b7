from __future__ import annotations

from gateway.geography.competent import GOVERNING
from gateway.policy.routing_description import SOURCES_ZH, describe_routing
from gateway.policy.routing_rules import ROLES, Source
from tests.support.routing import ROOT, shipped_tables

PAGE = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")


def test_the_page_says_what_the_tables_say() -> None:
    written = PAGE.partition("<!-- tables: begin -->\n")[2].partition("<!-- tables: end -->")[0]
    assert written.strip() == describe_routing(shipped_tables()).strip(), "run ops/write-routing-doc.py"


def test_the_page_names_every_matter_with_its_places_and_the_roles_in_order() -> None:
    for matter, kinds in GOVERNING.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {matter.value} |"))
        assert ", ".join(kind.value for kind in kinds) in row
    assert " > ".join(f"`{role}`" for role in ROLES) in PAGE


def test_every_source_has_a_chinese_name() -> None:
    assert set(SOURCES_ZH) == set(Source)
