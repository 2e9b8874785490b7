"""Which answer does an error get?

One table, one function. Every error of this code base has a stable code, and a code has one status,
one title and one remedy, in Chinese and English (RFC 9457; `docs/errors.md` is the same table for people).
What the error itself says is added only from fields that never hold personal data: message, remedy, positions,
codes; its words come in both languages too (`in_chinese`). An error nobody foresaw is answered as `internal`, with nothing of itself in the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import hdrs, web

from gateway.http.in_chinese import both
from gateway.http.marks import CODE
from gateway.model.canonical import canonical_json
from gateway.model.errors import HutongError, LeaseLost, Problem, Refusal, Tampered, Unauthenticated, Unavailable

PROBLEM_TYPE_PREFIX = "urn:hutong:problem:"
PROBLEM_MEDIA_TYPE = "application/problem+json"

# Sent with every answer of the API: nothing here is to be kept by a proxy, guessed at or framed.
SAFE_HEADERS = {
    "Server": "hutong",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

MAX_POSITION_CHARS = 256
MAX_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """One code as it is documented. `remedy_*` say what the caller should do."""

    code: str
    status: int
    title_zh: str
    title_en: str
    remedy_zh: str
    remedy_en: str

    @property
    def title(self) -> str:
        return f"{self.title_zh} / {self.title_en}"


_FIX = ("按各项问题的位置和提示修改后重新发送", "correct what each problem names and send again")
_WAIT = ("按 Retry-After 等待后用同一编号重试", "wait for Retry-After and retry under the same id")

KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("refused", 400, "请求被拒绝", "the request was refused", *_FIX),
        Kind("malformed-request", 400, "请求格式错误", "the request is not well-formed", *_FIX),
        Kind("invalid-parameter", 400, "参数或请求头不合规", "a parameter or header is not of its form", *_FIX),
        Kind("undecodable", 400, "无法解析内容", "the content cannot be read", *_FIX),
        Kind(
            "bad-signature",
            400,
            "签名无效",
            "the signature does not hold",
            "用已登记的密钥对原样字节签名（RFC 7515 附录 F，RFC 7797）",
            "sign the exact bytes with a registered key (RFC 7515 appendix F, RFC 7797)",
        ),
        Kind(
            "unauthenticated",
            401,
            "未通过认证",
            "not authenticated",
            "用已登记的密钥到 /oauth/token 换取令牌",
            "get a token at /oauth/token with a registered key",
        ),
        Kind(
            "not-permitted",
            403,
            "无此权限",
            "not permitted",
            "核对本单位的职权范围；被暂停的单位仍可报送报告",
            "check the office's scope; a suspended office may still send reports",
        ),
        Kind(
            "not-found",
            404,
            "没有此资源",
            "there is no such thing for this caller",
            "核对编号与路径",
            "check the id and the path",
        ),
        Kind("method-not-allowed", 405, "不支持此方法", "the method is not allowed here", "见 Allow", "see Allow"),
        Kind(
            "request-timeout",
            408,
            "请求未及时送达",
            "the request did not arrive in time",
            "重新发送；编号不变",
            "send again under the same id",
        ),
        Kind(
            "idempotency-conflict",
            409,
            "编号已用于其他内容",
            "the id was used before with other content",
            "新内容用新编号",
            "give new content a new id",
        ),
        Kind(
            "lease-lost",
            409,
            "租约已失效",
            "the lease is over",
            "看 state 的当前状态；需要时重新领取",
            "read the current state in `state`; fetch again where needed",
        ),
        Kind(
            "too-large",
            413,
            "内容过大",
            "the content is too large",
            "拆成较小的批次，附件另行上传",
            "send smaller batches; upload attachments apart",
        ),
        Kind(
            "unsupported-media-type",
            415,
            "不支持的内容类型",
            "the media type is not supported",
            "用本单位适配器的内容类型或 application/cloudevents+json，不压缩",
            "use a media type of the office's adapter or application/cloudevents+json, uncompressed",
        ),
        Kind(
            "expectation-failed",
            417,
            "不支持的 Expect",
            "the expectation is not supported",
            "只可用 100-continue 或不用",
            "use 100-continue or none",
        ),
        Kind("invalid-notice", 422, "通报内容不合规", "the notice does not hold", *_FIX),
        Kind("invalid-document", 422, "文档不合规", "the document does not hold", *_FIX),
        Kind(
            "unknown-office",
            422,
            "没有登记的单位",
            "an office that is not registered",
            "核对单位编号",
            "check the office id",
        ),
        Kind("too-many-requests", 429, "请求过多", "too many requests", *_WAIT),
        Kind(
            "header-too-large",
            431,
            "请求头过大",
            "the request's headers are too large",
            "减少或缩短请求头",
            "send fewer or shorter headers",
        ),
        Kind("internal", 500, "内部错误", "internal error", *_WAIT),
        Kind("unavailable", 503, "暂时不可用", "not available now", *_WAIT),
        Kind(
            "tampered",
            503,
            "完整性校验未通过，正由人工处理",
            "an integrity check failed; a person is looking",
            "稍后用同一编号重试",
            "retry later under the same id",
        ),
    )
}

_TAMPERED_RETRY = timedelta(minutes=5)
_INTERNAL_RETRY = timedelta(seconds=30)


def kind_of(error: BaseException) -> Kind:
    """The row of the table for an error; a refusal with a code of its own that nobody listed is a plain refusal."""
    if not isinstance(error, HutongError):
        return KINDS["internal"]
    if error.code in KINDS:
        return KINDS[error.code]
    for parent, code in ((Refusal, "refused"), (Unavailable, "unavailable"), (Tampered, "tampered")):
        if isinstance(error, parent):
            return KINDS[code]
    return KINDS["internal"]


def problem_document(error: BaseException) -> dict[str, Any]:
    """The problem as an RFC 9457 document. For Unauthenticated and unforeseen errors it depends on the code alone."""
    kind = kind_of(error)
    document: dict[str, Any] = {
        "type": PROBLEM_TYPE_PREFIX + kind.code,
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "remedy": f"{kind.remedy_zh} / {kind.remedy_en}",
    }
    if not isinstance(error, HutongError) or isinstance(error, Unauthenticated | Tampered):
        return document
    if error.message:
        document["detail"] = plain_text(both(error.message))
    if error.remedy:
        document["remedy"] = plain_text(both(error.remedy))
    if error.problems:
        document["problems"] = problem_list(error.problems)
    if isinstance(error, LeaseLost):
        document["state"] = error.state
    return document


def problem_list(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    """At most 200 problems, each with code, position, message and remedy, and with its place in a native message."""
    return [_problem(problem) for problem in problems[:MAX_PROBLEMS]]


def _problem(problem: Problem) -> dict[str, str]:
    told = problem.told()
    places = {str(name): plain_text(told[name][:MAX_POSITION_CHARS]) for name in ("position", "native") if name in told}
    return in_both({**told, **places})


def in_both(told: dict[str, str]) -> dict[str, str]:
    """A told problem with its words in both languages."""
    return {**told, **{name: plain_text(both(told[name])) for name in ("message", "remedy")}}


def refused_item_document(problems: tuple[Problem, ...]) -> dict[str, Any]:
    """One refused notice, alone or as an item of a batch. Its status is that of its first problem's code where that
    is a code of the table, else 422."""
    first = problems[0].code if problems else ""
    kind = KINDS[first] if first in KINDS and KINDS[first].status < 500 else KINDS["invalid-notice"]
    return {
        "type": PROBLEM_TYPE_PREFIX + kind.code,
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "remedy": f"{kind.remedy_zh} / {kind.remedy_en}",
        "problems": problem_list(problems),
    }


def retry_after(error: BaseException) -> timedelta | None:
    """When the same call may succeed; None when the caller has to change something first."""
    if isinstance(error, Unavailable):
        return error.retry_after
    if isinstance(error, Tampered):
        return _TAMPERED_RETRY
    return None if isinstance(error, HutongError) else _INTERNAL_RETRY


def problem_response(error: BaseException, *, allow: str | None = None) -> web.Response:
    """The HTTP answer to an error."""
    kind = kind_of(error)
    headers = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: PROBLEM_MEDIA_TYPE}
    wait = retry_after(error)
    if wait is not None:
        headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(wait.total_seconds())))
    if kind.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="hutong", error="invalid_token"'
    if allow is not None:
        headers[hdrs.ALLOW] = allow
    response = web.Response(status=kind.status, body=canonical_json(problem_document(error)), headers=headers)
    response[CODE] = kind.code
    return response


def plain_text(text: str) -> str:
    """Text that JSON can carry: half a surrogate pair in a position must not break the answer."""
    return text.encode("utf-8", "replace").decode("utf-8")
