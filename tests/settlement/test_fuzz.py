"""Whatever is sent to a route of settlement, it answers, and never with a fault of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.factories import Coalition

Make = Callable[..., Awaitable[Headers]]
HERE = "/v1/settlement"
UNKNOWN = str(uuid4())
ODD: list[Any] = [
    None,
    True,
    -1,
    10**30,
    -(2**63) - 1,
    1.5,
    "",
    "\0",
    "x\0y",
    "\u202e\U0001f381",
    "9" * 5_000,
    UNKNOWN,
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    [],
    [None],
    {},
    {"a": {"b": []}},
]
ODD_TEXTS = ["", "x", "-1", "%00", "%ff", UNKNOWN, "1e309", "9" * 40, "0001-01-01", "9999-12-31"]
ODD_BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"1e999",
    b"\xff\xfe",
    b"[" * 5_000,
    b'{"note": "\\ud800"}',
    b'{"note": "\xed\xa0\x80"}',
]
TYPED: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "boolean": False,
    "array": [],
    "object": {},
}


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, where there is a reference to it."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def bodies(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[bytes]:
    """What has the right fields, each of them odd once, and what has none."""
    yield from ODD_BODIES
    content = operation.get("requestBody", {}).get("content", {})
    schema = resolved(document, content.get("application/json", {}).get("schema", {}))
    plain = {
        name: TYPED.get(resolved(document, each).get("type", ""), UNKNOWN)
        for name, each in schema.get("properties", {}).items()
    }
    yield json.dumps(plain).encode()
    for name in plain:
        for odd in ODD:
            yield json.dumps(plain | {name: odd}).encode()


def queries(operation: dict[str, Any]) -> Iterator[str]:
    """Each parameter odd once."""
    yield "unknown=1"
    for each in operation.get("parameters", ()):
        if each["in"] == "query":
            for odd in ODD_TEXTS:
                yield f"{each['name']}={odd}"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_no_route_of_settlement_fails(
    client: httpx.AsyncClient, coalition: Coalition, sign_in: Make, method: str
) -> None:
    finance = await sign_in(Role.FINANCE)
    headers = {**finance, "content-type": "application/json"}
    document = (await client.get("/schema/openapi.json")).json()
    wrong: list[tuple[str, str, bytes, str]] = []

    async def send(path: str, query: str = "", content: bytes = b"") -> None:
        address = f"{path}?{query}" if query else path
        answer = await client.request(method, address, content=content, headers=headers)
        if answer.status_code >= 500:
            wrong.append((method, address, content[:200], answer.text[:200]))

    for path, operations in document["paths"].items():
        operation = operations.get(method)
        if operation is None or not path.startswith(HERE):
            continue
        names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        for name in names:
            for odd in ODD_TEXTS:
                await send(path.replace(f"{{{name}}}", odd))
        for name in names:
            path = path.replace(f"{{{name}}}", UNKNOWN)
        for query in queries(operation):
            await send(path, query)
        if method != "get":
            for content in bodies(document, operation):
                await send(path, content=content)
    assert wrong == []
