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

from gateway.model.audit import EventName, EventSchema, Form, LogField
from gateway.model.fields import PERSON_ROLES

F = Form
E = EventName

TRANSPORTS = frozenset({"http", "amqp", "mllp", "file", "pull", "webhook", "cli", "console"})
AUTHN = frozenset({"mtls", "jwt", "mtls-jwt", "signature", "gateway-attested", "oidc", "local", "socket", "none"})
AGE_BANDS = frozenset({"unborn", "0-7", "8-13", "14-15", "16-17", "18-plus", "unknown"})


def _must(name: str, form: Form, *choices: str) -> LogField:
    return LogField(name, form, required=True, choices=frozenset(choices))


def _may(name: str, form: Form, *choices: str) -> LogField:
    return LogField(name, form, choices=frozenset(choices))


# Every event: who acted (an office, the gateway, staff, a witness), and the event this one follows.
_ACTOR = _must("actor", F.OFFICE)
_AUTHN = _may("authn", F.CODE, *AUTHN)
_ACCOUNT = _may("account", F.CODE)  # of the machine, behind the name that somebody acted under at the local socket
_FOLLOWS = _may("follows", F.REFERENCE)
_NOTICE = _must("notice", F.ID)
_DELIVERY = _must("delivery", F.ID)
_RECIPIENT = _must("recipient", F.OFFICE)
_REASON = _may("reason", F.CODE)
_POLICY = _may("policy", F.HASH)
_TRANSPORT = _may("transport", F.CODE, *TRANSPORTS)
_PURPOSE = _may("purpose", F.PURPOSE)
_BASIS = _may("basis", F.BASIS)
_TYPE = _may("type", F.NOTICE_TYPE)
_URGENCY = _may("urgency", F.COUNT)
_REVISION = _may("revision", F.COUNT)

# What every person slot says; `age_band` is the band at the time of the event.
_PERSON = (
    _must("person", F.HANDLE),
    _may("roles", F.CODES, *PERSON_ROLES),
    _may("case", F.HANDLE),
    _may("age_band", F.CODE, *AGE_BANDS),
)
_DOCUMENT = (*_PERSON, _may("digest", F.DIGEST))
_OFFICER = (_must("officer", F.HANDLE), _may("staff_role", F.CODE), _may("reason_ref", F.HANDLE))


def _event(
    name: EventName,
    zh: str,
    en: str,
    *fields: LogField,
    person: tuple[LogField, ...] = (),
    version: int = 2,
) -> tuple[EventName, EventSchema]:
    return name, EventSchema(
        name,
        version,
        zh,
        en,
        _by_name(_ACTOR, _AUTHN, _ACCOUNT, *fields, _FOLLOWS),
        _by_name(*person),
        _by_name(*_OFFICER),
    )


def _by_name(*fields: LogField) -> tuple[LogField, ...]:
    return tuple(sorted(fields, key=lambda one: one.name))


def _delivery(
    name: EventName, zh: str, en: str, *fields: LogField, person: tuple[LogField, ...] = _PERSON
) -> tuple[EventName, EventSchema]:
    return _event(name, zh, en, _DELIVERY, _NOTICE, _RECIPIENT, *fields, person=person)


