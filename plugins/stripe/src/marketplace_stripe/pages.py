"""The page of finance, /stripe/overview."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import stripe
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from marketplace.api import (
    Host,
    Html,
    NavEntry,
    NotConfigured,
    Page,
    Pages,
    Role,
    access,
    lazy,
)
from marketplace_stripe import overview, refusals

HERE: Final = "/stripe/overview"
FINANCE: Final = access(roles=[Role.FINANCE, Role.OPERATOR], page=True)
KEY: Final = "stripe"
ORDER: Final = 8
"""In the navigation of finance, after what settlement has there."""

Ask = Annotated[bool, QueryParameter()]


def make_pages(host: Host) -> Pages:
    """The pages over a host."""

    @get("/overview", opt=FINANCE, include_in_schema=False)
    async def show_overview(page: NamedDependency[Page], ask: Ask = False) -> Html:
        """The balance, accounts and payments as last read; `ask` compares with Stripe now."""
        page.active = KEY
        try:
            found = await asyncio.to_thread(overview.overview, host)
        except NotConfigured:
            return page.render("stripe/overview.html", found=None, gaps=None, trouble="")
        gaps, trouble = None, ""
        if ask and found.last is not None:
            try:
                gaps = await asyncio.to_thread(overview.compare, host, found.last.platform)
            except stripe.StripeError as error:
                trouble = refusals.reason(error)
            except NotConfigured as error:
                trouble = error.detail
        return page.render("stripe/overview.html", found=found, gaps=gaps, trouble=trouble)

    folder = Path(__file__).parent
    return Pages(
        routes=[show_overview],
        nav=[
            NavEntry(
                key=KEY,
                label=lazy("Stripe"),
                path=HERE,
                roles=frozenset({Role.FINANCE}),
                order=ORDER,
            )
        ],
        templates=folder / "templates",
        translations=folder / "locale",
    )
