"""How does the route table read as OpenAPI 3.1?"""

from __future__ import annotations

from typing import Any

from gateway import __version__
from gateway.http.problems import KINDS, PROBLEM_MEDIA_TYPE
from gateway.http.routes import ROUTES, Route, Success
from gateway.model.delivery import DeliveryState

_OBJECT = {"type": "object"}
_INSTANT = {"type": "string", "format": "date-time"}
_PROBLEM_ITEM = {
    "type": "object",
    "required": ["code", "position", "message", "remedy"],
    "properties": {name: {"type": "string"} for name in ("code", "position", "message", "remedy", "native")},
}
_LEASE_TOKEN = {"type": "string", "maxLength": 256}
_REPLY = {
    "id": {
        "type": "string",
        "maxLength": 128,
        "description": "通报编号；缺省由内容得出 / id; by default made from the content",
    },
    "data": {"type": "object", "description": "通报正文 / body of the notice, see schemas/"},
    "lease_token": _LEASE_TOKEN,
}

_QUESTION = {
    "subject": {
        "type": "object",
        "required": ["type", "id"],
        "description": "本单位 / the calling office",
        "properties": {"type": {"const": "office"}, "id": {"type": "string"}},
    },
    "action": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"enum": ["see", "receive"]},
            "properties": {"type": "object", "properties": {"form": {"type": "string"}}},
        },
    },
    "resource": {
        "type": "object",
        "required": ["type", "id"],
        "properties": {"type": {"type": "string", "description": "field, notice_type"}, "id": {"type": "string"}},
    },
    "context": {
        "type": "object",
        "properties": {
            "facts": {"type": "object", "additionalProperties": {"type": "string"}},
            "obligations_supported": {"type": "array", "items": {"type": "string"}},
            "obligations_understood": {"type": "array", "items": {"type": "string"}},
        },
    },
}

SCHEMAS: dict[str, Any] = {
    "EvaluationRequest": {"type": "object", "required": ["subject", "action", "resource"], "properties": _QUESTION},
    "EvaluationsRequest": {
        "type": "object",
        "properties": {
            **_QUESTION,
            "evaluations": {"type": "array", "maxItems": 200, "items": {"type": "object", "properties": _QUESTION}},
            "options": {
                "type": "object",
                "properties": {
                    "evaluations_semantic": {"enum": ["execute_all", "deny_on_first_deny", "permit_on_first_permit"]}
                },
            },
        },
    },
    "Evaluation": {
        "type": "object", "required": ["decision"],
        "properties": {"decision": {"type": "boolean"}, "context": {"type": "object"}},
    },
    "Evaluations": {
        "type": "object",
        "properties": {"evaluations": {"type": "array", "items": {"$ref": "#/components/schemas/Evaluation"}}},
    },
    "AnyObject": _OBJECT,
    "CloudEvent": {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "maxLength": 128},
            "source": {"type": "string"},
            "type": {"type": "string", "pattern": "^hutong\\.notice\\.[A-Z]{3,5}(-[A-Z]{1,2})?\\.v[1-9][0-9]*$"},
            "subject": {"type": "string"},
            "time": _INSTANT,
            "data": _OBJECT,
        },
    },
    "CloudEventBatch": {"type": "array", "items": {"$ref": "#/components/schemas/CloudEvent"}},
    "Receipt": {
        "type": "object",
        "required": ["type", "receipt"],
        "properties": {
            "type": {"type": "string"},
            "notice": {"type": "string"},
            "receipt": {"type": "string", "description": "compact JWS (RFC 7515), typ hutong-receipt+jwt"},
        },
    },
    "FileReceipt": {
        "type": "object",
        "required": ["type", "file", "body_sha256", "bytes", "receipt"],
        "properties": {
            "type": {"type": "string"},
            "file": {"type": "string"},
            "body_sha256": {"type": "string"},
            "bytes": {"type": "integer"},
            "receipt": {"type": "string", "description": "compact JWS (RFC 7515), typ hutong-receipt+jwt"},
        },
    },
    "BatchItem": {
        "description": "what the notice would have been answered alone, with its status / 单独报送时的回答，加上 status",
        "anyOf": [
            {
                "allOf": [{"$ref": "#/components/schemas/Receipt"}],
                "required": ["status", "replayed"],
                "properties": {"status": {"type": "integer"}, "replayed": {"type": "boolean"}},
            },
            {
                "allOf": [{"$ref": "#/components/schemas/Problem"}],
                "required": ["position"],
                "properties": {"position": {"type": "string"}},
            },
        ],
    },
    "ReceiptOrBatch": {
        "oneOf": [
            {"$ref": "#/components/schemas/Receipt"},
            {"type": "array", "items": {"$ref": "#/components/schemas/BatchItem"}},
        ]
    },
    "InboxItems": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["delivery", "revision", "lease_token", "lease_expires_at", "content_type", "data_base64",
                         "signature"],
            "properties": {
                "delivery": {"type": "string"},
                "revision": {"type": "integer"},
                "lease_token": _LEASE_TOKEN,
                "lease_expires_at": _INSTANT,
                "content_type": {"type": "string"},
                "data_base64": {"type": "string", "contentEncoding": "base64"},
                "signature": {"type": "string"},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
    "Changes": {
        "type": "object",
        "required": ["changes", "cursor"],
        "properties": {
            "changes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["notice", "type", "recipient", "state", "updated_at"],
                    "properties": {
                        "notice": {"type": "string"},
                        "type": {"type": "string"},
                        "recipient": {"type": "string"},
                        "state": {"enum": [state.value for state in DeliveryState]},
                        "updated_at": _INSTANT,
                        "reason": {"type": "string"},
                        "receipt": {"type": "string"},
                    },
                },
            },
            "cursor": {"type": "string", "maxLength": 64},
        },
    },
    "RelayMessage": {
        "type": "object",
        "description": "请转达的话；同一编号与原样字节重发得到首次的回执 / what to pass on; the same id and bytes again get the first receipt",
        "required": ["text"],
        "properties": {"id": {"type": "string", "maxLength": 128}, "text": {"type": "string", "minLength": 1, "maxLength": 2000}},
        "additionalProperties": False,
    },
    "Webhook": {
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri", "pattern": "^https://", "maxLength": 2048},
            "trust_pem": {"type": "string", "description": "PEM; pinned: this certificate or what it signed, nothing else"},
        },
        "additionalProperties": False,
    },
    "Lease": {"type": "object", "required": ["lease_token"], "properties": {"lease_token": _LEASE_TOKEN},
              "additionalProperties": False},
    "GiveBack": {
        "type": "object",
        "required": ["lease_token"],
        "properties": {
            "lease_token": _LEASE_TOKEN,
            "reason": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$", "default": "not-processed"},
            "retry_after_seconds": {"type": "integer", "minimum": 0, "maximum": 604800},
        },
        "additionalProperties": False,
    },
    "Reply": {"type": "object", "properties": _REPLY, "additionalProperties": False},
    "Feedback": {
        "type": "object",
        "properties": {**_REPLY, "type": {"enum": ["PFB", "AID"], "default": "PFB"}},
        "additionalProperties": False,
    },
    "TokenRequest": {
        "type": "object",
        "required": ["grant_type", "client_assertion_type", "client_assertion"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_id": {"type": "string"},
            "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            "client_assertion": {"type": "string", "description": "RFC 7523: iss, sub, aud, exp, jti; header kid"},
            "scope": {"enum": ["notices", "report-only"]},
        },
    },
    "Token": {
        "type": "object",
        "required": ["access_token", "token_type", "expires_in", "scope"],
        "properties": {
            "access_token": {"type": "string"},
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer"},
            "scope": {"type": "string"},
        },
    },
    "TokenError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "code", "remedy"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "remedy": {"type": "string"},
            "state": {"type": "string"},
            "problems": {"type": "array", "items": _PROBLEM_ITEM},
        },
    },
}  # fmt: skip


