"""Pages: the wish list, its alerts, wishing from anywhere, the switch of suggestions."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import service
from catalog.errors import TooManyWishes, UnknownListing
from catalog.presenting import PATH, Shown
from catalog.shop import shop_of
from catalog.viewer import Viewer, viewer_of
from marketplace import api
from marketplace.errors import InvalidRequest, NotAllowed
from marketplace.identity.domain import Principal, Role
from marketplace.notices.domain import Category, Email, Preference
from marketplace.notices.forms import EMAIL_WORDS
from marketplace.notices.service import preferences, set_preferences
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)
WISHES = f"{PATH}/wishes"
SPOT = re.compile(r"[a-z]{1,12}")
"""Which of several buttons for one listing was pressed: part of its id."""
IN_LIST = "list"
SUGGESTED = 8
NO = "no"


class WishForm(msgspec.Struct):
    """What a heart sends."""

    on: str = "yes"
    spot: str = "card"


class SwitchForm(msgspec.Struct):
    """Whether suggestions are made."""

    on: str = "yes"


class AlertForm(msgspec.Struct):
    """How one hears of wishes."""

    email: str = Email.NOW.value
    in_app: str = ""


async def _viewer(session: AsyncSession, principal: Principal) -> Viewer:
    viewer = await viewer_of(session, principal)
    if viewer is None:
        raise NotAllowed("Only participants with a wallet have wishes and suggestions.")
    return viewer


@get("/wishes", opt=PARTICIPANTS, include_in_schema=False)
async def show_wishes(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Every wish with how far it is, and what one is told about them."""
    page.active = "wishes"
    wanted = await preferences(session, principal.caller_id)
    viewer = await _viewer(session, principal)
    return page.render(
        "catalog/wishes.html",
        alerts=next(each for each in wanted if each.category is Category.WISHES),
        mailings=[(email.value, page._(words)) for email, words in EMAIL_WORDS.items()],
        **await _list_context(runtime, session, page, viewer),
    )


async def _list_context(
    runtime: Runtime, session: AsyncSession, page: Page, viewer: Viewer
) -> dict[str, Any]:
    found = await service.wishes(runtime, session, viewer, locale=page.locale)
    return {"wishes": found.items, "shown": Shown(page, viewer)}


@post("/wishes/{slug:str}", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def change_wish(
    slug: FromPath[str],
    data: URLEncodedBody[WishForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Wish for a listing, or no longer; then back to where the heart was pressed."""
    viewer = await _viewer(session, principal)
    wished = data.on != NO
    try:
        if wished:
            await service.add_wish(runtime, session, viewer, slug)
        else:
            await service.drop_wish(session, viewer, slug)
    except TooManyWishes:
        full = _l("Your wish list is full. Take something off it first.")
        return page.redirect(WISHES, notice=full, tone="warning")
    said = _l("It is on your wish list.") if wished else _l("It is off your wish list.")
    if not page.is_htmx:
        return page.redirect(_back(page), notice=said)
    if data.spot == IN_LIST:
        context = await _list_context(runtime, session, page, viewer)
        return page.fragment("catalog/_wishes_update.html", status_code=200, said=said, **context)
    return page.fragment(
        "catalog/_wish_update.html",
        status_code=200,
        slug=slug,
        title=await _title(runtime, session, slug, page.locale),
        wished=wished,
        spot=data.spot if SPOT.fullmatch(data.spot) else "card",
        said=said,
    )


async def _title(runtime: Runtime, session: AsyncSession, slug: str, locale: str) -> str:
    shelf = await shop_of(runtime).shelf(session)
    entry = shelf.by_slug.get(slug)
    if entry is None:
        raise UnknownListing(f"There is no listing {slug!r} to be seen now.")
    return shelf.card(entry, locale)[0].title


def _back(page: Page) -> str:
    """The page of the catalog that the form was on; else the wish list."""
    return page.came_from if page.came_from.startswith(PATH) else WISHES


@post("/wish-alerts", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def change_alerts(
    data: URLEncodedBody[AlertForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Choose how one is told that a wish can be afforded, or is nearly gone."""
    if data.email not in set(Email):
        raise InvalidRequest("There is no such way to be mailed.")
    chosen = Preference(category=Category.WISHES, in_app=bool(data.in_app), email=Email(data.email))
    await set_preferences(session, principal.caller_id, [chosen])
    return page.redirect(WISHES, notice=_l("Saved."))


@post("/for-you", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def switch_for_you(
    data: URLEncodedBody[SwitchForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Switch suggestions on or off, until changed."""
    viewer = await _viewer(session, principal)
    on = data.on != NO
    await service.set_for_you(session, viewer, on=on)
    said = _l("Suggestions are on.") if on else _l("Suggestions are off.")
    if not page.is_htmx:
        return page.redirect(PATH, notice=said)
    return page.fragment(
        "catalog/_for_you_update.html",
        status_code=200,
        shown=Shown(page, viewer),
        suggestions=await service.for_you(
            runtime, session, viewer, locale=page.locale, limit=SUGGESTED
        ),
        said=said,
    )


ROUTES: api.Routes = [show_wishes, change_wish, change_alerts, switch_for_you]
