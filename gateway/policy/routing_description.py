"""How do the routing tables read for people?

`describe_routing` writes them as Markdown, Chinese first. The text stands in
`docs/routing.md` between two marks, and a test compares it with the tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.policy.routing_rules import Clause, NoticeTable, Party, RoutingRule, RoutingTables, Source

SOURCES_ZH = {
    Source.COMPETENT: "有管辖权的",
    Source.SUPERVISOR: "报告单位的主管部门",
    Source.SUPERIOR: "发送单位的上级",
    Source.NAMED: "点名的接收方",
    Source.NAMED_SUPERIOR: "点名接收方的上级",
    Source.TARGET: "指明的移送对象",
    Source.EXECUTORS: "措施的执行机构",
    Source.CONSENT: "同意书所列接收方",
    Source.PRIOR_SENDER: "原通报的发送方",
    Source.PRIOR_RECIPIENTS: "原通报的全部接收方",
    Source.OWNER: "个案牵头单位",
    Source.REPORTING_UNITS: "报告单位",
    Source.ACTIVE: "仍在办理的接收方",
    Source.APPLICANTS: "申请人",
}

_PARTIES_ZH = {
    Party.ORIGINAL_SENDER: "仅原发送方 original sender",
    Party.ORIGINAL_PARTY: "原发送方或接收方 original party",
}


def describe_routing(tables: RoutingTables) -> str:
    """One section per notice type in alphabetical order, then the local settings."""
    lines: list[str] = []
    for notice_type in sorted(tables.by_type):
        lines.extend(_section(tables.by_type[notice_type]))
    lines += [
        "### 地方规则开关 Local settings",
        "",
        "| 开关 setting | 说明 meaning | 默认 default | 例外 except |",
        "| --- | --- | --- | --- |",
    ]
    for name in sorted(tables.settings):
        setting = tables.settings[name]
        except_for = " ".join(sorted(setting.exceptions)) or "-"
        default = "开 on" if setting.default else "关 off"
        lines.append(f"| `{name}` | {setting.title_zh}<br>{setting.title_en} | {default} | {except_for} |")
    return "\n".join(lines) + "\n"


def _section(table: NoticeTable) -> Iterator[str]:
    senders = "任何单位 any" if table.senders is None else ", ".join(sorted(table.senders))
    if table.party in _PARTIES_ZH:
        senders += f"；{_PARTIES_ZH[table.party]}"
    yield f"### {table.type} {table.title_zh} {table.title_en}"
    yield ""
    yield f"发送方 senders: {senders}"
    yield ""
    for refusal in table.refusals:
        yield f"不受理 refused (`{refusal.id}`): {refusal.title_zh} / {refusal.title_en}；{conditions(refusal.where)}；{'、'.join(refusal.citation)}"
        yield ""
    yield "| 规则 rule | 送给 to | 角色 as | 目的 purpose | 条件 when | 依据 basis |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for rule in table.rules:
        yield f"| `{rule.id}`<br>{rule.title_zh}<br>{rule.title_en} | {routed_to(rule)} | {rule.role} | {rule.purpose} | {routed_when(rule)} | {' '.join(rule.legal_basis)}；{'、'.join(rule.citation)} |"
    yield ""


def routed_to(rule: RoutingRule) -> str:
    """Whose offices a rule names."""
    agencies = "" if rule.agencies is None else " " + ", ".join(sorted(rule.agencies))
    matter = "" if rule.matter is None else f" ({rule.matter.value})"
    return f"{SOURCES_ZH[rule.source]}{agencies}{matter}"


def routed_when(rule: RoutingRule) -> str:
    """In which circumstances."""
    parts = []
    if rule.where:
        parts.append(conditions(rule.where))
    if rule.unless:
        parts.append(f"除非 unless {conditions(rule.unless)}")
    if rule.setting is not None:
        parts.append(f"开关 setting `{rule.setting}`")
    if rule.reach_suspended:
        parts.append("停用的也送达 also when suspended")
    return "<br>".join(parts) or "总是 always"


def conditions(clauses: tuple[Clause, ...]) -> str:
    """Alternatives, each of which must hold whole."""
    return " 或 or ".join(
        " 且 and ".join(f"{name} = {'/'.join(sorted(values))}" for name, values in clause.needs) for clause in clauses
    )
