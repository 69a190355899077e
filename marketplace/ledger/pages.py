"""Pages: the wallet, which points go first, statements."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import OfferFace
from marketplace.errors import InvalidRequest
from marketplace.faces import MOST_ASKED, Faces
from marketplace.identity import preferences
from marketplace.identity.domain import Principal, Role
from marketplace.ledger import repository, statement
from marketplace.ledger.lots import expiries_by_month
from marketplace.ledger.service import MOST_LOTS, own_wallet, read_lots
from marketplace.ledger.story import StoryLine, Topic, page_of_story
from marketplace.ledger.words import KINDS, explain
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.paging import Cursor, cut_page, decode_cursor

PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)
ON_A_PAGE = 20
MONTHS = 12
TOPICS: dict[Topic, Lazy] = {
    Topic.EARNED: _l("Earned"),
    Topic.BURNT: _l("Burnt"),
    Topic.RETURNED: _l("Came back"),
    Topic.EXPIRED: _l("Expired"),
}


class ToldLine(msgspec.Struct, frozen=True):
    """A line of the history and its words."""

    line: StoryLine
    kind: Lazy
    text: Lazy


@get("/wallet", opt=PARTICIPANTS, include_in_schema=False)
async def show_wallet(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    topic: Annotated[Topic | None, QueryParameter()] = None,
    cursor: Cursor = None,
) -> Html:
    """What one has, what expires when, and what happened."""
    page.active = "wallet"
    wallet_id = await own_wallet(session, principal)
    told, following = await _history(session, wallet_id, topic, cursor)
    lines = await _titled(told, runtime.faces, page.locale)
    history: dict[str, Any] = {
        "lines": [ToldLine(line, KINDS[line.code], explain(line)) for line in lines],
        "next": following,
        "topic": topic,
        "topics": TOPICS,
        "first": cursor is None,
    }
    if page.is_htmx:
        return page.fragment("ledger/_history.html", **history)
    return page.render(
        "ledger/wallet.html",
        balance=await repository.balance(session, wallet_id),
        months=await expiries_by_month(session, wallet_id, months=MONTHS),
        today=page.now.date(),
        **history,
    )


async def _history(
    session: AsyncSession, wallet_id: UUID, topic: Topic | None, cursor: str | None
) -> tuple[list[StoryLine], str | None]:
    rows = await page_of_story(
        session,
        wallet_id,
        topic=topic,
        before=decode_cursor(cursor, int),
        limit=ON_A_PAGE + 1,
    )
    return cut_page(rows, ON_A_PAGE, lambda line: line.id)


async def _titled(lines: list[StoryLine], faces: Faces, language: str) -> list[StoryLine]:
    """Lines that name offers as their reader knows them."""
    named = list(dict.fromkeys(each.offer_id for each in lines if each.offer_id))
    known: dict[UUID, OfferFace] = {}
    # A statement may name more offers than one question may.
    for start in range(0, len(named), MOST_ASKED):
        known.update(await faces.of(named[start : start + MOST_ASKED], language))
    return [_named(each, known.get(each.offer_id) if each.offer_id else None) for each in lines]


def _named(line: StoryLine, face: OfferFace | None) -> StoryLine:
    return line if face is None else msgspec.structs.replace(line, offer=face.title)


@get("/wallet/lots", opt=PARTICIPANTS, include_in_schema=False)
async def show_lots(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Which points go first."""
    page.active = "wallet"
    wallet_id = await own_wallet(session, principal)
    lots = await read_lots(session, principal, wallet_id)
    return page.render("ledger/lots.html", lots=lots.items, more=lots.more, most=MOST_LOTS)


@get("/wallet/statement.pdf", opt=PARTICIPANTS, include_in_schema=False)
async def get_statement(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    first: Annotated[str | None, QueryParameter(name="from", max_length=10)] = None,
    last: Annotated[str | None, QueryParameter(name="to", max_length=10)] = None,
) -> Response[bytes]:
    """The statement of a period (days in UTC, both included) as PDF; absent: this month."""
    today = page.now.astimezone(UTC).date()
    start = _day(first, today.replace(day=1))
    stop = _day(last, max(start, min(today, start + statement.LONGEST - timedelta(days=1))))
    me = await preferences.me(session, principal)
    made = await statement.draw_up(
        session,
        await own_wallet(session, principal),
        name=me.name,
        firm=me.firm,
        first=start,
        last=stop,
        made_at=_midnight(today),
    )
    lines = await _titled(made.lines, runtime.faces, page.locale)
    made = msgspec.structs.replace(made, lines=lines)
    return Response(
        await statement.typeset(made, page.language),
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="points-{start}-{stop}.pdf"',
            "Cache-Control": "no-store",
        },
    )


def _day(text: str | None, default: date) -> date:
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("A day is written like 2026-03-31.") from None


def _midnight(day: date) -> datetime:
    """The day as a moment: a statement made again on one day is the same bytes."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


routes = [show_wallet, show_lots, get_statement]
nav = [
    NavEntry(
        key="wallet",
        label=_l("Wallet"),
        path="/wallet",
        roles=frozenset({Role.PARTICIPANT}),
        order=20,
    )
]
