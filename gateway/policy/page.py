"""What does the policy pack say, on a page that a legal reviewer reads?

Written from the compiled pack and the law map, so that the page cannot say anything
else than the rules do; `hutong policy page` prints it and a test compares the copy in `docs/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Policy
from gateway.policy.document import with_virtual_fields
from gateway.policy.page_beside import beside
from gateway.policy.reading import Problems, read_files
from gateway.policy.rows import conditions_text, facet_text
from gateway.policy.rules import Condition, PolicyDocument, Rule, RuleKind

_TITLES = {
    RuleKind.FLOOR: ("安全底线", "Floors", "在任何事实下都要给到，未知也不例外。"),
    RuleKind.PERMIT: ("许可", "Permits", "须对每个未知事实的所有取值都成立才适用；没有许可就什么也不给。"),
    RuleKind.LIMIT: ("限制", "Limits", "对未知事实的任一取值成立即适用；限制只会减少，从不增加。"),
}


@dataclass(frozen=True, slots=True)
class LawEntry:
    """One rule of the law: what keeps it, by id of the pack or as a part of the gateway; or why it is apart."""

    number: str
    zh: str
    by: tuple[str, ...]
    gateway: str
    apart: str = ""


def read_law(files: Mapping[str, str], policy: Policy | PolicyDocument) -> tuple[LawEntry, ...]:
    """Read the file of kind `law` beside a policy, compiled or not. Raises InvalidDocument for a rule that is kept by nothing, or by what does not exist."""
    problems = Problems()
    known = {str(rule.id) for rule in policy.rules}
    document = policy.document if isinstance(policy, Policy) else policy
    known |= {one.id for one in document.directions} | {one.id for one in document.waivers}
    entries: list[LawEntry] = []
    for _, root in read_files(files, problems):
        read = root.members(required=frozenset({"kind", "rules"}))
        listed = read["rules"].entries() if "rules" in read else {}
        if "rules" in read and read["rules"].is_mapping and not listed:
            read["rules"].problem("empty-mapping", "an empty mapping says nothing")
        for number, (key, node) in listed.items():
            entry = node.members(required=frozenset({"zh"}), optional=frozenset({"by", "gateway", "apart"}))
            named = entry["by"].texts() if "by" in entry else []
            for text, item in named:
                if text not in known:
                    item.problem("unknown-rule", f"there is no rule, direction or waiver `{text}`")
            if not named and "gateway" not in entry and "apart" not in entry:
                key.problem("kept-by-nothing", f"`{number}` is kept by nothing")
            if "apart" in entry and (named or "gateway" in entry):
                key.problem("kept-and-apart", f"`{number}` is kept by something and set apart as well")
            if "zh" in entry:
                gateway = entry["gateway"].text() if "gateway" in entry else ""
                apart = entry["apart"].text() if "apart" in entry else ""
                entries.append(LawEntry(number, entry["zh"].text(), tuple(text for text, _ in named), gateway, apart))
    if problems.found:
        raise InvalidDocument("the law map is wrong", problems=tuple(problems.found))
    return tuple(entries)


def policy_page(policy: Policy, law: Sequence[LawEntry]) -> str:
    """The page, in Markdown, Chinese first."""
    document, vocabulary = policy.document, policy.vocabulary
    lines = [
        "# 默认披露策略 / The default disclosure policy",
        "",
        "本页由策略文件生成（`hutong policy page`），请勿手改；以 `policies/` 中的文件为准。",
        "This page is written from the policy files (`hutong policy page`); change those, not this page.",
        "",
        "一个字段显示什么 = 底线 + （各项许可之和，再受每一项限制裁减）。规则没有先后，也没有优先级；例外写在“除非”里。",
        "What a field shows = floors + (the union of permits, cut by every limit). There is no order and no priority.",
        "",
    ]
    for kind, (zh, en, about) in _TITLES.items():
        rules = [rule for rule in policy.rules if rule.kind is kind and not _is_claim(rule)]
        lines += [f"## {zh} / {en}（{len(rules)}）", "", about, ""]
        lines += ["| 规则 | 内容 | 适用于 | 字段 | 形式 | 义务 | 依据 |", "| --- | --- | --- | --- | --- | --- | --- |"]
        lines += [_row(rule, policy) for rule in rules]
        lines.append("")
    lines += [
        "## 目的与可主张的机构 / Purposes and who may claim them",
        "",
        "| 目的 | 名称 | 可主张的机构 | 依据 |",
        "| --- | --- | --- | --- |",
    ]
    for code, purpose in vocabulary.purposes.items():
        claimed = (
            "、".join(title.zh for one, title in vocabulary.agencies.items() if one in purpose.claimed_by)
            if purpose.claimed_by
            else "任何机构 any"
        )
        lines.append(f"| {code} | {purpose.title.zh} {purpose.title.en} | {claimed} | {'；'.join(purpose.citation)} |")
    lines += [
        "",
        "## 方向：变化之后不会多看到 / Directions",
        "",
        "装载时对全部情形证明。Proved at load over all circumstances.",
        "",
        "| 编号 | 变化 | 依据 |",
        "| --- | --- | --- |",
    ]
    for one in document.directions:
        values = vocabulary.facts[one.fact].values
        before, after = ("、".join(values[v].zh for v in group) for group in (one.before, one.after))
        lines.append(
            f"| `{one.id}` | {vocabulary.facts[one.fact].title.zh}：{before} → {after} | {'；'.join(one.citation)} |"
        )
    lines += ["", "## 豁免 / Waivers", "", "| 编号 | 证明 | 理由 | 依据 |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.id}` | {one.proof} | {one.reason.zh} | {'；'.join(one.citation)} |" for one in document.waivers]
    lines += ["", "## 字段组 / Field groups", "", "| 字段组 | 字段 |", "| --- | --- |"]
    titles = with_virtual_fields(document.catalogue)
    lines += [
        f"| `{name}` | {'、'.join(titles[field].title_zh for field in sorted(fields))} |"
        for name, fields in document.groups.items()
    ]
    lines += beside(document)
    lines += [
        "",
        "## 法律规则由什么保证 / What keeps each rule of the law",
        "",
        "| 规则 | 内容 | 由何保证 |",
        "| --- | --- | --- |",
    ]
    for entry in law:
        kept = " ".join(f"`{rule}`" for rule in entry.by)
        lines.append(
            f"| {entry.number} | {entry.zh} | {'；'.join(filter(None, (kept, entry.gateway, entry.apart and f'不涉披露：{entry.apart}')))} |"
        )
    return "\n".join([*lines, ""])


def _is_claim(rule: Rule) -> bool:
    """The limits that the vocabulary's `claimed_by` makes have a table of their own."""
    return rule.kind is RuleKind.LIMIT and str(rule.id).endswith("-claimants")


