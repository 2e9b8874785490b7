"""Which doors does the API have?

The one table of routes. The application binds each row to its function, OpenAPI describes it, and `docs/api.md` and
tests read it too, so that none of them knows a door the others don't.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

CANONICAL_MEDIA_TYPES = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path, query or header parameter. `schema` is JSON Schema."""

    name: str
    place: str  # path | query | header
    about: str
    schema: Mapping[str, object]
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Success:
    """One good answer. `schema` names a component of the OpenAPI document; None: no body or any bytes."""

    status: int
    about: str
    media_type: str | None = "application/json"
    schema: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """`caller` says who may come: `anyone`, `office` (an active one) or `office-or-suspended`.

    `codes` are the problems besides those that every route may answer (see `codes_of`).
    """

    name: str
    method: str
    path: str
    zh: str
    en: str
    caller: str
    success: tuple[Success, ...]
    codes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: tuple[tuple[str, str | None], ...] = ()  # media type, component schema

    @property
    def all_codes(self) -> tuple[str, ...]:
        codes = [*self.codes, "malformed-request", "header-too-large", "expectation-failed", "internal"]
        if self.caller != "anyone":
            codes += ["unauthenticated", "not-permitted", "too-many-requests", "unavailable", "invalid-parameter"]
        if self.body:
            codes += ["too-large", "unsupported-media-type", "request-timeout"]
        return tuple(sorted(set(codes)))


_TEXT = {"type": "string"}
_SIGNATURE = Parameter(
    "Hutong-Signature",
    "header",
    "正文原样字节的分离式 JWS / detached JWS over the exact body bytes (RFC 7515 F, RFC 7797)",
    {"type": "string", "maxLength": 8192},
)
_MUST_SIGN = replace(_SIGNATURE, is_required=True)
_OFFICER = Parameter(
    "Hutong-Officer",
    "header",
    "经办人的假名编号，不得是姓名、身份证号或电话 / pseudonym of the officer acting; no name, identity or phone number",
    {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"},
)
_PURPOSE = Parameter(
    "Hutong-Purpose", "header", "目的代码 / purpose code", {"type": "string", "pattern": "^P[0-9]{2}$"}
)
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "没有自带编号的调用的幂等键 / key for calls that have no id of their own",
    {"type": "string", "maxLength": 128},
)
_REQUEST_ID = Parameter(
    "X-Request-ID", "header", "原样回传 / given back as it came", {"type": "string", "maxLength": 128}
)
_DELIVERY = Parameter("delivery", "path", "投递编号 / delivery id", _TEXT, is_required=True)
_HANDLE = Parameter("handle", "path", "放行件中的句柄 / a handle of a release: rl-…", _TEXT, is_required=True)
_NOTICE = Parameter("notice", "path", "通报编号 / notice id", _TEXT, is_required=True)
_FILE = Parameter("file", "path", "批量文件编号 / bulk file id", _TEXT, is_required=True)
_AFTER = Parameter(
    "after", "query", "上次回答给出的游标 / the cursor of the last answer", {"type": "string", "maxLength": 16}
)
_OUTCOME = Parameter(
    "outcome", "query", "只看未成为通报的行 / rows that became no notice alone", {"type": "string", "enum": ["refused"]}
)
_WAIT = Parameter(
    "wait", "query", "最长等待秒数 / seconds to wait at most", {"type": "integer", "minimum": 0, "default": 0}
)
_MAX = Parameter("max", "query", "最多条数 / items at most", {"type": "integer", "minimum": 1, "default": 10})
_SINCE = Parameter(
    "changed_since",
    "query",
    "上次回答给出的游标；不填则从头开始 / the cursor of the last answer; without it, from the first change",
    {"type": "string", "maxLength": 64},
)
_ACCEPT = Parameter("Accept", "header", "想要的内容类型 / wanted media types of the items", _TEXT)
_ACTOR = (_OFFICER, _PURPOSE)
_DIGEST = Parameter(
    "digest", "path", "原文的摘要：sha256: 或 sm3: 加 64 位小写十六进制 / digest of the bytes: sha256: or sm3: and 64 hex digits",
    _TEXT, is_required=True,
)  # fmt: skip
_OF_DELIVERY = Parameter(
    "delivery", "query", "写有此摘要的投递 / the delivery whose release names this digest", _TEXT, is_required=True
)
_LEASE = Parameter(
    "Hutong-Lease", "header", "该投递仍有效的租约 / the live lease of that delivery", _TEXT, is_required=True
)

