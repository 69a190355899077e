"""Pages: a firm as its manager sees it, in sums. What people take is theirs to tell."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition import firm_figures
from marketplace.errors import NotFound
from marketplace.identity.domain import Principal, Role
from marketplace.web.access import access
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page

MANAGERS = access(roles=[Role.FIRM_MANAGER], page=True)
EXPIRY_DAYS = 30


@get("/firm", opt=MANAGERS, include_in_schema=False)
async def show_firm(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The firm's people, their points and what becomes of them, in sums."""
    page.active = "firm"
    if principal.firm_id is None:
        raise NotFound("You manage no firm.")
    firm = await firm_figures.read(session, principal.firm_id, expiry_days=EXPIRY_DAYS)
    return page.render("coalition/firm.html", firm=firm, days=EXPIRY_DAYS)


nav = [
    NavEntry(
        key="firm",
        label=_l("Your firm"),
        path="/firm",
        roles=frozenset({Role.FIRM_MANAGER}),
        order=5,
    )
]
routes = [show_firm]
