"""Write the tables' own part of docs/routing.md anew. Run from the repository root after changing policies/routing."""

from __future__ import annotations

from pathlib import Path

from gateway.engines.files.geography import read_routing
from gateway.policy.routing_description import describe_routing

BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->"

page = Path("docs/routing.md")
text = page.read_text(encoding="utf-8")
before, _, rest = text.partition(BEGIN)
_, _, after = rest.partition(END)
page.write_text(before + BEGIN + "\n" + describe_routing(read_routing()) + "\n" + END + after, encoding="utf-8")