def _policy(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return _event(
        name, zh, en, _must("policy", F.HASH), _may("version", F.VERSION), _may("region", F.REGION), *fields, _REASON
    )


def _consent(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return _event(
        name,
        zh,
        en,
        _must("consent", F.ID),
        _must("epoch", F.COUNT),
        _may("giver_kind", F.CODE),
        _may("purposes", F.CODES),
        _may("text_version", F.VERSION),
        *fields,
        person=_PERSON,
    )


def _office(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return _event(
        name,
        zh,
        en,
        _must("office", F.OFFICE),
        _may("entry", F.HASH),
        _may("directory_version", F.COUNT),
        *fields,
        _REASON,
    )


def _key(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return _event(
        name, zh, en, _must("key", F.KEY), _may("use", F.CODE), _may("owner", F.OFFICE), _may("hash", F.HASH), *fields
    )


def _staff(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return _event(
        name, zh, en, _may("staff", F.ID), _may("staff_role", F.CODE), _may("client", F.CODE), *fields, _REASON
    )


def _grant(name: EventName, zh: str, en: str, *fields: LogField) -> tuple[EventName, EventSchema]:
    return _event(
        name, zh, en, _must("grant", F.ID), _may("scope", F.CODE), *fields, _PURPOSE, _BASIS, _REASON, person=_PERSON
    )


_READING = (
    _may("report", F.CODE),
    _may("filters", F.CODES),
    _may("rows", F.COUNT),
    _may("format", F.CODE),
    _may("from", F.INSTANT),
    _may("until", F.INSTANT),
    _may("tree_size", F.COUNT),
    _PURPOSE,
    _REASON,
)

_INTAKE = (
    _event(
        E.NOTICE_ACCEPTED, "通报已受理入网", "a notice was accepted into the exchange",
        _NOTICE, _TYPE, _URGENCY, _PURPOSE, _BASIS, _TRANSPORT, _may("attested", F.CODE, "signature", "gateway"),
        _may("flags", F.FLAGS), _may("gaps", F.COUNT), _may("in_reply_to", F.ID), _may("provisional", F.FLAG),
        person=_DOCUMENT,
    ),
    _event(
        E.FILE_ACCEPTED, "批量文件已收下", "a bulk file was taken in, its rows to follow",
        _must("file", F.ID), _TRANSPORT, _may("attested", F.CODE, "signature", "gateway"),
    ),
    _event(
        E.FILE_FINISHED, "批量文件已处理完", "every row of a bulk file became a notice or a refusal",
        _must("file", F.ID), _must("items", F.COUNT), _must("accepted", F.COUNT), _must("refused", F.COUNT),
    ),
    _event(
        E.NOTICE_REFUSED, "通报被拒收", "a notice was refused",
        _must("code", F.CODE), _TYPE, _TRANSPORT, _may("problems", F.FLAGS), _may("items", F.COUNT),
    ),
    _event(
        E.NOTICE_WITHDRAWN, "通报已撤回", "a notice was withdrawn by its sender",
        _NOTICE, _may("by_notice", F.ID), _may("deliveries", F.COUNT), _REASON, person=_PERSON,
    ),
    _event(
        E.NOTICE_SUPERSEDED, "通报已更正或替换", "a notice was corrected or replaced",
        _NOTICE, _must("by_notice", F.ID), _may("fields", F.FIELDS), _REASON, person=_PERSON,
    ),
    _event(
        E.NOTICE_CHECKED, "沙箱校验", "a notice was checked in the sandbox, nothing was stored",
        _TYPE, _may("code", F.CODE), _may("problems", F.FLAGS), _TRANSPORT,
    ),
    _event(
        E.REPORTER_VAULTED, "报告人身份已隔离保存", "a reporter's identity went to the vault",
        _NOTICE, _may("reporter_role", F.CODE), _may("mandatory", F.FLAG), _may("anonymous", F.FLAG), person=_PERSON,
    ),
    _event(
        E.RECEIPT_ISSUED, "回执已签发", "a signed receipt was issued",
        _must("receipt", F.ID),
        _must("kind", F.CODE, "accepted", "delivered", "read", "handling", "declined", "acted-on", "refused", "expired", "withdrawn", "provisional"),
        _may("to", F.OFFICE), _may("notice", F.ID), _may("delivery", F.ID), _may("key", F.KEY), person=_DOCUMENT,
    ),
    _event(
        E.UNAUTHENTICATED_REFUSALS_COUNTED, "未认证拒绝计数", "refusals of one unauthenticated peer in one minute",
        _must("peer", F.HASH), _must("minute", F.INSTANT), _must("count", F.COUNT), _may("code", F.CODE), _TRANSPORT,
    ),
    _event(
        E.SEALED_QUESTION_COUNTED, "涉封存事项查询计数", "questions that a sealed record could answer, whether or not one exists",
        _must("question", F.CODE), _must("count", F.COUNT), _PURPOSE, _BASIS,
    ),
)  # fmt: skip

_DECISION = (
    _REVISION, _PURPOSE, _BASIS, _must("policy", F.HASH), _must("outcome", F.CODE), _may("consent_epoch", F.COUNT),
    _may("notice_version", F.COUNT), _may("as_of", F.INSTANT),
)  # fmt: skip

_DELIVERIES = (
    _delivery(
        E.DELIVERY_ROUTED, "已确定接收单位", "a recipient was determined",
        _TYPE, _URGENCY, _PURPOSE, _BASIS, _may("recipient_role", F.CODE), _may("rule", F.RULES),
        _may("fallback_level", F.COUNT), _POLICY, _may("answer_by", F.INSTANT),
    ),
    _delivery(
        E.DELIVERY_WITHHELD, "按规则不予投递", "policy said that the notice may not go to this recipient",
        _PURPOSE, _BASIS, _POLICY, _may("limits", F.RULES), _REASON,
    ),
    _delivery(
        E.DELIVERY_HELD, "投递暂缓", "a delivery waits for a person or for a forensic hold",
        _must("why", F.CODE), _POLICY,
    ),
    _delivery(E.DELIVERY_RELEASED, "暂缓已解除", "a held delivery was let go", _must("why", F.CODE)),
    _delivery(
        E.DISCLOSURE_DECIDED, "披露决定", "what one recipient may see was decided",
        *_DECISION, _must("fields", F.FIELD_FORMS), _may("because", F.RULES), _may("limits", F.RULES),
        _may("facts", F.FACTS), _may("accepts", F.CODES), _may("obligations", F.CODES), _may("consent", F.REFERENCE), _may("policy_event", F.REFERENCE),
        _may("emergency", F.ID), _may("grant", F.ID), _TRANSPORT, person=(*_DOCUMENT, _may("facts", F.FACTS)),
    ),
    _delivery(
        E.TICKET_ISSUED, "发送凭证已签发", "the short-lived right to send one release was issued",
        *_DECISION, _may("expires_at", F.INSTANT),
    ),
    _delivery(
        E.TICKET_VOIDED, "发送凭证作废", "a ticket expired or was taken back before the first byte",
        _REVISION, _must("why", F.CODE),
    ),
    _delivery(
        E.DELIVERY_SENT, "已发送", "a release was sent", _REVISION, _TRANSPORT, _may("media_type", F.CODE),
        _may("attempt", F.COUNT), _may("bytes", F.COUNT), person=_DOCUMENT,
    ),
    _delivery(E.DELIVERY_ACKNOWLEDGED, "已送达", "the recipient's system took it over", _REVISION, _TRANSPORT),
    _delivery(E.DELIVERY_READ, "已查阅", "somebody at the recipient opened it", _REVISION),
    _delivery(E.DELIVERY_ACCEPTED, "已接收办理", "the recipient took it on", _may("by_notice", F.ID)),
    _delivery(E.DELIVERY_DECLINED, "已退回", "the recipient declined it", _may("by_notice", F.ID), _REASON),
    _delivery(E.DELIVERY_ACTED_ON, "已办理反馈", "the recipient reported what it did", _may("by_notice", F.ID), _may("measures", F.COUNT)),
    _delivery(
        E.DELIVERY_DEFERRED, "发送未成，待重试", "an attempt failed and another will follow",
        _may("attempt", F.COUNT), _may("due_at", F.INSTANT), _TRANSPORT, _REASON,
    ),
    _delivery(E.DELIVERY_PARKED, "前序故障，暂停", "a delivery was set aside so that its successors flow", _may("attempt", F.COUNT), _REASON),
    _delivery(E.DELIVERY_DEAD_LETTERED, "转入死信", "attempts were exhausted; a person looks", _may("attempt", F.COUNT), _REASON),
    _delivery(E.DELIVERY_RETRIED, "人工重试", "a person sent a dead letter back to work", _REASON),
    _delivery(
        E.DELIVERY_REDIRECTED, "改投", "a delivery went to another office",
        _must("to_delivery", F.ID), _must("to", F.OFFICE), _may("rule", F.RULES), _may("fallback_level", F.COUNT), _REASON,
    ),
    _delivery(E.DELIVERY_EXPIRED, "已过期", "a delivery's time was over", _may("expires_at", F.INSTANT)),
    _delivery(E.DELIVERY_WITHDRAWN, "已撤回", "a delivery was withdrawn", _may("by_notice", F.ID), _REASON),
    _delivery(
        E.USAGE_RECEIPT_RECORDED, "使用记录已登记", "the recipient recorded how it used the data (GDSR 29)",
        _may("use", F.CODE), _PURPOSE, _may("used_at", F.INSTANT),
    ),
    _delivery(E.DISPOSAL_CONFIRMED, "处置已确认", "the recipient confirmed disposal (GDSR 27)", _may("method", F.CODE), _may("due_at", F.INSTANT)),
    _delivery(E.DISPOSAL_MISSED, "处置逾期", "no disposal was confirmed in time", _must("due_at", F.INSTANT)),
    _event(
        E.ATTACHMENT_STORED, "附件已存", "an attachment was stored", _must("attachment", F.ID), _may("notice", F.ID),
        _may("bytes", F.COUNT), _may("media_type", F.CODE), person=_DOCUMENT,
    ),
    _delivery(E.ATTACHMENT_RELEASED, "附件已放行", "an attachment was released", _must("attachment", F.ID), _POLICY, _PURPOSE, person=_DOCUMENT),
    _delivery(
        E.MESSAGE_RELAYED, "经句柄转达", "a recipient's message goes to the office that holds the contact behind a relay handle",
        _must("to", F.OFFICE), _must("bytes", F.COUNT), _POLICY, _PURPOSE, _may("outcome", F.CODE),
    ),
    _delivery(
        E.MESSAGE_REFUSED, "未予转达", "a message through a relay handle was not taken: the handle leads nowhere now", _POLICY, _PURPOSE,
    ),
    _event(
        E.QUERY_ANSWERED, "查询已答复", "a query was answered",
        _must("question", F.CODE), _PURPOSE, _BASIS, _POLICY, _may("notice", F.ID), person=_PERSON,
    ),
    _event(
        E.ACCESS_EVALUATED, "访问决定接口调用", "the decision point answered an AuthZEN request",
        _may("evaluations", F.COUNT), _POLICY, _PURPOSE, _may("outcome", F.CODE), person=_PERSON,
    ),
    _event(
        E.DEADLINE_MISSED, "时限已过", "a deadline passed without the answer it waits for",
        _must("clock", F.CODE), _may("notice", F.ID), _may("delivery", F.ID), _must("office", F.OFFICE),
        _must("due_at", F.INSTANT), _may("days_overdue", F.COUNT), person=_PERSON,
    ),
)  # fmt: skip

_CASES = (
    _event(E.CASE_OPENED, "立案建档", "a case was opened", _may("owner", F.OFFICE), _may("notice", F.ID), person=_PERSON),
    _event(
        E.CASE_TRANSFERRED, "移送", "a case went to another competent office",
        _must("from_office", F.OFFICE), _must("to", F.OFFICE), _may("notice", F.ID), _REASON, person=_PERSON,
    ),
    _event(E.CASE_CLOSED, "结案", "a case was closed", _may("notice", F.ID), _REASON, person=_PERSON),
    _event(
        E.PERSONS_FINDING_ASKED, "提出人员认定", "an officer asked a second one to join two persons, or to part them",
        _must("kind", F.CODE, "joining", "parting"), _REASON, person=_PERSON,
    ),
    _event(
        E.PERSONS_JOINED, "人员关联", "two officers found that two persons on record are one",
        _REASON, person=_PERSON,
    ),
    _event(
        E.PERSONS_PARTED, "人员关联解除", "two officers found that two joined persons are two",
        _REASON, person=_PERSON,
    ),
    _event(E.PERSONS_HELD_APART, "人员不予关联", "an officer found that two persons who look alike are two", _REASON, person=_PERSON),
    _event(E.PERSON_PROPOSALS_READ, "疑似同一人建议查阅", "an officer was shown which persons look alike", _may("rows", F.COUNT)),
    _event(
        E.CONFLICT_RECORDED, "利益冲突已登记", "a conflict of interest was found (DOMAIN 5.6)",
        _must("conflict", F.CODE), _may("rule", F.RULES), _may("notice", F.ID), person=_PERSON,
    ),
    _event(
        E.CONFLICT_CLEARED, "利益冲突已解除", "two persons cleared a conflict of interest",
        _must("conflict", F.CODE), _may("approval", F.ID), _REASON, person=_PERSON,
    ),
)  # fmt: skip

_POLICIES = (
    _policy(E.POLICY_DRAFTED, "规则起草", "a policy draft was saved"),
    _policy(E.POLICY_TESTED, "规则已测试", "a policy's cases were run", _may("cases", F.COUNT), _may("failed", F.COUNT)),
    _policy(E.POLICY_SUBMITTED, "规则提交审批", "a policy was submitted for approval", _may("replaces", F.HASH)),
    _policy(E.POLICY_APPROVED, "规则已批准", "a second person approved a policy", _may("replaces", F.HASH), _may("widens", F.COUNT)),
    _policy(E.POLICY_REJECTED, "规则被驳回", "a second person rejected a policy"),
    _policy(
        E.POLICY_ACTIVATED, "规则生效", "a policy came into force", _may("replaces", F.HASH),
        _may("effective_at", F.INSTANT), _may("decides_as", F.HASH),
    ),
    _policy(E.POLICY_RETIRED, "规则废止", "a policy was retired"),
    _policy(E.POLICY_ROLLED_BACK, "规则回退", "an earlier policy was brought back", _may("replaces", F.HASH)),
    _consent(
        E.CONSENT_RECORDED, "同意已登记", "consent was recorded",
        _may("offices", F.CODES), _may("until", F.INSTANT), _may("evidence_kind", F.CODE),
    ),
    _consent(E.CONSENT_REFUSED, "拒绝同意已登记", "a refusal of consent was recorded"),
    _consent(E.CONSENT_WITHDRAWN, "同意已撤回", "consent was withdrawn", _may("deliveries", F.COUNT)),
    _consent(E.CONSENT_EXPIRED, "同意已到期", "consent ended by time"),
)  # fmt: skip

_TRUST = (
    _key(E.KEY_CREATED, "密钥已生成", "a key was made or enrolled"),
    _key(E.KEY_ROTATED, "密钥已轮换", "a key was replaced", _must("new_key", F.KEY)),
    _key(E.KEY_RETIRED, "密钥停用", "a key was retired"),
    _key(E.KEY_COMPROMISED, "密钥泄露", "a key was declared compromised", _may("since", F.INSTANT)),
    _key(E.KEY_USED, "密钥使用", "a key was used outside the ordinary path", _REASON),
    _office(E.OFFICE_ADDED, "单位已登记", "an office joined the directory", _may("adapter", F.CODE)),
    _office(E.OFFICE_CHANGED, "单位信息变更", "an office's entry changed", _may("changed", F.CODES)),
    _office(E.OFFICE_SUSPENDED, "单位已暂停", "an office was suspended"),
    _office(E.OFFICE_RESUMED, "单位已恢复", "an office was resumed"),
    _office(E.OFFICE_COMPROMISED, "单位凭据泄露", "an office's credentials were declared compromised"),
    _office(E.OFFICE_REMOVED, "单位已注销", "an office left the directory"),
    _office(E.CONTRACT_ENDED, "委托合同到期", "a contractor's contract ended", _may("contract", F.ID)),
    _staff(E.STAFF_ENROLLED, "人员已登记", "a staff account was made"),
    _staff(E.STAFF_ROLE_CHANGED, "人员角色变更", "a staff role changed", _may("old_role", F.CODE), _may("new_role", F.CODE)),
    _staff(E.STAFF_REMOVED, "人员已注销", "a staff account was removed"),
    _staff(E.STAFF_SIGNED_IN, "人员登录", "somebody of the staff signed in"),
    _staff(E.STAFF_SIGN_IN_REFUSED, "人员登录被拒", "a sign-in was refused"),
    _grant(E.GRANT_REQUESTED, "申请授权", "access to content was asked for", _may("until", F.INSTANT)),
    _grant(E.GRANT_APPROVED, "授权已批准", "a second person approved access to content", _may("until", F.INSTANT)),
    _grant(E.GRANT_REFUSED, "授权被驳回", "a second person refused access to content"),
    _grant(E.GRANT_ENDED, "授权已结束", "access to content ended"),
    _grant(E.CONTENT_READ, "内容查阅", "content was read under a grant", _may("notice", F.ID), _may("fields", F.FIELDS)),
)  # fmt: skip

_EMERGENCY = (
    _event(
        E.EMERGENCY_ACCESS_GRANTED, "紧急破例已准许", "emergency access was granted (DOMAIN 5.10)",
        _must("emergency", F.ID), _may("notice", F.ID), _must("reason_code", F.CODE), _must("until", F.INSTANT),
        _may("fields", F.FIELD_FORMS), _POLICY, person=_PERSON,
    ),
    _event(
        E.EMERGENCY_ACCESS_REFUSED, "紧急破例被拒", "emergency access was refused",
        _must("code", F.CODE), _may("notice", F.ID), _may("reason_code", F.CODE), person=_PERSON,
    ),
    _event(E.EMERGENCY_ACCESS_ENDED, "紧急破例已结束", "emergency access ended", _must("emergency", F.ID), person=_PERSON),
    _event(
        E.EMERGENCY_NOTICE_SENT, "紧急破例后告知", "owner and compliance were told of emergency access",
        _must("emergency", F.ID), _must("to", F.OFFICE), _may("notice", F.ID), person=_PERSON,
    ),
    _event(
        E.EMERGENCY_ACCESS_REVIEWED, "紧急破例已复核", "a second person reviewed emergency access",
        _must("emergency", F.ID), _must("outcome", F.CODE, "justified", "not-justified", "training"), person=_PERSON,
    ),
)  # fmt: skip

_RETENTION = (
    _event(E.ERASURE_REQUESTED, "申请删除", "an erasure was asked for", _must("erasure", F.ID), _may("authority", F.CODE), _BASIS, person=_PERSON),
    _event(E.ERASURE_REFUSED, "删除未准", "an erasure was refused", _must("erasure", F.ID), _BASIS, _REASON, person=_PERSON),
    _event(
        E.ERASURE_COMPLETED, "已删除", "a person's secrets were destroyed; their slots no longer open",
        _must("erasure", F.ID), _must("authority", F.CODE), _BASIS, _must("records", F.COUNT), _may("keys", F.COUNT),
        _may("backups_until", F.INSTANT), _may("events_hash", F.HASH),
    ),
    _event(
        E.PAYLOAD_DISPOSED, "原文已处置", "stored content reached the end of its life",
        _may("notice", F.ID), _may("kind", F.CODE), _may("objects", F.COUNT), _BASIS, person=_PERSON,
    ),
    _event(E.LEGAL_HOLD_SET, "证据保全", "a legal hold was set", _must("hold", F.ID), _may("authority", F.CODE), _BASIS, person=_PERSON),
    _event(E.LEGAL_HOLD_LIFTED, "证据保全解除", "a legal hold was lifted", _must("hold", F.ID), _may("authority", F.CODE), person=_PERSON),
    _event(
        E.RIGHTS_REQUEST_RECORDED, "个人权利请求已登记", "a person asked for access, correction or deletion (PIPL 44-50)",
        _must("request", F.ID), _must("right", F.CODE), _may("answer_by", F.INSTANT), person=_PERSON,
    ),
    _event(
        E.RIGHTS_REQUEST_ANSWERED, "个人权利请求已答复", "a rights request was answered",
        _must("request", F.ID), _must("outcome", F.CODE), _REASON, person=_PERSON,
    ),
)  # fmt: skip

_LOG = (
    _event(E.LOG_READ, "日志查阅", "the log was searched or a record shown", *_READING, person=_PERSON),
    _event(E.LOG_EXPORTED, "日志导出", "records left the gateway", *_READING, person=_PERSON),
    _event(E.LOG_REPORT_MADE, "日志报告", "a named or per-child report was made", *_READING, person=_PERSON),
    _event(
        E.HOLD_ENTERED, "进入取证冻结", "own tree does not contain the last signed root; ordinary exchange stops",
        _must("why", F.CODE), _must("signed_size", F.COUNT), _may("signed_root", F.HASH), _must("own_size", F.COUNT),
        _may("own_root", F.HASH),
    ),
    _event(E.HOLD_RELEASED, "取证冻结解除", "two security administrators released a forensic hold", _must("approval", F.ID), _may("own_size", F.COUNT), _REASON),
    _event(
        E.HOLD_JOURNAL_JOINED, "冻结期日志并入", "the journal of a hold was joined to the log",
        _must("journal", F.CODE), _must("journal_size", F.COUNT), _must("journal_root", F.HASH),
    ),
    _event(E.WITNESS_QUORUM_LOST, "见证不足", "too few witnesses cosigned in time", _may("size", F.COUNT), _may("since", F.INSTANT), _may("disclosures", F.CODE, "go-on", "emergencies-only")),
    _event(E.WITNESS_QUORUM_RESTORED, "见证恢复", "enough witnesses cosign again", _may("size", F.COUNT)),
    _event(
        E.ANOMALY_DETECTED, "异常信号", "a signal of DOMAIN 8.4 was raised",
        _must("signal", F.CODE), _may("office", F.OFFICE), _may("count", F.COUNT), _may("expected", F.COUNT),
        _may("from", F.INSTANT), _may("until", F.INSTANT),
    ),
)  # fmt: skip

_GATEWAY = (
    _event(E.GATEWAY_STARTED, "网关启动", "a node started", _may("version", F.VERSION), _may("node", F.CODE), _may("configuration", F.HASH)),
    _event(E.GATEWAY_STOPPED, "网关停止", "a node stopped", _may("node", F.CODE), _REASON),
    _event(E.CONFIGURATION_CHANGED, "配置变更", "the configuration changed", _must("configuration", F.HASH), _may("changed", F.CODES)),
    _event(E.BACKUP_MADE, "备份完成", "a backup was made", _may("backup", F.ID), _may("size", F.COUNT), _may("root", F.HASH)),
    _event(E.BACKUP_RESTORED, "备份恢复", "a backup was restored", _may("backup", F.ID), _may("size", F.COUNT), _may("root", F.HASH)),
    _event(E.STORE_MIGRATED, "存储迁移", "the store changed its schema or engine", _may("from_version", F.VERSION), _may("to_version", F.VERSION)),
)  # fmt: skip

EVENTS: Mapping[EventName, EventSchema] = MappingProxyType(
    dict((*_INTAKE, *_DELIVERIES, *_CASES, *_POLICIES, *_TRUST, *_EMERGENCY, *_RETENTION, *_LOG, *_GATEWAY))
)


def _before_accounts(now: EventSchema) -> EventSchema:
    """Version 1 said neither by which account of the machine somebody acted, nor the digest of an office's entry."""
    return replace(
        now, version=1, envelope=tuple(one for one in now.envelope if one is not _ACCOUNT and one.name != "entry")
    )


# A record is opened by the schema of its own version for as long as there are logs that hold one: a field that comes or
# goes is a new version, and what was before stands here.
EARLIER: tuple[EventSchema, ...] = tuple(map(_before_accounts, EVENTS.values()))
EVERY_VERSION: Mapping[tuple[EventName, int], EventSchema] = MappingProxyType(
    {(one.name, one.version): one for one in (*EARLIER, *EVENTS.values())}
)
