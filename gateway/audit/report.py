"""How does a report about the log look on paper, in a spreadsheet, and to a program?

A report is a table with a verdict: rows of plain values, columns with Chinese and English
headings. As CSV every cell is safe to open in a spreadsheet: what would begin a
formula is quoted (OWASP CSV injection). As a document it is one HTML file that
prints, with the evidence bundle inside it as an attachment.
"""

from __future__ import annotations

import csv
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from io import StringIO
from typing import Any

Cell = str | int | bool | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BOM = "\ufeff"  # without it common spreadsheets read Chinese as something else


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Report:
    """`verdict` answers the question in a sentence; `holds` is False when it needs somebody's attention.

    `size` is the size of the signed tree that the report rests on. `before` continues a report that was cut
    at its row limit.
    """

    name: str
    zh: str
    en: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    holds: bool
    verdict: str
    made_at: datetime
    origin: str
    size: int
    before: int | None = None
    events: tuple[str, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, Any]:
        return {
            "report": self.name,
            "title": {"zh": self.zh, "en": self.en},
            "holds": self.holds,
            "verdict": self.verdict,
            "made_at": self.made_at.isoformat(timespec="milliseconds"),
            "log": {"origin": self.origin, "size": self.size},
            "columns": [{"name": one.name, "zh": one.zh, "en": one.en} for one in self.columns],
            "rows": [dict(row) for row in self.rows],
            "before": self.before,
        }


def safe_cell(value: Cell) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


def as_csv(report: Report) -> str:
    """RFC 4180 with a byte order mark; headings Chinese and English."""
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow([f"{one.zh} {one.en}" for one in report.columns])
    for row in report.rows:
        writer.writerow([safe_cell(row.get(one.name)) for one in report.columns])
    return BOM + out.getvalue()


_STYLE = """
body { font: 11pt/1.6 "Songti SC", SimSun, "Noto Serif CJK SC", serif; max-width: 19cm; margin: 1.5cm auto; color: #111 }
h1 { font-size: 16pt; text-align: center } h2 { font-size: 12pt }
table { border-collapse: collapse; width: 100%; font-size: 9pt } thead { display: table-header-group }
th, td { border: 1px solid #888; padding: 2pt 4pt; vertical-align: top; text-align: left; word-break: break-word }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em } dt { color: #555 }
footer { margin-top: 1.5em; font-size: 9pt; color: #444 } tr { break-inside: avoid }
"""


def as_document(
    report: Report, *, asked_by: str, bundle: bytes | None, check: str = "bundle", notes: Sequence[str] = ()
) -> str:
    """One printable HTML file without script or outside reference. `bundle` is attached; it verifies with the command
    `check` of `hutong_verify.py`."""
    head = "".join(f"<th>{escape(one.zh)}<br><small>{escape(one.en)}</small></th>" for one in report.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(row.get(one.name)))}</td>" for one in report.columns) + "</tr>"
        for row in report.rows
    )
    facts = (
        ("结论 Finding", report.verdict),
        ("制作时间 Made at", report.made_at.isoformat(timespec="seconds")),
        ("申请 Asked by", asked_by),
        ("日志 Log", f"{report.origin}（{report.size} 条 records）"),
        ("行数 Rows", str(len(report.rows)) + ("（未完，可继续 more follow）" if report.before is not None else "")),
    )
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    told = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f'<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{escape(report.zh)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(report.zh)}<br><small>{escape(report.en)}</small></h1>"
        f"<dl>{listed}</dl>{told}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<footer>{_attachment(bundle, check)}</footer></body></html>\n"
    )


def _attachment(bundle: bytes | None, check: str) -> str:
    if bundle is None:
        return "<p>无附件 no attachment</p>"
    data = b64encode(bundle).decode()
    return (
        "<p>证据附件 evidence: "
        f'<a download="evidence.json" href="data:application/json;base64,{data}">evidence.json</a>。'
        f"离线核验 verify offline: <code>python3 hutong_verify.py {check} evidence.json --policy trust.policy</code></p>"
    )


def _shown(value: Cell) -> str:
    if value is None:
        return ""
    return ("是 yes" if value else "否 no") if isinstance(value, bool) else str(value)
