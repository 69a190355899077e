"""Pages: prices to come in the partner console, `/catalog/partner/prices`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import editing
from catalog.errors import BadPriceChange
from catalog.owner_pages import IN_CONSOLE, owner_in
from catalog.owning import own_prices
from marketplace import api
from marketplace.coalition.imports import fields
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.errors import PriceNotCovered
from marketplace.exchange.models import Offer
from marketplace.exchange.offer_words import beside
from marketplace.identity.domain import Principal
from marketplace.money import decimal_from_micros
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.filled import Filled
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

HERE: Final = "/catalog/partner/prices"

AnyRequest = Request[Any, Any, Any]


@get("/partner/prices", opt=IN_CONSOLE, include_in_schema=False)
async def show_prices(
    *,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    offer: Annotated[str, QueryParameter(max_length=200)] = "",
) -> Html:
    """What is announced, and the form that announces more; `offer` fills it with its price now."""
    form = Filled({"offer": offer})
    for each in await _offers(session, console):
        if each.reference == offer:
            cost = decimal_from_micros(each.cost_micros)
            form = Filled({"offer": offer, "points": str(each.points), "cost": cost})
    return await _prices(page, session, console, principal, form)


async def _offers(session: AsyncSession, console: Console) -> list[Offer]:
    query = sa.select(Offer).where(
        Offer.acceptor_id == console.member_id, Offer.status != OfferStatus.RETIRED
    )
    return list(await session.scalars(query.order_by(Offer.reference)))


async def _prices(
    page: Page, session: AsyncSession, console: Console, principal: Principal, form: Filled
) -> Html:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK
    return page.render(
        "catalog/own_prices.html",
        status_code=status,
        form=form,
        prices=await own_prices(session, owner_in(console, principal)),
        offers=await _offers(session, console),
    )


@post("/partner/prices", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def announce(
    *,
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Announce a price."""
    form = Filled(await request.form())
    offer = form.take("offer", fields.Reference, words=_l("Choose an offer."))
    at = form.take("at", fields.Moment)
    points = form.take("points", fields.Points)
    cost = form.take("cost", fields.Micros)
    if form.problems:
        return await _prices(page, session, console, principal, form)
    owner = owner_in(console, principal)
    try:
        async with session.begin_nested():
            await editing.announce_price(
                session, owner, offer, at=at, points=points, cost_micros=cost, actor=principal.actor
            )
    except PriceNotCovered as error:
        form.wrong(*(beside(error) or ("cost", _l("These points bring less."))))
        return await _prices(page, session, console, principal, form)
    except BadPriceChange as error:
        if error.extra.get("field") == "offer":
            form.wrong("offer", _l("Choose an offer."))
        else:
            form.wrong("at", _l("Choose a moment ahead that no other price of it begins at."))
        return await _prices(page, session, console, principal, form)
    return page.redirect(console.path(HERE), notice=_l("Announced. People see it on the listing."))


@post(
    "/partner/prices/{price_id:uuid}/cancel",
    opt=IN_CONSOLE,
    include_in_schema=False,
    status_code=303,
)
async def cancel(
    *,
    price_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Take an announced price back."""
    owner = owner_in(console, principal)
    try:
        await editing.cancel_price(session, owner, price_id, actor=principal.actor)
    except BadPriceChange:
        notice = _l("It is not waiting any more.")
        return page.redirect(console.path(HERE), notice=notice, tone="warning")
    return page.redirect(console.path(HERE), notice=_l("Taken back: the price stays as it is."))


ROUTES: api.Routes = [show_prices, announce, cancel]
NAV: Final = (
    api.NavEntry(
        key="console-prices",
        label=_l("Prices"),
        path=HERE,
        roles=CONSOLE_ROLES,
        order=32,
        symbol="clock",
        console=True,
    ),
)
