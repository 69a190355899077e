"""Pages of the waiting list: joining it for so many places of some categories, how one stands."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from marketplace.api import Host, Html, Lazy, MarketplaceError, Page, Principal, Routes, lazy
from marketplace_conference import events, waiting
from marketplace_conference.access import standings
from marketplace_conference.choosing import BUYERS, OWN_ERRORS, ROOT, Quantity, find
from marketplace_conference.errors import PlacesAreFree
from marketplace_conference.schemas import NewWaiter

ALSO: Final = "also:"
"""Before the sku of a category that would do as well: the name of its box."""
MOST: Final = 1_000


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get("/wait/{slug:str}/{sku:str}", opt=BUYERS, include_in_schema=False, sync_to_thread=True)
    def ask(
        slug: FromPath[str], sku: FromPath[str], page: NamedDependency[Page], quantity: Quantity = 1
    ) -> Html:
        """How many places, and what else would do."""
        return _form(host, page, slug, sku, {"quantity": str(quantity)})

    @post(
        "/wait/{slug:str}/{sku:str}",
        opt=BUYERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def join(
        slug: FromPath[str],
        sku: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Join the list, dearest wish first."""
        typed = {name: str(words) for name, words in data.items()}
        digits = typed.get("quantity", "1").strip()
        good = digits.isascii() and digits.isdigit() and len(digits) < 5
        if not good or not 1 <= int(digits) <= MOST:
            words = lazy("A whole number from %(least)s to %(most)s.", least=1, most=f"{MOST:,}")
            return _form(host, page, slug, sku, typed, wrong=words)
        event = events.read(host, slug)
        others = [each.sku for part in event.sessions for each in part.categories]
        also = [each for each in others if each != sku and typed.get(f"{ALSO}{each}")]
        try:
            asked = NewWaiter(skus=[sku, *also], quantity=int(digits))
            seen = waiting.join(host, principal, asked)
        except PlacesAreFree as error:
            free = error.extra.get("sku", sku)
            path = f"{ROOT}/choose/{quote(slug)}/{quote(free)}?quantity={digits}"
            return page.redirect(path, notice=lazy(error.title), tone="warning")
        except MarketplaceError as error:
            if not error.code.startswith(OWN_ERRORS) or error.status != 409:
                raise
            return page.redirect(f"{ROOT}/events/{slug}", notice=lazy(error.title), tone="warning")
        return page.redirect(f"{ROOT}/waiting/{seen.token}")

    @get("/waiting/{token:str}", opt=BUYERS, include_in_schema=False, sync_to_thread=True)
    def show_waiter(
        token: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """What one waits for, and why not yet."""
        page.active = "conference"
        seen = waiting.read(host, principal, token)
        event = events.read(host, seen.event, page.locale, drafts=True)
        wishes = [find(event, sku) for sku in seen.skus]
        return page.render("conference/waiting.html", seen=seen, event=event, wishes=wishes)

    @post(
        "/waiting/{token:str}/decline",
        opt=BUYERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def decline(
        token: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Decline what is offered, or leave the list."""
        waiting.decline(host, principal, token)
        return page.redirect(f"{ROOT}/waiting/{token}")

    return [ask, join, show_waiter, decline]


def _form(
    host: Host,
    page: Page,
    slug: str,
    sku: str,
    typed: dict[str, str],
    *,
    wrong: Lazy | None = None,
) -> Html:
    page.active = "conference"
    event = events.read(host, slug, page.locale)
    with host.transaction() as session:
        may = standings(host, session, slug, page.principal)
    others = [
        (part, each, may[each.sku])
        for part in event.sessions
        for each in part.categories
        if each.sku != sku and not may[each.sku].refusal
    ]
    return page.render(
        "conference/wait.html",
        status_code=422 if wrong else 200,
        event=event,
        category=find(event, sku),
        mine=may[sku],
        others=others,
        also=ALSO,
        typed=typed,
        wrong=wrong,
    )
