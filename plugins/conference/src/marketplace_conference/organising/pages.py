"""Pages at /conference/partner: a member's events in the partner console, one of them whole."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody

from marketplace.api import (
    Console,
    Host,
    Html,
    MarketplaceError,
    NavEntry,
    Page,
    PluginOffer,
    Principal,
    Role,
    Routes,
    access,
    lazy,
)
from marketplace_conference import events, statics
from marketplace_conference.organising import drafts, hints, publishing, reading
from marketplace_conference.organising.forms import hour_field

HOME: Final = "/conference/partner"
ROLES: Final = frozenset({Role.PARTNER, Role.OPERATOR})
IN_CONSOLE: Final = access(roles=ROLES, page=True)
STYLE: Final = f"{statics.AT}/conference.css"
SECTION: Final = NavEntry(
    key="console-events",
    label=lazy("Events"),
    path=HOME,
    roles=ROLES,
    order=42,
    symbol="ticket",
    console=True,
)

Code = Annotated[str, QueryParameter(max_length=64, pattern=r"^[a-z0-9-]*$")]


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get("/partner", opt=IN_CONSOLE, include_in_schema=False, sync_to_thread=True)
    def show_own(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """Every event of the member."""
        found = reading.own_events(host, console.member_id)
        return page.render("conference/own_events.html", events=found)

    @get(
        "/partner/events/{slug:str}",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def show_one(
        slug: FromPath[str], page: NamedDependency[Page], console: NamedDependency[Console]
    ) -> Html:
        """Sessions, categories, quotas and prices, and how all of it stands."""
        return page.render("conference/own_event.html", **whole(host, console, slug))

    @post(
        "/partner/events/{slug:str}/status",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def change(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Publish the event and sell what has a price, or make it a draft again."""
        wanted, path = str(data.get("change", "")), console.path(f"{HOME}/events/{slug}")
        if wanted == "withdraw":
            publishing.withdraw(host, slug, console.member_id, actor=principal.actor)
            return page.redirect(path, notice=lazy("It is hidden again. What was sold stays sold."))
        if wanted != "publish":
            return page.redirect(path)
        try:
            publishing.publish(host, slug, console.member_id, actor=principal.actor)
        except MarketplaceError as error:
            if "sku" not in error.extra:
                raise
            sku = error.extra["sku"]
            path = console.path(f"{HOME}/events/{slug}/edit/category", sku=sku, check="yes")
            words = lazy("Nothing was published: the price of %(sku)s needs another look.", sku=sku)
            return page.redirect(path, notice=words, tone="warning")
        shown = lazy("It is published: everybody sees it, and its places are sold.")
        return page.redirect(path, notice=shown)

    return [show_own, show_one, change]


def whole(host: Host, console: Console, slug: str) -> dict[str, Any]:
    """All that the page of an event shows, its draft too."""
    with host.transaction() as session:
        own = reading.own_event(session, console.member_id, slug)
        quotas = reading.quotas(session, own.id)
        promised = reading.promised(session, own.id, host.now(session))
        prices: dict[str, list[PluginOffer]] = {}
        for each in host.offers(session, member_id=console.member_id):
            prices.setdefault(each.sku, []).append(each)
        document = drafts.document(session, slug, console.member_id, console.slug)
    event = events.read(host, slug, drafts=True)
    return {
        "event": event,
        "quotas": quotas,
        "prices": prices,
        "promised": promised,
        "drafted": {each.sku: each for each in document.categories},
        "document": document,
        "until": hour_field(event.ends_at, "UTC"),
        "hints": hints.of(event, document, prices, has_terms=bool(promised)),
        "unsold": [each for each in document.categories if each.points and each.sku not in prices],
    }
