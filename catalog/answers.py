"""Public answers to `GET /v1/catalog`: made once, kept as bytes, the same for everybody.

A request that comes with a credential never meets this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec
from litestar.types import Receive, Scope, Send

from catalog.errors import BadSearch
from catalog.query import Query, read_query
from catalog.schemas import Correction, Facet
from catalog.search import find
from catalog.shelf import Shelf
from catalog.shop import Answer, Shop, shop_of
from catalog.viewer import is_personal
from catalog.words import Match, asked_of, corrections
from marketplace.errors import MarketplaceError
from marketplace.runtime import Runtime
from marketplace.web.i18n import choose_language

PATH = "/v1/catalog"
CACHE_CONTROL = b"public, max-age=5, stale-while-revalidate=30"
VARY = b"Accept-Language, Authorization, Cookie"
MOST_FIELDS = 200
LONGEST_KEPT = 400
"""Characters of a query string whose answer is kept."""


class PublicPage(msgspec.Struct, frozen=True):
    """`catalog.schemas.Results` with results that are encoded already."""

    items: list[msgspec.Raw]
    total: int
    next: str | None
    facets: tuple[Facet, ...]
    corrections: tuple[Correction, ...]
    locale: str


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=2_000)
def language_of(accept: str, wanted: str | None = None) -> str:
    """The language of an answer: the `locale` asked for, else the browser's first that we have."""
    return choose_language(wanted, accept=accept)


def read_asked(asked: str) -> tuple[Query, str | None]:
    """The search in a query string, and its `locale`; BadSearch where it does not fit."""
    try:
        pairs = parse_qsl(asked, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadSearch(f"A search has at most {MOST_FIELDS} parameters.") from None
    wanted = next((value for name, value in reversed(pairs) if name == "locale"), None)
    return read_query(pairs), wanted


async def public_answer(runtime: Runtime, asked: str, accept: str) -> Answer:
    """The answer to a query string; BadSearch or BadCursor where it does not fit."""
    shop = shop_of(runtime)
    shelf = await shop.shelf()
    kept = shop.answer(asked, accept)
    if kept is not None:
        return kept
    query, wanted = read_asked(asked)
    locale = language_of(accept, wanted)
    matches = await shop.matches(shelf, query, locale)
    return _made(shop, shelf, query, matches, locale, asked, accept)


def _made(
    shop: Shop,
    shelf: Shelf,
    query: Query,
    matches: Sequence[Match],
    locale: str,
    asked: str,
    accept: str,
) -> Answer:
    found = find(shelf, query, matches, locale)
    body = _encode(
        PublicPage(
            items=[shelf.card(entry, locale)[1] for entry in found.entries],
            total=found.total,
            next=found.next,
            facets=found.facets,
            corrections=corrections(asked_of(query.words, query.text), matches),
            locale=locale,
        )
    )
    etag = b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'
    answer = Answer(
        body=body,
        etag=etag,
        headers=[
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"etag", etag),
            (b"cache-control", CACHE_CONTROL),
            (b"vary", VARY),
        ],
    )
    if len(asked) <= LONGEST_KEPT:
        shop.keep(shelf, asked, accept, answer)
    return answer


async def answer_quickly(scope: Scope, receive: Receive, send: Send) -> bool:
    """Answer a public search before the framework routes; False leaves it to the route.

    Whatever is not plain (a credential, another method, a search that does not fit) is the route's.
    """
    asked_by = scope["headers"]
    accept, known = "", b""
    if scope["method"] != "GET":  # type: ignore[typeddict-item]
        return False
    for name, value in asked_by:
        if name == b"accept-language":
            accept = value.decode("latin-1")
        elif name == b"if-none-match":
            known = value
    if is_personal(asked_by):
        return False
    runtime: Runtime = scope["litestar_app"].state.runtime
    asked = scope["query_string"].decode("latin-1")
    shop = shop_of(runtime)
    answer = shop.answer(asked, accept) if shop.fresh() is not None else None
    if answer is None:
        try:
            answer = await public_answer(runtime, asked, accept)
        except MarketplaceError:
            return False
    await send_answer(send, answer, known)
    return True


async def send_answer(send: Send, answer: Answer, known: bytes) -> None:
    """Send a public answer, or 304 to who has it already."""
    if known and known == answer.etag:
        headers = [header for header in answer.headers if not header[0].startswith(b"content-")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