def _row(rule: Rule, policy: Policy) -> str:
    where = _conditions(rule.where, policy)
    unless = "；或 ".join(_conditions(one, policy) for one in rule.unless)
    duties = "、".join(
        policy.vocabulary.obligations[duty.name].title.zh + ("" if duty.value is None else f" {duty.value}")
        for duty in rule.obligations
    )
    cells = (
        f"`{rule.id}`",
        rule.title.zh,
        where + (f"；除非 {unless}" if unless else ""),
        "、".join(_fields(rule.fields, policy)),
        facet_text(rule.facets).zh,
        duties,
        "；".join(rule.citation),
    )
    return "| " + " | ".join(cells) + " |"


def _conditions(where: Condition, policy: Policy) -> str:
    facts = policy.vocabulary.facts
    ordered = {
        name: tuple(value for value in facts[name].values if value in where[name]) for name in facts if name in where
    }
    return conditions_text(ordered, policy.vocabulary).zh


def _fields(fields: frozenset[FieldId], policy: Policy) -> Iterable[str]:
    """Groups by name where a rule has all of their fields, then what is left; a long rest is counted."""
    left = set(fields)
    named: list[str] = []
    for name, members in sorted(policy.document.groups.items(), key=lambda group: -len(group[1])):
        if len(members) > 1 and members <= left:
            named.append(f"`{name}`")
            left -= members
    catalogue = with_virtual_fields(policy.document.catalogue)
    rest = [catalogue[one].title_zh + f"（{one}）" for one in sorted(left)]
    return [*named, *(rest if len(rest) <= 12 else [f"另 {len(rest)} 个字段"])]
