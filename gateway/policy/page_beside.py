"""What does the legal reviewer read of the documents beside the rules: consent, safeguards, agreements, clocks, routing?"""

from __future__ import annotations

from gateway.policy.agreements import Agreements
from gateway.policy.clocks import Clock, Limit, Standing
from gateway.policy.rules import PolicyDocument

_SPEAKS = {
    "parent": "父母", "other_guardian": "其他监护人", "temporary_guardian": "临时监护人", "court_appointed": "法院指定的监护人",
    "civil_affairs": "民政部门",
}  # fmt: skip
_UNITS = {"minutes": "分钟", "hours": "小时", "days": "日", "working_days": "个工作日", "months": "个月"}
_STANDINGS = {
    Standing.LAW: "依法核对", Standing.REPORTED: "一般知识，待核", Standing.PROPOSED: "建议值", Standing.LOCAL: "地方规定",
}  # fmt: skip


def beside(document: PolicyDocument) -> list[str]:
    """The sections, in Markdown, Chinese first."""
    rules = document.consent
    order = "；".join("与".join(_SPEAKS[kind] for kind in rank) for rank in rules.ranks)
    tracks = document.vocabulary.facts["track"].values if "track" in document.vocabulary.facts else {}
    replaced = "、".join(tracks[one].zh if one in tracks else one for one in sorted(rules.replaced_in))
    return [
        "",
        "## 同意 / Consent",
        "",
        f"* 满 {rules.view_heard_from} 周岁起，本人的拒绝算数；满 {rules.own_consent_from} 周岁起，本人自行同意；满 {rules.majority} 周岁起，他人不再代为表示。年龄不明按未满 {rules.own_consent_from} 周岁。",
        f"* 代为同意者依次为：{order}。有利益冲突的，同意与拒绝均不算数。父母在下列状态下已被取代：{replaced or '无'}。",
        f"* 读取超过 {int(rules.snapshot.total_seconds())} 秒的同意状态视为未知。",
        f"* 回执告知的权利：{rules.rights}",
        f"* 回执告知的撤回方式：{rules.withdrawal}",
        f"* 回执告知的保存期限：{rules.retention}",
        "",
        "## 协作协议 / Agreements",
        "",
        *_agreements(document.agreements, document),
        "",
        "## 时限 / Clocks",
        "",
        "数字是设置，可按地方规定修改。Numbers are configuration.",
        "",
        "| 编号 | 事项 | 期限 | 起算 | 办结 | 可靠程度 | 依据 | 说明 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_clock(one) for one in document.clocks.values()),
        *_safeguards(document),
        *_routing(document),
    ]


def _safeguards(document: PolicyDocument) -> list[str]:
    if document.safeguards is None:
        return []
    emergency, sealed = document.safeguards.emergency, document.safeguards.sealed
    names = {str(name): title.zh for name, title in document.vocabulary.agencies.items()}
    duty, may_ask = (
        "、".join(names.get(one, one) for one in sorted(some)) for some in (emergency.duty, sealed.may_ask)
    )
    return [
        "",
        "## 特别保护 / Safeguards",
        "",
        f"* 紧急破例：{duty}的值班单位；每次 {int(emergency.life.total_seconds()) // 3600} 小时，至多该个案的 {emergency.notices} 份通报；{emergency.review_working_days} 个工作日内复核；{emergency.unjustified_within.days} 日内不正当使用满 {emergency.unjustified} 次即停止该权利。",
        f"* 封存记录可能作答的查询（{'、'.join(sorted(sealed.questions))}）：只有{may_ask}可经审批通道询问数据提供方；对其他机构，无论有无封存记录，一律答复“无记录”。",
    ]


def _routing(document: PolicyDocument) -> list[str]:
    if document.routing is None:
        return []
    rules = sum(len(table.rules) for table in document.routing.by_type.values())
    return [
        "",
        "## 路由 / Routing",
        "",
        f"{len(document.routing.by_type)} 种通报，{rules} 条规则，全文见 [routing.md](routing.md)。路由只决定可能的接收单位和目的，看到什么另由以上规则决定。强制报告一律送有管辖权的公安机关；涉及侵害、危险或情况不明的发现报告也是如此：任何策略都不能改变，装载时核对。",
        "Who might receive a notice, and for which purpose; what each sees is decided by the rules above. That a report of harm reaches the competent police is checked at load, and no pack can change it.",
    ]


def _agreements(agreements: Agreements, document: PolicyDocument) -> list[str]:
    unlisted = "算数" if agreements.unlisted_count else "不算数"
    lines = [f"只在单位登记信息中写明、未列于此的会签文件{unlisted}。"]
    if not agreements.listed:
        return [*lines, "", "未列任何协议。No agreement is listed."]
    lines += [
        "",
        "| 文号 | 名称 | 当事单位 | 区划 | 目的 | 起止 | 依据 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    agencies = {str(name): title for name, title in document.vocabulary.agencies.items()}
    for one in agreements.listed:
        parties = "、".join(agencies[name].zh if name in agencies else name for name in sorted(one.parties))
        until = "" if one.valid_to is None else one.valid_to
        cited, purposes = "；".join(one.citation), " ".join(sorted(one.purposes)) or "任何"
        lines.append(
            f"| {one.id} | {one.title.zh} | {parties} | {one.region or '全部'} | {purposes} | {one.valid_from} 至 {until} | {cited} |"
        )
    return lines


def _clock(one: Clock) -> str:
    limits = "；".join(map(_limit, one.limits))
    cells = (
        one.id, one.title.zh, limits, " ".join(one.started_by) or "—", " ".join(one.met_by) or "—",
        _STANDINGS[one.standing], "；".join(one.citation), "" if one.note is None else one.note.zh,
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _limit(one: Limit) -> str:
    number = "立即" if one.unit == "at_once" else f"{one.number} {_UNITS[one.unit]}"
    return number if one.when is None else f"{one.when.zh} {number}"
