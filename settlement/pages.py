"""Pages: what finance comes in by, the positions of this month and the last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from litestar import get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.api import Html, NavEntry, Page, Role, access
from marketplace.api import lazy as _l
from settlement import service
from settlement.domain import by_name
from settlement.repository import By

PATH = "/settlement"


@get("/", opt=access(roles=[Role.FINANCE], page=True), include_in_schema=False)
async def show_positions(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """Who owes and who is owed, by month and currency; newest first."""
    page.active = "settlement"
    since = _month_before(page.now)
    found = await service.positions(session, By.MONTH, since)
    accounts = [
        (datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC), currency, by_name(positions))
        for (month, currency), positions in reversed(found.items())
    ]
    return page.render("settlement/positions.html", accounts=accounts)


def _month_before(now: datetime) -> datetime:
    """The first moment of the month before, in UTC."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=1)


FOLDER = Path(__file__).parent
PAGES = api.Pages(
    routes=[show_positions],
    nav=[
        NavEntry(
            key="settlement",
            label=_l("Positions"),
            path=PATH,
            roles=frozenset({Role.FINANCE}),
            order=5,
        )
    ],
    templates=FOLDER / "templates",
    translations=FOLDER / "locale",
)
