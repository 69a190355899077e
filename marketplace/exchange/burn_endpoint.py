"""`POST /v1/burns`: a raw ASGI handler with its own codec, because this is the hot path.

Typed handlers, guards and dependency injection would halve the rate (figures in
docs/operations/performance.md), and `make_direct_burn` answers callers met before on the connection
itself. Everything else about it is ordinary: identity, problem+json, the Access it states, and an
operation in the OpenAPI document (`openapi_paths`).
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import msgspec
from litestar import asgi
from litestar.openapi.spec import (
    OpenAPIMediaType,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec import OpenAPIResponse as ResponseSpec
from litestar.types import HTTPScope, Receive, Scope, Send

from marketplace.errors import (
    PROBLEM_MEDIA_TYPE,
    InvalidRequest,
    MarketplaceError,
    MethodNotAllowed,
    TooLarge,
)
from marketplace.exchange.answering import Answer, Held
from marketplace.exchange.decide import BurnRequest
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.schemas import BurnBody
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.domain import Principal, Role
from marketplace.identity.domain import Scope as KeyScope
from marketplace.ids import FastUUID, uuid7
from marketplace.web.access import KEY as ACCESS_KEY
from marketplace.web.access import Access, access
from marketplace.web.direct import Answer as SendAnswer
from marketplace.web.direct import DirectHandler, DirectRequest

PATH = "/v1/burns"
MOST_BODY_BYTES = 4_096
LONGEST_KEY = 200
KEY_FIELD = b"idempotency-key"

ACCESS = access(roles=[Role.PARTICIPANT], scope=KeyScope.BURNS_WRITE, by_handler=True)
_STATED: Access = ACCESS[ACCESS_KEY]

_decode = msgspec.json.Decoder(BurnBody).decode
_encode = msgspec.json.Encoder().encode
_JSON = [(b"content-type", b"application/json")]
_PROBLEM = [(b"content-type", PROBLEM_MEDIA_TYPE.encode())]
_REPLAYED = (b"idempotent-replayed", b"true")
_NO_STORE = b"cache-control: no-store\r\n"


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


_HELD_LINES = _lines(_JSON) + _NO_STORE


async def answer_burn(scope: Scope, receive: Receive, send: Send) -> None:
    """Hold points for one burn; answers when the hold is durable."""
    state = scope["litestar_app"].state
    try:
        answer = await _burn(
            cast(HTTPScope, scope), receive, state.burn_engine, state.authenticator
        )
    except MarketplaceError as error:
        answer = Answer(None, error)
    await _respond(send, answer)


post_burn = asgi(PATH, opt=ACCESS, copy_scope=True)(answer_burn)


def make_direct_burn(engine: BurnEngine, authenticator: Authenticator) -> DirectHandler:
    """The same on the connection (`marketplace.web.direct`), for callers met before."""

    def direct_burn(request: DirectRequest, answer: SendAnswer) -> bool:
        def tell(outcome: Answer) -> None:
            if outcome.error is None and not outcome.replayed:
                answer(201, _HELD_LINES, _encode(outcome.held))
                return
            status, headers, body = _rendered(outcome)
            answer(status, _lines(headers) + _NO_STORE, body)

        try:
            fields = request.fields
            bearer = fields.get(b"authorization")
            if bearer is None:
                principal = authenticator.remembered(request.headers)
            else:
                principal = authenticator.remembered_bearer(bearer)
            if principal is None:
                return False
            engine.enqueue(_burn_request(principal, fields.get(KEY_FIELD), request.body), tell)
        except MarketplaceError:
            return False  # the application says what is wrong
        return True

    return direct_burn


async def _burn(
    scope: HTTPScope, receive: Receive, engine: BurnEngine, authenticator: Authenticator
) -> Answer:
    if scope["method"] != "POST":
        error = MethodNotAllowed("Burns are made with POST; read one at /v1/burns/{id}.")
        error.headers["Allow"] = "POST"
        raise error
    headers = scope["headers"]
    principal = await authenticator.identify(headers)
    key = next((value for name, value in headers if name == KEY_FIELD), None)
    return await engine.submit(_burn_request(principal, key, await _read_body(receive)))


def _burn_request(principal: Principal, sent_key: bytes | None, raw: bytes) -> BurnRequest:
    """The burn asked for; raises what is wrong with the request or its caller."""
    _STATED.require(principal)
    key = _idempotency_key(sent_key)
    if len(raw) > MOST_BODY_BYTES:
        raise TooLarge(f"A burn has at most {MOST_BODY_BYTES} bytes.")
    try:
        body = _decode(raw)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"The body is not a burn: {error}.") from None
    return burn_request(principal, key, body)


def burn_request(principal: Principal, key: str, body: BurnBody) -> BurnRequest:
    """A burn as the engine takes it; one key and another body give another hash."""
    wallet, offer = body.wallet_id.bytes, body.offer_id.bytes
    asked = b"%b%b%d" % (wallet, offer, body.quantity)
    if body.expected_points is not None:
        asked += b"@%d" % body.expected_points
    if body.selection is not None:
        asked += b"#%b" % body.selection.encode()
    return BurnRequest(
        uuid7(),
        principal,
        key,
        hashlib.blake2b(asked, digest_size=16).digest(),
        FastUUID(wallet),
        FastUUID(offer),
        body.quantity,
        body.expected_points,
        body.selection,
    )


def _idempotency_key(sent: bytes | None) -> str:
    key = "" if sent is None else sent.decode("latin-1").strip()
    if 0 < len(key) <= LONGEST_KEY and key.isprintable():
        return key
    raise InvalidRequest(
        f"Send an Idempotency-Key header of 1 to {LONGEST_KEY} printable characters, new for each "
        "burn and the same when you try it again."
    )


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The connection closed before the body was whole.")
        body += cast(bytes, message.get("body", b""))
        if len(body) > MOST_BODY_BYTES:
            raise TooLarge(f"A burn has at most {MOST_BODY_BYTES} bytes.")
        if not message.get("more_body", False):
            return body


def _rendered(answer: Answer) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body."""
    error = answer.error
    if error is None:
        status, headers, body = 201, list(_JSON), _encode(answer.held)
    else:
        status, headers, body = error.status, list(_PROBLEM), error.problem_json()
        headers += [
            (name.lower().encode(), value.encode()) for name, value in error.headers.items()
        ]
    if answer.replayed:
        headers.append(_REPLAYED)
    return status, headers, body


