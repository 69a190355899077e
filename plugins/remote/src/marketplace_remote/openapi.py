"""The OpenAPI document of the service that a remote partner runs."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from marketplace import api
from marketplace_remote.protocol import Call, Reply

Json = dict[str, Any]
SIGNED: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
ABOUT_SIGNED: Final = {
    "webhook-id": "Id of the message. An answer has the id of its request.",
    "webhook-timestamp": "Unix seconds; refuse what is more than five minutes from your clock.",
    "webhook-signature": (
        "`v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`; several, parted by spaces, "
        "while keys are changed."
    ),
}
INTRODUCTION: Final = """\
What you implement so that the marketplace can order rewards from your own service. Every request
is signed with the marketplace's key and every answer, whatever its outcome, with yours, as Standard
Webhooks (https://www.standardwebhooks.com) has it. An answer that is not signed, not 200, or not as
described counts as unknown: the points stay held and you are asked again by `POST /orders/lookup`.
"""


@cache
def document() -> Json:
    """The document, whole."""
    (call, reply, health), schemas = msgspec.json.schema_components(
        [Call, Reply, api.Health], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Service of a remote partner",
            "version": api.API_VERSION,
            "description": INTRODUCTION,
        },
        "paths": {
            "/orders": {
                "post": _posted(
                    "Deliver orders",
                    "Idempotent by `reference`: an order that came before is answered as it was "
                    "then, and delivered once. Answer within 20 seconds; what takes longer is "
                    "`pending`.",
                    call,
                    reply,
                )
            },
            "/orders/lookup": {
                "post": _posted(
                    "Say what became of orders",
                    "Never delivers anything. `never_ordered` is proof that the order did not come "
                    "and will not be delivered: it is then ordered (again).",
                    call,
                    reply,
                )
            },
            "/health": {
                "get": {
                    "summary": "Say how you are",
                    "description": "Signed over an empty body. Answer within a second.",
                    "parameters": _parameters(),
                    "responses": {"200": _answer("How you are", health)},
                }
            },
        },
        "components": {"schemas": schemas},
    }


def _posted(summary: str, description: str, body: Json, answer: Json) -> Json:
    return {
        "summary": summary,
        "description": description,
        "parameters": _parameters(),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _answer("One outcome per order, in any order", answer),
            "401": {"description": "The request is not signed as agreed. Nothing was taken."},
        },
    }


def _parameters() -> list[Json]:
    return [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": ABOUT_SIGNED[name],
            "schema": {"type": "string"},
        }
        for name in SIGNED
    ]


def _answer(description: str, schema: Json) -> Json:
    headers = {
        name: {
            "required": True,
            "description": ABOUT_SIGNED[name],
            "schema": {"type": "string"},
        }
        for name in SIGNED
    }
    content = {"application/json": {"schema": schema}}
    return {"description": description, "headers": headers, "content": content}
