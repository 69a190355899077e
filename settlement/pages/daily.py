"""The board of the five-way close: what each side says of a day, and what is left to do."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.errors import InvalidRequest
from settlement.bank import daily
from settlement.pages.frame import FINANCE
from settlement.pages.words import BREAK_KINDS, CLOSES, MEASURES

Day = Annotated[str | None, QueryParameter(max_length=20)]
ONE: Final = timedelta(days=1)


@get("/daily", opt=FINANCE, include_in_schema=False)
async def show_daily(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession], day: Day = None
) -> Html:
    """Points ledger = burns = supplier confirmations = settlement = bank, for a day (UTC)."""
    page.active = "daily"
    found = await daily.close_of_day(session, _day(day))
    today = page.now.date()
    return page.render(
        "settlement/daily.html",
        close=found,
        measures=MEASURES,
        sides=CLOSES,
        kinds=BREAK_KINDS,
        before=found.day - ONE,
        after=found.day + ONE if found.day < today else None,
        today=today,
    )


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is no day: write it like 2027-01-31.") from error
    if not 2000 <= found.year < 9000:
        raise InvalidRequest(f"{text} is too far away.")
    return found


ROUTES = [show_daily]