_CONSENT = Parameter(
    "consent", "path", "本单位的同意编号 / the office's own id of the consent", _TEXT, is_required=True
)
_CONSENT_CODES = (
    "bad-signature", "idempotency-conflict", "invalid-notice", "not-found", "refused", "tampered", "undecodable",
    "unknown-office",
)  # fmt: skip

_NOTICE_BODY = (
    ("application/cloudevents+json", "CloudEvent"),
    ("application/cloudevents-batch+json", "CloudEventBatch"),
    ("*/*", None),
)
_SUBMIT_CODES = (
    "bad-signature", "idempotency-conflict", "invalid-notice", "refused", "tampered", "undecodable", "unknown-office",
)  # fmt: skip
_LOCATION = (
    ("Location", "通报的状态地址 / where to follow the notice"),
    ("Hutong-Replayed", "true：这是首次的回执 / true: this is the first receipt again"),
)


def _in_path(path: str) -> tuple[Parameter, ...]:
    """The parameters of a path of the log, by name."""
    abouts = {
        "path": "tlog-tiles 路径 / path of tlog-tiles: 0/x001/x234/067",
        "event": "记录编号 / event id",
        "report": "报告名称 / name of a report",
    }
    return tuple(
        Parameter(name, "path", about, _TEXT, is_required=True)
        for name, about in abouts.items()
        if f"{{{name}}}" in path
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "token", "POST", "/oauth/token", "换取令牌", "get a token (client_credentials, private_key_jwt)", "anyone",
        (Success(200, "令牌 / the token", schema="Token"),),
        codes=("too-large", "request-timeout"),
        body=(("application/x-www-form-urlencoded", "TokenRequest"),),
    ),
    Route(
        "metadata", "GET", "/.well-known/oauth-authorization-server", "授权服务器元数据",
        "authorization server metadata (RFC 8414)", "anyone", (Success(200, "元数据 / metadata", schema="AnyObject"),),
    ),
    Route(
        "keys", "GET", "/.well-known/jwks.json", "本网关的公钥", "public keys of this gateway (RFC 7517)", "anyone",
        (Success(200, "JWK 集 / JWK set", schema="AnyObject"),),
    ),
    Route(
        "submit", "POST", "/v1/notices", "报送通报（单条或批量）", "send a notice, or a batch of them",
        "office-or-suspended",
        (
            Success(202, "已签名的回执；批量时为数组，每条一项，各有 status / the signed receipt; for a batch an array with "
                         "one item each, every item with a status of its own",
                    schema="ReceiptOrBatch", headers=_LOCATION),
        ),
        codes=_SUBMIT_CODES, parameters=(_MUST_SIGN, *_ACTOR, _KEY), body=_NOTICE_BODY,
    ),
    Route(
        "check", "POST", "/v1/notices:check", "试报：只检查，不保存，只收合成身份",
        "the sandbox: the same answers, nothing stored, synthetic identities only", "office-or-suspended",
        (Success(200, "与正式报送相同的结果 / the answers that sending would give", schema="ReceiptOrBatch"),),
        codes=_SUBMIT_CODES, parameters=(_MUST_SIGN, *_ACTOR), body=_NOTICE_BODY,
    ),
    Route(
        "follow", "GET", "/v1/notices/{notice}", "查看自己通报的投递状态", "follow the deliveries of one's own notice",
        "office-or-suspended", (Success(200, "状态 / status", schema="AnyObject"),), codes=("not-found",),
        parameters=(_NOTICE, *_ACTOR),
    ),
    Route(
        "file-submit", "POST", "/v1/files", "报送批量文件（最多十万行），各行随后入网",
        "send a bulk file of up to 100,000 rows: one receipt now, the rows follow", "office-or-suspended",
        (Success(202, "整个文件的已签名回执 / the signed receipt of the whole file", schema="FileReceipt",
                 headers=(("Location", "文件的进度地址 / where to follow the file"), _LOCATION[1])),),
        codes=("bad-signature", "tampered", "undecodable"), parameters=(_MUST_SIGN, *_ACTOR, _KEY), body=(("*/*", None),),
    ),
    Route(
        "files", "GET", "/v1/files", "本单位的批量文件，新的在前", "the office's bulk files, newest first",
        "office-or-suspended", (Success(200, "文件与进度 / files with their progress", schema="AnyObject"),),
        parameters=(_MAX, *_ACTOR),
    ),
    Route(
        "file", "GET", "/v1/files/{file}", "一个批量文件的进度", "how far a bulk file is", "office-or-suspended",
        (Success(200, "进度 / progress", schema="AnyObject"),), codes=("not-found",), parameters=(_FILE, *_ACTOR),
    ),
    Route(
        "file-rows", "GET", "/v1/files/{file}/rows", "批量文件各行的回执或问题（游标）",
        "the receipt or the problem of each row of a bulk file, by cursor", "office-or-suspended",
        (Success(200, "各行与下一个游标 / rows and the next cursor", schema="AnyObject"),), codes=("not-found",),
        parameters=(_FILE, _AFTER, _OUTCOME, _MAX, *_ACTOR),
    ),
    Route(
        "changes", "GET", "/v1/notices", "查看自己各通报投递状态的变化（长轮询，游标）",
        "what changed with the deliveries of one's own notices, by cursor and long poll", "office-or-suspended",
        (Success(200, "变化与下一个游标 / the changes and the next cursor", schema="Changes"),),
        parameters=(_SINCE, _MAX, _WAIT, *_ACTOR),
    ),
    Route(
        "inbox", "GET", "/v1/inbox", "领取若干投递（长轮询，租约）", "fetch deliveries under leases, by long poll",
        "office-or-suspended", (Success(200, "零条或多条 / none, one or more", schema="InboxItems"),),
        codes=("tampered",), parameters=(_MAX, _WAIT, _ACCEPT, *_ACTOR),
    ),
    Route(
        "inbox-next", "GET", "/v1/inbox/next", "领取一条，正文原样", "fetch one delivery as its bare body",
        "office-or-suspended",
        (
            Success(200, "正文；租约与签名在响应头 / the body; lease and signature are in the headers", media_type="*/*",
                    headers=(
                        ("Hutong-Delivery", "投递编号 / delivery id"),
                        ("Hutong-Revision", "修订 / revision"),
                        ("Hutong-Lease", "租约令牌 / lease token"),
                        ("Hutong-Lease-Expires", "租约到期 / end of the lease"),
                        ("Hutong-Signature", "正文的分离式 JWS / detached JWS over the body"),
                    )),
            Success(204, "现在没有 / nothing now", media_type=None),
        ),
        codes=("tampered",), parameters=(_WAIT, _ACCEPT, *_ACTOR),
    ),
    Route(
        "ack", "POST", "/v1/inbox/{delivery}/ack", "确认收到", "acknowledge a delivery", "office-or-suspended",
        (Success(200, "已签名的回执 / signed receipt", schema="Receipt"),),
        codes=("lease-lost", "not-found", "undecodable"), parameters=(_DELIVERY, *_ACTOR),
        body=(("application/json", "Lease"),),
    ),
    Route(
        "nack", "POST", "/v1/inbox/{delivery}/nack", "退回，稍后再投", "give a delivery back, to come again",
        "office-or-suspended", (Success(200, "已签名的回执 / signed receipt", schema="Receipt"),),
        codes=("lease-lost", "not-found", "undecodable"), parameters=(_DELIVERY, *_ACTOR),
        body=(("application/json", "GiveBack"),),
    ),
    *(
        Route(
            name, "POST", f"/v1/inbox/{{delivery}}/{name}", zh, en, "office",
            (Success(202, "所生成通报的回执 / the receipt of the notice this makes", schema="Receipt", headers=_LOCATION),),
            codes=("bad-signature", "idempotency-conflict", "invalid-notice", "lease-lost", "not-found", "refused", "tampered",
                   "undecodable", "unknown-office"),
            parameters=(_DELIVERY, _SIGNATURE, _KEY, *_ACTOR), body=(("application/json", schema),),
        )
        for name, zh, en, schema in (
            ("accept", "受理（生成 ACC）", "take the case on: makes an ACC notice", "Reply"),
            ("decline", "不受理（生成 REF-R）", "decline: makes a REF-R notice", "Reply"),
            ("feedback", "反馈（生成 PFB 或 AID）", "report progress or assistance: makes a PFB or AID notice", "Feedback"),
        )
    ),
    Route(
        "evaluation", "POST", "/access/v1/evaluation", "就策略提问：本单位能否见到某类字段（AuthZEN）",
        "ask about the policy: may this office see a kind of field (AuthZEN 1.0, obligations profile)", "office",
        (Success(200, "决定与义务 / decision and obligations", schema="Evaluation"),),
        parameters=(_REQUEST_ID, *_ACTOR), body=(("application/json", "EvaluationRequest"),),
    ),
    Route(
        "evaluations", "POST", "/access/v1/evaluations", "就策略成批提问（AuthZEN）", "ask many such questions at once (AuthZEN 1.0)",
        "office", (Success(200, "逐项回答 / one answer each", schema="Evaluations"),),
        parameters=(_REQUEST_ID, *_ACTOR), body=(("application/json", "EvaluationsRequest"),),
    ),
    Route(
        "access-metadata", "GET", "/.well-known/authzen-configuration", "决策点元数据（AuthZEN）",
        "metadata of the decision point (AuthZEN 1.0)", "anyone", (Success(200, "元数据 / metadata", schema="AnyObject"),),
    ),
    Route(
        "consent-put", "PUT", "/v1/consents/{consent}", "登记同意或拒绝（生成 CON）", "record a yes or no: makes a CON notice",
        "office", (Success(200, "登记结果与给本人的回执 / the records, with the person's receipt", schema="AnyObject"),),
        codes=_CONSENT_CODES, parameters=(_CONSENT, _SIGNATURE, *_ACTOR), body=(("application/json", "AnyObject"),),
    ),
    Route(
        "consent-get", "GET", "/v1/consents/{consent}", "查看本单位登记的同意", "show a consent the office recorded", "office",
        (Success(200, "每名儿童一项 / one for each child", schema="AnyObject"),), codes=("not-found", "tampered"),
        parameters=(_CONSENT, *_ACTOR),
    ),
    Route(
        "consent-withdraw", "POST", "/v1/consents/{consent}/withdrawal", "撤回同意；答复后不再有依此前决定的披露",
        "withdraw: once answered, nothing decided before can leave any more", "office",
        (Success(200, "撤回后的登记 / the records as withdrawn", schema="AnyObject"),),
        codes=_CONSENT_CODES, parameters=(_CONSENT, _SIGNATURE, *_ACTOR), body=(("application/json", "AnyObject"),),
    ),
    Route(
        "usage-receipt", "POST", "/v1/usage-receipts", "回传使用或销毁记录", "tell how a release was used or destroyed",
        "office-or-suspended", (Success(200, "已签名的回执 / signed receipt", schema="AnyObject"),),
        codes=("invalid-document", "not-found", "undecodable"), parameters=_ACTOR,
        body=(("application/json", "AnyObject"),),
    ),
    Route(
        "emergency-access", "POST", "/v1/emergency-access", "紧急破例：只对值班单位，一个个案，两小时",
        "emergency access: offices on duty, one case, two hours", "office",
        (Success(201, "已准许；内容经收件箱送达 / granted; what may be seen comes through the inbox", schema="AnyObject"),),
        codes=("invalid-document", "not-found", "tampered", "undecodable"), parameters=_ACTOR,
        body=(("application/json", "AnyObject"),),
    ),
    Route(
        "relay", "POST", "/v1/relay/{handle}", "经句柄转达一句话（生成 QRY）；无此句柄与不得转达的答复相同",
        "have a message passed on by the office that holds the contact: makes a QRY notice; a handle that leads nowhere answers like none",
        "office", (Success(202, "已签名的回执 / signed receipt", headers=_LOCATION, schema="Receipt"),),
        codes=("bad-signature", "idempotency-conflict", "invalid-notice", "not-found", "refused", "tampered", "undecodable"),
        parameters=(_HANDLE, _SIGNATURE, *_ACTOR), body=(("application/json", "RelayMessage"),),
    ),
    Route(
        "webhook", "PUT", "/v1/webhook", "登记本单位的推送地址（空对象为取消；须签名）",
        "say where this office wants to be called (an empty object: nowhere); signed", "office",
        (Success(200, "登记的地址 / the address as registered", schema="AnyObject"),),
        codes=("bad-signature", "invalid-document", "undecodable"), parameters=(_MUST_SIGN, *_ACTOR),
        body=(("application/json", "Webhook"),),
    ),
    Route(
        "attachment-put", "PUT", "/v1/attachments/{digest}", "上传附件原文（按摘要命名）",
        "upload a document under the digest by which a notice names it", "office-or-suspended",
        (
            Success(201, "已保存 / stored", schema="AnyObject"),
            Success(200, "早已保存 / was there already", schema="AnyObject"),
        ),
        codes=("invalid-document",), parameters=(_DIGEST, *_ACTOR), body=(("*/*", None),),
    ),
    Route(
        "attachment-get", "GET", "/v1/attachments/{digest}", "在租约内领取附件原文；无权与不存在的答复相同",
        "fetch a document under the lease of a delivery that names it; what may not be had answers like what is not there",
        "office-or-suspended",
        (Success(200, "原文 / the document", media_type="application/octet-stream"),),
        codes=("lease-lost", "not-found", "tampered"), parameters=(_DIGEST, _OF_DELIVERY, _LEASE, *_ACTOR),
    ),
    *(
        Route(name, "GET", path, zh, en + "; to others the path does not exist", "office",
              (Success(200, "正文 / the content", media_type=media, schema=schema),),
              codes=("not-found", "invalid-document"), parameters=(*_in_path(path), *_ACTOR))
        for name, path, zh, en, media, schema in (
            ("log-checkpoint", "/log/checkpoint", "日志检查点（只对审计与见证）",
             "the newest signed checkpoint (C2SP tlog-checkpoint), for auditors and witnesses", "text/plain", None),
            ("log-tile", "/log/tile/{path}", "日志瓦片（只对审计与见证）",
             "a tile (C2SP tlog-tiles), for auditors and witnesses", "application/octet-stream", None),
            ("log-record", "/v1/log/records/{event}", "一条日志记录", "one record, its envelope open, for auditors",
             "application/json", "AnyObject"),
            ("log-proof", "/v1/log/records/{event}/proof", "一条记录的包含证明", "one record's inclusion proof, for auditors",
             "text/plain", None),
            ("log-consistency", "/v1/log/consistency", "两个树之间的一致性证明", "the consistency proof between two sizes, for auditors",
             "application/json", "AnyObject"),
            ("log-reports", "/v1/log/reports", "固定报告清单", "the named reports, for auditors", "application/json", "AnyObject"),
        )
    ),
    *(
        Route(name, "POST", path, zh, en + "; to others the path does not exist", "office",
              (Success(200, "正文 / the content", media_type=media, schema=schema),),
              codes=("not-found", "invalid-document", "undecodable"), parameters=(*_in_path(path), *_ACTOR),
              body=(("application/json", "AnyObject"),))
        for name, path, zh, en, media, schema in (
            ("log-search", "/v1/log/records:search", "检索日志", "search the log, for auditors", "application/json", "AnyObject"),
            ("log-bundle", "/v1/log/bundle", "取证据包", "an evidence bundle of records, for auditors", "application/json", "AnyObject"),
            ("log-report", "/v1/log/reports/{report}", "制作固定报告", "make a named report, for auditors", "*/*", None),
            ("log-person-report", "/v1/log/person-report", "制作一名儿童的报告",
             "make one child's report with completeness proof, for compliance officers", "*/*", None),
        )
    ),
    Route("alive", "GET", "/healthz", "进程存活", "the process lives", "anyone", (Success(200, "ok", schema="AnyObject"),)),
    Route(
        "ready", "GET", "/readyz", "可以接活", "the node may be given work", "anyone",
        (Success(200, "就绪 / ready", schema="AnyObject"), Success(503, "未就绪 / not ready", schema="AnyObject")),
    ),
    Route(
        "metrics", "GET", "/metrics", "指标（只对监控网段）", "metrics (Prometheus), for the monitoring networks alone",
        "anyone", (Success(200, "Prometheus", media_type="text/plain"),), codes=("not-found",),
    ),
    Route(
        "broker-access", "POST", "/internal/rabbitmq/{question}", "消息中间件询问权限（只对其网段）",
        "the message broker asks who may do what (rabbitmq_auth_backend_http), from the brokers' networks alone", "anyone",
        (Success(200, "allow 或 deny / allow or deny", media_type="text/plain"),),
        codes=("not-found", "too-large", "request-timeout"),
        parameters=(Parameter("question", "path", "user, vhost, resource 或 or topic", _TEXT, is_required=True),),
        body=(("application/x-www-form-urlencoded", "AnyObject"),),
    ),
    Route("openapi", "GET", "/openapi.json", "接口描述", "this description (OpenAPI 3.1)", "anyone",
          (Success(200, "OpenAPI 3.1", schema="AnyObject"),)),
    Route("asyncapi", "GET", "/asyncapi.json", "推送与长轮询的描述", "what the gateway sends by itself (AsyncAPI 3.0)", "anyone",
          (Success(200, "AsyncAPI 3.0", schema="AnyObject"),)),
    Route("docs", "GET", "/docs", "接口说明页", "a page for people", "anyone", (Success(200, "HTML", media_type="text/html"),)),
)  # fmt: skip