def openapi_document(server_url: str) -> dict[str, Any]:
    """The whole description; a pure function of the route table, the problem table and the public URL."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hutong 护通",
            "version": __version__,
            "summary": "保护未成年人的跨部门个案通报网关 / interagency case-notice gateway for the protection of children",
        },
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "office": {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": f"{server_url}/oauth/token",
                            "scopes": {"notices": "全部 / everything", "report-only": "只报送 / reports alone"},
                        }
                    },
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": f"{route.zh} / {route.en}",
        "responses": {},
    }
    responses: dict[str, Any] = operation["responses"]
    for success in route.success:
        responses[str(success.status)] = _success(success)
    for status, codes in sorted(_by_status(route).items()):
        if status not in responses:
            responses[status] = _problems(route, codes, status)
    if route.caller != "anyone":
        operation["security"] = [{"office": ["notices"]}]
        if route.caller == "office-or-suspended":
            operation["security"].append({"office": ["report-only"]})
    if route.parameters:
        operation["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place,
                "description": parameter.about,
                "required": parameter.is_required,
                "schema": parameter.schema,
            }
            for parameter in route.parameters
            if parameter.name != "Accept"  # OpenAPI: described by content negotiation, not as a parameter
        ]
    if route.body:
        content = {kind: {"schema": _ref(schema)} if schema else {} for kind, schema in route.body}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _by_status(route: Route) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code in route.all_codes:
        found.setdefault(str(KINDS[code].status), []).append(code)
    if route.name == "token":
        found.setdefault("400", []).append("invalid_request, unsupported_grant_type, invalid_scope")
        found.setdefault("401", []).append("invalid_client")
        found.setdefault("429", []).append("temporarily_unavailable")
    return found


def _success(success: Success) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": success.about}
    if success.media_type is not None:
        answer["content"] = {success.media_type: {"schema": _ref(success.schema)} if success.schema else {}}
    if success.headers:
        answer["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in success.headers
        }
    return answer


def _problems(route: Route, codes: list[str], status: str) -> dict[str, Any]:
    content = {PROBLEM_MEDIA_TYPE: {"schema": _ref("Problem")}}
    if route.name == "token" and status in ("400", "401", "429"):
        content["application/json"] = {"schema": _ref("TokenError")}
    answer: dict[str, Any] = {"description": ", ".join(codes), "content": content}
    if status in ("429", "500", "503"):
        answer["headers"] = {"Retry-After": {"description": "秒 / seconds", "schema": {"type": "integer"}}}
    return answer


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
