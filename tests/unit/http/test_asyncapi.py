"""The description of what the gateway sends by itself is AsyncAPI 3.0 and hangs together."""

import jsonschema
import pytest

from gateway.http.asyncapi import asyncapi_document
from gateway.http.openapi import openapi_document

# The part of the AsyncAPI 3.0.0 JSON Schema that this description uses, closed where the specification is closed.
REFERENCE = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string", "pattern": "^#/"}},
    "additionalProperties": False,
}
MESSAGE = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "contentType": {"type": "string"},
        "headers": REFERENCE,
        "payload": REFERENCE,
    },
    "additionalProperties": False,
}
CHANNEL = {
    "type": "object",
    "properties": {
        "address": {"type": ["string", "null"]},
        "description": {"type": "string"},
        "messages": {"type": "object", "additionalProperties": REFERENCE},
    },
    "additionalProperties": False,
}
OPERATION = {
    "type": "object",
    "required": ["action", "channel"],
    "properties": {
        "action": {"enum": ["send", "receive"]},
        "channel": REFERENCE,
        "messages": {"type": "array", "items": REFERENCE, "uniqueItems": True},
    },
    "additionalProperties": False,
}
ASYNCAPI = {
    "type": "object",
    "required": ["asyncapi", "info"],
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "properties": {name: {"type": "string"} for name in ("title", "version", "description")},
            "additionalProperties": False,
        },
        "defaultContentType": {"type": "string"},
        "servers": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["host", "protocol"],
                "properties": {"host": {"type": "string"}, "protocol": {"type": "string"}},
                "additionalProperties": False,
            },
        },
        "channels": {"type": "object", "additionalProperties": CHANNEL},
        "operations": {"type": "object", "additionalProperties": OPERATION},
        "components": {
            "type": "object",
            "properties": {
                "messages": {"type": "object", "additionalProperties": MESSAGE},
                "schemas": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


@pytest.fixture
def document():
    return asyncapi_document("https://hutong.example")


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_description_has_the_shape_of_asyncapi_3(document):
    jsonschema.validate(document, ASYNCAPI)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document):
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_an_operation_sends_only_messages_of_its_channel(document):
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(one["$ref"].startswith(f"{channel}/messages/") for one in operation["messages"])


def test_lists_have_the_shape_that_openapi_says(document):
    shared = openapi_document("https://hutong.example")["components"]["schemas"]
    for name in ("InboxItems", "Changes"):
        assert document["components"]["schemas"][name] == shared[name]


async def test_it_is_served_without_a_token(standin):
    async with standin.client.get("/asyncapi.json") as answer:
        assert (answer.status, (await answer.json())["asyncapi"]) == (200, "3.0.0")
