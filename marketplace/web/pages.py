"""Pages of the house itself: the way in, preferences of the browser, the living style page."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.identity.preferences import set_look
from marketplace.web.access import access
from marketplace.web.assets import load_assets
from marketplace.web.i18n import NAMES
from marketplace.web.page import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    Html,
    Page,
    local_path,
)
from marketplace.web.samples import SAMPLES

ANYBODY = access(public=True, page=True)
KEEP_CHOICE = timedelta(days=365)
SERVICE_WORKER = "js/worker.js"


class Choice(msgspec.Struct):
    """What the switches in the header send: one of the two."""

    language: str = ""
    theme: str = ""
    next: str = "/"


@get("/", opt=ANYBODY, include_in_schema=False, sync_to_thread=False)
def home(page: NamedDependency[Page]) -> Html:
    """Leads each reader to the first page of their role, strangers to where one signs in."""
    if page.principal is None:
        return page.redirect("/sign-in")
    if page.nav:
        return page.redirect(page.nav[0].path)
    return page.render("web/nothing_yet.html")


@post("/preferences", opt=ANYBODY, include_in_schema=False, status_code=303)
async def choose(
    data: URLEncodedBody[Choice],
    page: NamedDependency[Page],
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Keep the language or theme of this browser, and of who is signed in; then come back."""
    answer = page.redirect(local_path(data.next))
    if page.principal is not None and not page.principal.is_key:
        language = data.language if data.language in NAMES else page.principal.language
        theme = data.theme if data.theme in THEMES else page.principal.theme or THEMES[0]
        await set_look(session, page.principal, language=language, theme=theme)
    if data.language in NAMES:
        _keep(answer, request, LANGUAGE_COOKIE, data.language)
    if data.theme in THEMES:
        _keep(answer, request, THEME_COOKIE, data.theme)
    return answer


def _keep(answer: Html, request: Request[Any, Any, Any], name: str, value: str) -> None:
    answer.set_cookie(
        key=name,
        value=value,
        max_age=int(KEEP_CHOICE.total_seconds()),
        httponly=True,
        secure=request.app.state.site.secure_cookies,
        samesite="lax",
    )


# Not a `page`: nobody is asked who reads, for the service worker keeps it.
@get("/offline", opt=access(public=True), include_in_schema=False, sync_to_thread=False)
def offline(page: NamedDependency[Page]) -> Html:
    """What the service worker shows when there is no network."""
    return page.render("web/offline.html")


@get("/worker.js", opt=access(public=True), include_in_schema=False, sync_to_thread=False)
def service_worker() -> Response[bytes]:
    """The service worker: at the root, for it serves only what is below its own address."""
    asset = load_assets().files[SERVICE_WORKER]
    return Response(asset.body, media_type=asset.media_type, headers={"Cache-Control": "no-cache"})


@get("/_style", opt=ANYBODY, include_in_schema=False, sync_to_thread=False)
def style(page: NamedDependency[Page]) -> Html:
    """Every component in every state."""
    return page.render("web/style.html", status_code=HTTPStatus.OK, **SAMPLES)


routes = [home, choose, offline, service_worker, style]
