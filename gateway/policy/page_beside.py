"""What does the legal reviewer read of the documents beside the rules: consent, agreements, clocks?"""

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
