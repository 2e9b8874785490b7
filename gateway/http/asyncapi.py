"""What does the gateway send by itself, as AsyncAPI 3.0?

The push to an office's webhook, and the two lists an office waits on by long poll: its inbox, and what changed with its
own notices. Shapes that OpenAPI has are taken from there, so that neither description can leave the other.
"""

from __future__ import annotations

from typing import Any

from gateway import __version__
from gateway.http.openapi import SCHEMAS

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}

RELEASE: dict[str, Any] = {
    "type": "object",
    "description": "放行件（CloudEvents 1.0）；说明见 docs/release-format.md / a release as a CloudEvent",
    "required": [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "delivery",
        "revision",
        "expirytime",
        "data",
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": f"^{_UUID}\\.[1-9][0-9]*$"},
        "source": {"const": "urn:hutong:gateway"},
        "type": {"type": "string", "pattern": "^hutong\\.notice\\.[A-Z-]+\\.v1$"},
        "subject": {"type": "string", "pattern": "^case-[0-9a-f]{32}$"},
        "time": _INSTANT,
        "delivery": {"type": "string", "pattern": f"^{_UUID}$"},
        "revision": {"type": "integer", "minimum": 1},
        "expirytime": _INSTANT,
        "datacontenttype": {"const": "application/json"},
        "dataschema": _TEXT,
        "data": {
            "type": "object",
            "required": ["_disclosure"],
            "properties": {
                "_disclosure": {
                    "type": "object",
                    "required": ["note", "note_en", "forms"],
                    "properties": {"note": _TEXT, "note_en": _TEXT, "forms": {"type": "object"}},
                },
                "_obligations": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            },
        },
    },
    "additionalProperties": False,
}

DOORBELL: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": f"^{_UUID}$"},
        "source": {"const": "urn:hutong:gateway"},
        "type": {"const": "hutong.doorbell.v1"},
    },
    "additionalProperties": False,
}

PUSH_HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["Hutong-Delivery", "Hutong-Revision", "Hutong-Signature", "Content-Type"],
    "properties": {
        "Hutong-Delivery": {"type": "string", "pattern": f"^{_UUID}$"},
        "Hutong-Revision": {"type": "string", "pattern": "^[1-9][0-9]*$"},
        "Hutong-Signature": {
            "type": "string",
            "description": "正文原样字节的分离式 JWS / detached JWS over the exact body bytes, by a key of /.well-known/jwks.json",
        },
        "Content-Type": {"type": "string", "description": "本单位的内容类型 / the office's own media type"},
    },
}

_MESSAGES: dict[str, Any] = {
    "release": {
        "title": "放行件（标准格式） a release, canonical",
        "contentType": "application/cloudevents+json",
        "headers": {"$ref": "#/components/schemas/PushHeaders"},
        "payload": {"$ref": "#/components/schemas/Release"},
    },
    "nativeRelease": {
        "title": "放行件（本单位格式） a release in the agency's own format; see `hutong adapter list`",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/PushHeaders"},
    },
    "inboxItems": {
        "title": "领取的若干投递 deliveries under leases",
        "contentType": "application/json",
        "payload": {"$ref": "#/components/schemas/InboxItems"},
    },
    "doorbell": {
        "title": "提示：有待领取 something waits",
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": "#/components/schemas/Doorbell"},
    },
    "lockedRelease": {
        "title": "加密的投递：打开后即 inboxItems 的一项 one item of the inbox as a compact JWE (ECDH-ES, A256GCM)",
        "contentType": "application/jose",
    },
    "answer": {
        "title": "回执或问题（头 status） a receipt or a problem, its status in the header `status`",
        "contentType": "application/json",
    },
    "changes": {
        "title": "本单位通报的变化 what changed with one's own notices",
        "contentType": "application/json",
        "payload": {"$ref": "#/components/schemas/Changes"},
    },
}


def asyncapi_document(url: str) -> dict[str, Any]:
    """The document for the gateway at this public URL."""
    scheme, _, host = url.partition("://")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "护通 Hutong",
            "version": __version__,
            "description": "网关主动送出的内容 / what the gateway sends by itself. 请求接口 the API itself: /openapi.json",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {"gateway": {"host": host, "protocol": scheme}},
        "channels": {
            "webhook": _channel(
                None,
                "登记的推送地址（PUT /v1/webhook）：网关 POST；2xx 即确认，其他回答稍后重试，同一投递可能到达两次 / the registered "
                "address: the gateway POSTs, 2xx acknowledges, anything else is tried again; one delivery may come twice",
                "release",
                "nativeRelease",
            ),
            "inbox": _channel("/v1/inbox", "长轮询，租约 / long poll, leases", "inboxItems"),
            "changes": _channel("/v1/notices", "长轮询，游标 / long poll, cursor", "changes"),
            "queue": _channel(
                "inbox.{office}",
                "AMQP 0-9-1 队列（docs/amqp.md）：提示，或加密内容 / a queue of the message broker (docs/amqp.md): bells, or encrypted releases",
                "doorbell",
                "lockedRelease",
            ),
            "receipts": _channel(
                "receipts.{office}",
                "对 submit.{office} 的回答 / answers to what was published to `hutong.submit` under `submit.{office}`",
                "answer",
            ),
        },
        "operations": {
            "pushRelease": _operation("webhook", "release", "nativeRelease"),
            "handOut": _operation("inbox", "inboxItems"),
            "tellChanges": _operation("changes", "changes"),
            "ringOrPut": _operation("queue", "doorbell", "lockedRelease"),
            "answer": _operation("receipts", "answer"),
        },
        "components": {
            "messages": _MESSAGES,
            "schemas": {
                "Release": RELEASE,
                "PushHeaders": PUSH_HEADERS,
                "Doorbell": DOORBELL,
                "InboxItems": SCHEMAS["InboxItems"],
                "Changes": SCHEMAS["Changes"],
            },
        },
    }


def _channel(address: str | None, about: str, *messages: str) -> dict[str, Any]:
    named = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {"address": address, "description": about, "messages": named}


def _operation(channel: str, *messages: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }
