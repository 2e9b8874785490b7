"""Which fields does each event of the exchange log have?

One table; fields are committed in the order of their names. Names of fields and
forms go in, values never: see `gateway.model.audit`. What links a record to a
person stands in the person's slot; what names the officer, in the officer's.

The first commitment of every record is its header (`at`, `event`, `id`,
`slots`, `v`), which is not listed here; the last of every person slot its link.

Source: DOMAIN 8.5 (content of the compliance log), DESIGN 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from gateway.model.audit import EventName, EventSchema, Form
from gateway.model.audit_fields import (
    ACCOUNT,
    BASIS,
    DOCUMENT,
    NOTICE,
    PERSON,
    POLICY,
    PURPOSE,
    REASON,
    REVISION,
    TRANSPORT,
    TYPE,
    URGENCY,
    consent,
    delivery,
    event,
    grant,
    key,
    may,
    must,
    office,
    policy,
    staff,
)

F = Form
E = EventName

_READING = (
    may("report", F.CODE),
    may("filters", F.CODES),
    may("rows", F.COUNT),
    may("format", F.CODE),
    may("from", F.INSTANT),
    may("until", F.INSTANT),
    may("tree_size", F.COUNT),
    PURPOSE,
    REASON,
)

_INTAKE = (
    event(
        E.NOTICE_ACCEPTED, "通报已受理入网", "a notice was accepted into the exchange",
        NOTICE, TYPE, URGENCY, PURPOSE, BASIS, TRANSPORT, may("attested", F.CODE, "signature", "gateway"),
        may("flags", F.FLAGS), may("gaps", F.COUNT), may("in_reply_to", F.ID), may("provisional", F.FLAG),
        person=DOCUMENT,
    ),
    event(
        E.FILE_ACCEPTED, "批量文件已收下", "a bulk file was taken in, its rows to follow",
        must("file", F.ID), TRANSPORT, may("attested", F.CODE, "signature", "gateway"),
    ),
    event(
        E.FILE_FINISHED, "批量文件已处理完", "every row of a bulk file became a notice or a refusal",
        must("file", F.ID), must("items", F.COUNT), must("accepted", F.COUNT), must("refused", F.COUNT),
    ),
    event(
        E.NOTICE_REFUSED, "通报被拒收", "a notice was refused",
        must("code", F.CODE), TYPE, TRANSPORT, may("problems", F.FLAGS), may("items", F.COUNT),
    ),
    event(
        E.NOTICE_WITHDRAWN, "通报已撤回", "a notice was withdrawn by its sender",
        NOTICE, may("by_notice", F.ID), may("deliveries", F.COUNT), REASON, person=PERSON,
    ),
    event(
        E.NOTICE_SUPERSEDED, "通报已更正或替换", "a notice was corrected or replaced",
        NOTICE, must("by_notice", F.ID), may("fields", F.FIELDS), REASON, person=PERSON,
    ),
    event(
        E.NOTICE_CHECKED, "沙箱校验", "a notice was checked in the sandbox, nothing was stored",
        TYPE, may("code", F.CODE), may("problems", F.FLAGS), TRANSPORT,
    ),
    event(
        E.REPORTER_VAULTED, "报告人身份已隔离保存", "a reporter's identity went to the vault",
        NOTICE, may("reporter_role", F.CODE), may("mandatory", F.FLAG), may("anonymous", F.FLAG), person=PERSON,
    ),
    event(
        E.RECEIPT_ISSUED, "回执已签发", "a signed receipt was issued",
        must("receipt", F.ID),
        must("kind", F.CODE, "accepted", "delivered", "read", "handling", "declined", "acted-on", "refused", "expired", "withdrawn", "provisional"),
        may("to", F.OFFICE), may("notice", F.ID), may("delivery", F.ID), may("key", F.KEY), person=DOCUMENT,
    ),
    event(
        E.UNAUTHENTICATED_REFUSALS_COUNTED, "未认证拒绝计数", "refusals of one unauthenticated peer in one minute",
        must("peer", F.HASH), must("minute", F.INSTANT), must("count", F.COUNT), may("code", F.CODE), TRANSPORT,
    ),
    event(
        E.SEALED_QUESTION_COUNTED, "涉封存事项查询计数", "questions that a sealed record could answer, whether or not one exists",
        must("question", F.CODE), must("count", F.COUNT), PURPOSE, BASIS,
    ),
)  # fmt: skip

_DECISION = (
    REVISION, PURPOSE, BASIS, must("policy", F.HASH), must("outcome", F.CODE), may("consent_epoch", F.COUNT),
    may("notice_version", F.COUNT), may("as_of", F.INSTANT),
)  # fmt: skip

_DELIVERIES = (
    delivery(
        E.DELIVERY_ROUTED, "已确定接收单位", "a recipient was determined",
        TYPE, URGENCY, PURPOSE, BASIS, may("recipient_role", F.CODE), may("rule", F.RULES),
        may("fallback_level", F.COUNT), POLICY, may("answer_by", F.INSTANT),
    ),
    delivery(
        E.DELIVERY_WITHHELD, "按规则不予投递", "policy said that the notice may not go to this recipient",
        PURPOSE, BASIS, POLICY, may("limits", F.RULES), REASON,
    ),
    delivery(
        E.DELIVERY_HELD, "投递暂缓", "a delivery waits for a person or for a forensic hold",
        must("why", F.CODE), POLICY,
    ),
    delivery(E.DELIVERY_RELEASED, "暂缓已解除", "a held delivery was let go", must("why", F.CODE)),
    delivery(
        E.DISCLOSURE_DECIDED, "披露决定", "what one recipient may see was decided",
        *_DECISION, must("fields", F.FIELD_FORMS), may("because", F.RULES), may("limits", F.RULES),
        may("facts", F.FACTS), may("accepts", F.CODES), may("obligations", F.CODES), may("consent", F.REFERENCE), may("policy_event", F.REFERENCE),
        may("emergency", F.ID), may("grant", F.ID), TRANSPORT, person=(*DOCUMENT, may("facts", F.FACTS)),
    ),
    delivery(
        E.TICKET_ISSUED, "发送凭证已签发", "the short-lived right to send one release was issued",
        *_DECISION, may("expires_at", F.INSTANT),
    ),
    delivery(
        E.TICKET_VOIDED, "发送凭证作废", "a ticket expired or was taken back before the first byte",
        REVISION, must("why", F.CODE),
    ),
    delivery(
        E.DELIVERY_SENT, "已发送", "a release was sent", REVISION, TRANSPORT, may("media_type", F.CODE),
        may("attempt", F.COUNT), may("bytes", F.COUNT), person=DOCUMENT,
    ),
    delivery(E.DELIVERY_ACKNOWLEDGED, "已送达", "the recipient's system took it over", REVISION, TRANSPORT),
    delivery(E.DELIVERY_READ, "已查阅", "somebody at the recipient opened it", REVISION),
    delivery(E.DELIVERY_ACCEPTED, "已接收办理", "the recipient took it on", may("by_notice", F.ID)),
    delivery(E.DELIVERY_DECLINED, "已退回", "the recipient declined it", may("by_notice", F.ID), REASON),
    delivery(E.DELIVERY_ACTED_ON, "已办理反馈", "the recipient reported what it did", may("by_notice", F.ID), may("measures", F.COUNT)),
    delivery(
        E.DELIVERY_DEFERRED, "发送未成，待重试", "an attempt failed and another will follow",
        may("attempt", F.COUNT), may("due_at", F.INSTANT), TRANSPORT, REASON,
    ),
    delivery(E.DELIVERY_PARKED, "前序故障，暂停", "a delivery was set aside so that its successors flow", may("attempt", F.COUNT), REASON),
    delivery(E.DELIVERY_DEAD_LETTERED, "转入死信", "attempts were exhausted; a person looks", may("attempt", F.COUNT), REASON),
    delivery(E.DELIVERY_RETRIED, "人工重试", "a person sent a dead letter back to work", REASON),
    delivery(
        E.DELIVERY_REDIRECTED, "改投", "a delivery went to another office",
        must("to_delivery", F.ID), must("to", F.OFFICE), may("rule", F.RULES), may("fallback_level", F.COUNT), REASON,
    ),
    delivery(E.DELIVERY_EXPIRED, "已过期", "a delivery's time was over", may("expires_at", F.INSTANT)),
    delivery(E.DELIVERY_WITHDRAWN, "已撤回", "a delivery was withdrawn", may("by_notice", F.ID), REASON),
    delivery(
        E.USAGE_RECEIPT_RECORDED, "使用记录已登记", "the recipient recorded how it used the data (GDSR 29)",
        may("use", F.CODE), PURPOSE, may("used_at", F.INSTANT),
    ),
    delivery(E.DISPOSAL_CONFIRMED, "处置已确认", "the recipient confirmed disposal (GDSR 27)", may("method", F.CODE), may("due_at", F.INSTANT)),
    delivery(E.DISPOSAL_MISSED, "处置逾期", "no disposal was confirmed in time", must("due_at", F.INSTANT)),
    event(
        E.ATTACHMENT_STORED, "附件已存", "an attachment was stored", must("attachment", F.ID), may("notice", F.ID),
        may("bytes", F.COUNT), may("media_type", F.CODE), person=DOCUMENT,
    ),
    delivery(E.ATTACHMENT_RELEASED, "附件已放行", "an attachment was released", must("attachment", F.ID), POLICY, PURPOSE, person=DOCUMENT),
    delivery(
        E.MESSAGE_RELAYED, "经句柄转达", "a recipient's message goes to the office that holds the contact behind a relay handle",
        must("to", F.OFFICE), must("bytes", F.COUNT), POLICY, PURPOSE, may("outcome", F.CODE),
    ),
    delivery(
        E.MESSAGE_REFUSED, "未予转达", "a message through a relay handle was not taken: the handle leads nowhere now", POLICY, PURPOSE,
    ),
    event(
        E.QUERY_ANSWERED, "查询已答复", "a query was answered",
        must("question", F.CODE), PURPOSE, BASIS, POLICY, may("notice", F.ID), person=PERSON,
    ),
    event(
        E.ACCESS_EVALUATED, "访问决定接口调用", "the decision point answered an AuthZEN request",
        may("evaluations", F.COUNT), POLICY, PURPOSE, may("outcome", F.CODE), person=PERSON,
    ),
    event(
        E.DEADLINE_MISSED, "时限已过", "a deadline passed without the answer it waits for",
        must("clock", F.CODE), may("notice", F.ID), may("delivery", F.ID), must("office", F.OFFICE),
        must("due_at", F.INSTANT), may("days_overdue", F.COUNT), person=PERSON,
    ),
)  # fmt: skip

_CASES = (
    event(E.CASE_OPENED, "立案建档", "a case was opened", may("owner", F.OFFICE), may("notice", F.ID), person=PERSON),
    event(
        E.CASE_TRANSFERRED, "移送", "a case went to another competent office",
        must("from_office", F.OFFICE), must("to", F.OFFICE), may("notice", F.ID), REASON, person=PERSON,
    ),
    event(E.CASE_CLOSED, "结案", "a case was closed", may("notice", F.ID), REASON, person=PERSON),
    event(
        E.PERSONS_FINDING_ASKED, "提出人员认定", "an officer asked a second one to join two persons, or to part them",
        must("kind", F.CODE, "joining", "parting"), REASON, person=PERSON,
    ),
    event(
        E.PERSONS_JOINED, "人员关联", "two officers found that two persons on record are one",
        REASON, person=PERSON,
    ),
    event(
        E.PERSONS_PARTED, "人员关联解除", "two officers found that two joined persons are two",
        REASON, person=PERSON,
    ),
    event(E.PERSONS_HELD_APART, "人员不予关联", "an officer found that two persons who look alike are two", REASON, person=PERSON),
    event(E.PERSON_PROPOSALS_READ, "疑似同一人建议查阅", "an officer was shown which persons look alike", may("rows", F.COUNT)),
    event(
        E.CONFLICT_RECORDED, "利益冲突已登记", "a conflict of interest was found (DOMAIN 5.6)",
        must("conflict", F.CODE), may("rule", F.RULES), may("notice", F.ID), person=PERSON,
    ),
    event(
        E.CONFLICT_CLEARED, "利益冲突已解除", "two persons cleared a conflict of interest",
        must("conflict", F.CODE), may("approval", F.ID), REASON, person=PERSON,
    ),
)  # fmt: skip

_POLICIES = (
    policy(E.POLICY_DRAFTED, "规则起草", "a policy draft was saved"),
    policy(E.POLICY_TESTED, "规则已测试", "a policy's cases were run", may("cases", F.COUNT), may("failed", F.COUNT)),
    policy(E.POLICY_SUBMITTED, "规则提交审批", "a policy was submitted for approval", may("replaces", F.HASH)),
    policy(E.POLICY_APPROVED, "规则已批准", "a second person approved a policy", may("replaces", F.HASH), may("widens", F.COUNT)),
    policy(E.POLICY_REJECTED, "规则被驳回", "a second person rejected a policy"),
    policy(
        E.POLICY_ACTIVATED, "规则生效", "a policy came into force", may("replaces", F.HASH),
        may("effective_at", F.INSTANT), may("decides_as", F.HASH),
    ),
    policy(E.POLICY_RETIRED, "规则废止", "a policy was retired"),
    policy(E.POLICY_ROLLED_BACK, "规则回退", "an earlier policy was brought back", may("replaces", F.HASH)),
    consent(
        E.CONSENT_RECORDED, "同意已登记", "consent was recorded",
        may("offices", F.CODES), may("until", F.INSTANT), may("evidence_kind", F.CODE),
    ),
    consent(E.CONSENT_REFUSED, "拒绝同意已登记", "a refusal of consent was recorded"),
    consent(E.CONSENT_WITHDRAWN, "同意已撤回", "consent was withdrawn", may("deliveries", F.COUNT)),
    consent(E.CONSENT_EXPIRED, "同意已到期", "consent ended by time"),
)  # fmt: skip

_TRUST = (
    key(E.KEY_CREATED, "密钥已生成", "a key was made or enrolled"),
    key(E.KEY_ROTATED, "密钥已轮换", "a key was replaced", must("new_key", F.KEY)),
    key(E.KEY_RETIRED, "密钥停用", "a key was retired"),
    key(E.KEY_COMPROMISED, "密钥泄露", "a key was declared compromised", may("since", F.INSTANT)),
    key(E.KEY_USED, "密钥使用", "a key was used outside the ordinary path", REASON),
    office(E.OFFICE_ADDED, "单位已登记", "an office joined the directory", may("adapter", F.CODE)),
    office(E.OFFICE_CHANGED, "单位信息变更", "an office's entry changed", may("changed", F.CODES)),
    office(E.OFFICE_SUSPENDED, "单位已暂停", "an office was suspended"),
    office(E.OFFICE_RESUMED, "单位已恢复", "an office was resumed"),
    office(E.OFFICE_COMPROMISED, "单位凭据泄露", "an office's credentials were declared compromised"),
    office(E.OFFICE_REMOVED, "单位已注销", "an office left the directory"),
    office(E.CONTRACT_ENDED, "委托合同到期", "a contractor's contract ended", may("contract", F.ID)),
    staff(E.STAFF_ENROLLED, "人员已登记", "a staff account was made"),
    staff(E.STAFF_ROLE_CHANGED, "人员角色变更", "a staff role changed", may("old_role", F.CODE), may("new_role", F.CODE)),
    staff(E.STAFF_REMOVED, "人员已注销", "a staff account was removed"),
    staff(E.STAFF_SIGNED_IN, "人员登录", "somebody of the staff signed in"),
    staff(E.STAFF_SIGN_IN_REFUSED, "人员登录被拒", "a sign-in was refused"),
    grant(E.GRANT_REQUESTED, "申请授权", "access to content was asked for", may("until", F.INSTANT)),
    grant(E.GRANT_APPROVED, "授权已批准", "a second person approved access to content", may("until", F.INSTANT)),
    grant(E.GRANT_REFUSED, "授权被驳回", "a second person refused access to content"),
    grant(E.GRANT_ENDED, "授权已结束", "access to content ended"),
    grant(E.CONTENT_READ, "内容查阅", "content was read under a grant", may("notice", F.ID), may("fields", F.FIELDS)),
)  # fmt: skip

_EMERGENCY = (
    event(
        E.EMERGENCY_ACCESS_GRANTED, "紧急破例已准许", "emergency access was granted (DOMAIN 5.10)",
        must("emergency", F.ID), may("notice", F.ID), must("reason_code", F.CODE), must("until", F.INSTANT),
        may("fields", F.FIELD_FORMS), POLICY, person=PERSON,
    ),
    event(
        E.EMERGENCY_ACCESS_REFUSED, "紧急破例被拒", "emergency access was refused",
        must("code", F.CODE), may("notice", F.ID), may("reason_code", F.CODE), person=PERSON,
    ),
    event(E.EMERGENCY_ACCESS_ENDED, "紧急破例已结束", "emergency access ended", must("emergency", F.ID), person=PERSON),
    event(
        E.EMERGENCY_NOTICE_SENT, "紧急破例后告知", "owner and compliance were told of emergency access",
        must("emergency", F.ID), must("to", F.OFFICE), may("notice", F.ID), person=PERSON,
    ),
    event(
        E.EMERGENCY_ACCESS_REVIEWED, "紧急破例已复核", "a second person reviewed emergency access",
        must("emergency", F.ID), must("outcome", F.CODE, "justified", "not-justified", "training"), person=PERSON,
    ),
)  # fmt: skip

_RETENTION = (
    event(E.ERASURE_REQUESTED, "申请删除", "an erasure was asked for", must("erasure", F.ID), may("authority", F.CODE), BASIS, person=PERSON),
    event(E.ERASURE_REFUSED, "删除未准", "an erasure was refused", must("erasure", F.ID), BASIS, REASON, person=PERSON),
    event(
        E.ERASURE_COMPLETED, "已删除", "a person's secrets were destroyed; their slots no longer open",
        must("erasure", F.ID), must("authority", F.CODE), BASIS, must("records", F.COUNT), may("keys", F.COUNT),
        may("backups_until", F.INSTANT), may("events_hash", F.HASH),
    ),
    event(
        E.PAYLOAD_DISPOSED, "原文已处置", "stored content reached the end of its life",
        may("notice", F.ID), may("kind", F.CODE), may("objects", F.COUNT), BASIS, person=PERSON,
    ),
    event(E.LEGAL_HOLD_SET, "证据保全", "a legal hold was set", must("hold", F.ID), may("authority", F.CODE), BASIS, person=PERSON),
    event(E.LEGAL_HOLD_LIFTED, "证据保全解除", "a legal hold was lifted", must("hold", F.ID), may("authority", F.CODE), person=PERSON),
    event(
        E.RIGHTS_REQUEST_RECORDED, "个人权利请求已登记", "a person asked for access, correction or deletion (PIPL 44-50)",
        must("request", F.ID), must("right", F.CODE), may("answer_by", F.INSTANT), person=PERSON,
    ),
    event(
        E.RIGHTS_REQUEST_ANSWERED, "个人权利请求已答复", "a rights request was answered",
        must("request", F.ID), must("outcome", F.CODE), REASON, person=PERSON,
    ),
)  # fmt: skip

_LOG = (
    event(E.LOG_READ, "日志查阅", "the log was searched or a record shown", *_READING, person=PERSON),
    event(E.LOG_EXPORTED, "日志导出", "records left the gateway", *_READING, person=PERSON),
    event(E.LOG_REPORT_MADE, "日志报告", "a named or per-child report was made", *_READING, person=PERSON),
    event(
        E.HOLD_ENTERED, "进入取证冻结", "own tree does not contain the last signed root; ordinary exchange stops",
        must("why", F.CODE), must("signed_size", F.COUNT), may("signed_root", F.HASH), must("own_size", F.COUNT),
        may("own_root", F.HASH),
    ),
    event(E.HOLD_RELEASED, "取证冻结解除", "two security administrators released a forensic hold", must("approval", F.ID), may("own_size", F.COUNT), REASON),
    event(
        E.HOLD_JOURNAL_JOINED, "冻结期日志并入", "the journal of a hold was joined to the log",
        must("journal", F.CODE), must("journal_size", F.COUNT), must("journal_root", F.HASH),
    ),
    event(E.WITNESS_QUORUM_LOST, "见证不足", "too few witnesses cosigned in time", may("size", F.COUNT), may("since", F.INSTANT), may("disclosures", F.CODE, "go-on", "emergencies-only")),
    event(E.WITNESS_QUORUM_RESTORED, "见证恢复", "enough witnesses cosign again", may("size", F.COUNT)),
    event(
        E.ANOMALY_DETECTED, "异常信号", "a signal of DOMAIN 8.4 was raised",
        must("signal", F.CODE), may("office", F.OFFICE), may("count", F.COUNT), may("expected", F.COUNT),
        may("from", F.INSTANT), may("until", F.INSTANT),
    ),
)  # fmt: skip

_GATEWAY = (
    event(E.GATEWAY_STARTED, "网关启动", "a node started", may("version", F.VERSION), may("node", F.CODE), may("configuration", F.HASH)),
    event(E.GATEWAY_STOPPED, "网关停止", "a node stopped", may("node", F.CODE), REASON),
    event(E.CONFIGURATION_CHANGED, "配置变更", "the configuration changed", must("configuration", F.HASH), may("changed", F.CODES)),
    event(E.BACKUP_MADE, "备份完成", "a backup was made", may("backup", F.ID), may("size", F.COUNT), may("root", F.HASH)),
    event(E.BACKUP_RESTORED, "备份恢复", "a backup was restored", may("backup", F.ID), may("size", F.COUNT), may("root", F.HASH)),
    event(E.STORE_MIGRATED, "存储迁移", "the store changed its schema or engine", may("from_version", F.VERSION), may("to_version", F.VERSION)),
)  # fmt: skip

EVENTS: Mapping[EventName, EventSchema] = MappingProxyType(
    dict((*_INTAKE, *_DELIVERIES, *_CASES, *_POLICIES, *_TRUST, *_EMERGENCY, *_RETENTION, *_LOG, *_GATEWAY))
)


def _before_accounts(now: EventSchema) -> EventSchema:
    """Version 1 said neither by which account of the machine somebody acted, nor the digest of an office's entry."""
    return replace(
        now, version=1, envelope=tuple(one for one in now.envelope if one is not ACCOUNT and one.name != "entry")
    )


# A record is opened by the schema of its own version for as long as there are logs that hold one: a field that comes or
# goes is a new version, and what was before stands here.
EARLIER: tuple[EventSchema, ...] = tuple(map(_before_accounts, EVENTS.values()))
EVERY_VERSION: Mapping[tuple[EventName, int], EventSchema] = MappingProxyType(
    {(one.name, one.version): one for one in (*EARLIER, *EVENTS.values())}
)
