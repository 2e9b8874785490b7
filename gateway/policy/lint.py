"""What in a policy is allowed but worth a second look?

None of these refuses a policy; the proofs do that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gateway.policy.compiled import Policy
from gateway.policy.proofs import Proofs, prove
from gateway.policy.rules import RuleKind
from gateway.policy.vocabulary import Origin, Text

SOON = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Remark:
    code: str
    origin: Origin
    message: Text


def lint(policy: Policy, proofs: Proofs | None = None) -> tuple[Remark, ...]:
    """Guards, rules that end soon, twins, facts, obligations and waivers that nothing uses; sorted by place."""
    proofs = proofs or prove(policy)
    remarks: list[Remark] = []

    def remark(code: str, origin: Origin, zh: str, en: str) -> None:
        remarks.append(Remark(code, origin, Text(zh, en)))

    for guard in proofs.guards:
        remark(
            "guard",
            guard.origin,
            f"限制 {guard.rule} 目前不改变任何结果，仅作防护",
            f"the limit `{guard.rule}` binds nothing today; it is a guard",
        )
    seen: dict[object, str] = {}
    for rule in policy.rules:
        meaning = (
            rule.kind,
            frozenset(rule.where.items()),
            frozenset(frozenset(box.items()) for box in rule.unless),
            rule.fields,
            rule.facets,
        )
        if meaning in seen:
            remark(
                "twin",
                rule.origin,
                f"{rule.id} 与 {seen[meaning]} 内容相同",
                f"`{rule.id}` says the same as `{seen[meaning]}`",
            )
        seen.setdefault(meaning, rule.id)
        if rule.valid_to is not None and rule.valid_to - policy.as_of <= SOON:
            remark(
                "ends-soon", rule.origin, f"{rule.id} 将于 {rule.valid_to} 失效", f"`{rule.id}` ends on {rule.valid_to}"
            )
        if rule.kind is RuleKind.PERMIT and not rule.where and not rule.unless and len(rule.fields) > 1:
            remark(
                "open-permit",
                rule.origin,
                f"许可 {rule.id} 对所有接收方有效",
                f"the permit `{rule.id}` holds for every recipient",
            )
    used = {name for rule in policy.rules for box in (rule.where, *rule.unless) for name in box}
    for name, spec in policy.vocabulary.facts.items():
        if name not in used:
            remark(
                "unused-fact",
                spec.origin,
                f"没有规则使用事实“{spec.title.zh}”（{name}）",
                f"no rule looks at the fact `{name}`",
            )
    owed = {one.name for one in policy.obligations}
    for name, duty in policy.vocabulary.obligations.items():
        if name not in owed:
            remark(
                "unused-obligation",
                duty.origin,
                f"没有规则要求义务 {name}",
                f"no rule asks for the obligation `{name}`",
            )
    for agreement in policy.document.agreements.listed:
        if agreement.valid_to is not None and agreement.valid_to - policy.as_of <= SOON:
            remark(
                "ends-soon",
                agreement.origin,
                f"协议 {agreement.id} 于 {agreement.valid_to} 到期",
                f"the agreement `{agreement.id}` ends on {agreement.valid_to}",
            )
    for waiver in policy.document.waivers:
        if waiver.id not in proofs.waivers_used:
            remark(
                "unused-waiver", waiver.origin, f"豁免 {waiver.id} 已无必要", f"the waiver `{waiver.id}` waives nothing"
            )
    return tuple(sorted(remarks, key=lambda one: (one.origin.file, one.origin.line, one.code, one.message.en)))
