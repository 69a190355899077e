"""Pages: `/partner`, what is to be done; `/partner/members`, where an operator chooses a member."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.console import outlook, queries
from marketplace.console.charts import orders_chart, points_chart
from marketplace.identity.domain import Role
from marketplace.web.access import access
from marketplace.web.console import CHOOSE, CONSOLE_ROLES, HOME, Console, members
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import speak
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page, local_path

MOST_STOCK = 6
"""Offers listed as low; the rest is counted."""


@get(HOME, opt=access(roles=CONSOLE_ROLES, page=True), include_in_schema=False)
async def home(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One thing to do next, what wants looking at, and how things go."""
    member = console.member_id
    waiting = await queries.waiting(session, member)
    stock = await queries.stock(session, member)
    low = [each for each in stock if outlook.is_low(each)]
    orders = await queries.orders_by_day(session, member)
    points = await queries.points_by_day(session, member) if console.issues else []
    with speak(page.language, page.now):
        next_thing = outlook.what_next(waiting, low, issues=console.issues, accepts=console.accepts)
        pictures = [orders_chart(page, orders)] if console.accepts else []
        pictures += [points_chart(page, points)] if console.issues else []
    return page.render(
        "console/home.html",
        next_thing=next_thing,
        waiting=waiting,
        low=low[:MOST_STOCK],
        more_low=len(low) - len(low[:MOST_STOCK]),
        delivered=sum(each.first for each in orders),
        issued=sum(each.first for each in points),
        burnt=sum(each.second for each in points),
        pictures=pictures,
        days=queries.DAYS,
    )


@get(CHOOSE, opt=access(roles=[Role.OPERATOR], page=True), include_in_schema=False)
async def choose_member(
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    next_path: Annotated[str, QueryParameter(name="next", max_length=2_000)] = HOME,
) -> Html:
    """Which member the operator wants to look after."""
    page.active = "partner"
    return page.render(
        "console/members.html",
        members=await members(session),
        next=local_path(next_path, HOME),
    )


routes = [home, choose_member]
nav = [
    NavEntry(key="partner", label=_l("Partner console"), path=HOME, roles=CONSOLE_ROLES, order=10),
    NavEntry(
        key="console-home",
        label=_l("Today"),
        path=HOME,
        roles=CONSOLE_ROLES,
        order=10,
        symbol="clock",
        console=True,
    ),
]