async def _respond(send: Send, answer: Answer) -> None:
    status, headers, body = _rendered(answer)
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def openapi_paths() -> tuple[dict[str, PathItem], dict[str, Any]]:
    """The operation for the OpenAPI document, and the schemas it refers to."""
    (body, held), schemas = msgspec.json.schema_components(
        [BurnBody, Held], ref_template="#/components/schemas/{name}"
    )
    problem = {"application/problem+json": OpenAPIMediaType(schema=Schema(type=None))}
    responses: dict[str, Any] = {
        "201": ResponseSpec(
            description="Held. The same again, with Idempotent-Replayed, for the same key.",
            content={"application/json": OpenAPIMediaType(schema=Reference(ref=held["$ref"]))},
        )
    }
    for status, meaning in (
        ("400", "Malformed request or no Idempotency-Key"),
        ("401", "No valid credential"),
        ("403", "Not allowed, or not eligible"),
        ("404", "Unknown wallet or offer"),
        ("409", "Not on sale, limit reached, sold out, exposure cap or insufficient points"),
        ("413", "Too large"),
        ("422", "The key was used for another request"),
        ("503", "Busy: retry with the same key after Retry-After seconds"),
    ):
        responses[status] = ResponseSpec(description=meaning, content=problem)
    operation = Operation(
        operation_id="PostBurn",
        tags=["burns"],
        summary="Burn points on an offer",
        description=answer_burn.__doc__,
        parameters=[
            Parameter(
                name="Idempotency-Key",
                param_in="header",
                required=True,
                description="New for each burn, the same when it is tried again.",
                schema=Schema(min_length=1, max_length=LONGEST_KEY),
            )
        ],
        request_body=RequestBody(
            required=True,
            content={"application/json": OpenAPIMediaType(schema=Reference(ref=body["$ref"]))},
        ),
        responses=responses,
    )
    return {PATH: PathItem(post=operation)}, schemas
