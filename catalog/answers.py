"""Answers to `GET /v1/catalog`: public ones are made once and kept as bytes.

A request that comes with a credential is never answered from what is kept, nor kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache, partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import words
from catalog.crowd import Crowd, Outcome, PersonalSearch
from catalog.query import Query, read_pairs, read_query
from catalog.schemas import Correction, Facet
from catalog.search import find
from catalog.shelf import Shelf
from catalog.shop import Answer, Shop, shop_of
from catalog.words import Match, asked_of, corrections
from marketplace.errors import PROBLEM_MEDIA_TYPE, MarketplaceError
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.direct import Answer as SendAnswer
from marketplace.web.direct import DirectHandler, DirectRequest
from marketplace.web.i18n import choose_language

PATH = b"/v1/catalog"
CREDENTIALS = frozenset({b"authorization", b"cookie"})
"""Headers that may make a request a personal one."""
CACHE_CONTROL = "public, max-age=5, stale-while-revalidate=30"
VARY = "Accept-Language, Authorization, Cookie"
LINES = (
    f"content-type: application/json\r\ncache-control: {CACHE_CONTROL}\r\nvary: {VARY}\r\n".encode()
)
PERSONAL_LINES = (
    f"content-type: application/json\r\ncache-control: private, no-store\r\nvary: {VARY}\r\n"
).encode()
PROBLEM_LINES = f"content-type: {PROBLEM_MEDIA_TYPE}\r\ncache-control: no-store\r\n".encode()
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
    pairs = read_pairs(asked)
    wanted = None
    if "locale=" in asked:
        wanted = next((value for name, value in reversed(pairs) if name == "locale"), None)
    return read_query(pairs), wanted


async def public_answer(runtime: Runtime, session: AsyncSession, asked: str, accept: str) -> Answer:
    """The answer to a query string; BadSearch or BadCursor where it does not fit."""
    shop = shop_of(runtime)
    shelf = await shop.shelf(session)
    kept = shop.answer(asked, accept)
    if kept is not None:
        return kept
    query, wanted = read_asked(asked)
    locale = language_of(accept, wanted)
    matches = await shop.matches(session, shelf, query, locale)
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
    given = asked_of(query.words, query.text)
    body = _encode(
        PublicPage(
            items=[shelf.card(entry, locale)[1] for entry in found.entries],
            total=found.total,
            next=found.next,
            facets=found.facets,
            corrections=corrections(given, matches),
            locale=locale,
        )
    )
    key = f"{shop.edition}/{asked}/{accept}".encode()
    answer = Answer(body, hashlib.blake2b(key, digest_size=12).hexdigest())
    if len(asked) <= LONGEST_KEPT:
        shop.keep(shelf, asked, accept, answer)
    return answer


def direct_search(runtime: Runtime, authenticator: Authenticator) -> DirectHandler:
    """The same on the connection (`marketplace.web.direct`), where nobody has to be asked.

    What is kept is sent at once, what is not is made from the shelf in memory; callers met before
    wait in the crowd. It declines what is not plain: conditional requests, a search that does not
    fit, a word never met, what the caller can pay, and whatever comes after nobody came for long.
    """
    shop = shop_of(runtime)
    crowd = Crowd(runtime, shop.terms)

    def search(request: DirectRequest, answer: SendAnswer) -> bool:
        shelf = shop.nearly_fresh()
        if shelf is None:
            return False
        if b"if-none-match" in request.fields:
            return False
        accept = request.fields.get(b"accept-language", b"").decode("latin-1")
        personal = not CREDENTIALS.isdisjoint(request.fields)
        asked = request.query.decode("latin-1")
        try:
            if personal:
                principal = authenticator.remembered(request.headers, "GET")
                if principal is None or principal.participant_id is None or crowd.is_full:
                    return False
                found = _waiting(shelf, asked, accept, principal, request, answer)
                if found is None:
                    return False
                crowd.come(found)
                return True
            public = shop.answer(asked, accept) or _from_memory(shop, shelf, asked, accept)
        except MarketplaceError:
            return False  # the application says what is wrong
        if public is None:
            return False
        answer(200, b'etag: "%b"\r\n' % public.etag.encode() + LINES, public.body)
        return True

    return search


def _from_memory(shop: Shop, shelf: Shelf, asked: str, accept: str) -> Answer | None:
    """An answer that needs nobody else; None where it does."""
    query, wanted = read_asked(asked)
    locale = language_of(accept, wanted)
    matches = words.known(shelf, asked_of(query.words, query.text), locale)
    if matches is None:
        return None
    return _made(shop, shelf, query, matches, locale, asked, accept)


def _waiting(
    shelf: Shelf,
    asked: str,
    accept: str,
    principal: Principal,
    request: DirectRequest,
    answer: SendAnswer,
) -> PersonalSearch | None:
    """A search for the crowd; None where what it finds depends on the caller, or on others."""
    query, wanted = read_asked(asked)
    locale = language_of(accept, wanted)
    given = asked_of(query.words, query.text)
    matches = words.known(shelf, given, locale)
    if matches is None or query.affordable:
        return None
    return PersonalSearch(
        shelf=shelf,
        found=find(shelf, query, matches, locale),
        corrections=corrections(given, matches),
        locale=locale,
        principal=principal,
        by_cookie=not any(name == b"authorization" for name, _ in request.headers),
        tell=partial(_tell, answer),
    )


def _tell(answer: SendAnswer, outcome: Outcome) -> None:
    if isinstance(outcome, bytes):
        answer(200, PERSONAL_LINES, outcome)
    else:
        lines = [b"%b: %b\r\n" % (n.encode(), v.encode()) for n, v in outcome.headers.items()]
        answer(outcome.status, PROBLEM_LINES + b"".join(lines), outcome.problem_json())
