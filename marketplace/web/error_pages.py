"""Errors as pages, for people in a browser; everybody else gets problem+json."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from marketplace.errors import MarketplaceError, NotAuthenticated
from marketplace.web.access import KEY, Access
from marketplace.web.console import CHOOSE, MemberNotChosen
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import AnyRequest, Html, Page, page_of
from marketplace.web.request_id import request_id

NOT_FOR_BROWSERS = ("/v1/", "/schema", "/health", "/static/")
SIGN_IN = "/sign-in"

Words = tuple[Lazy, Lazy]
"""Heading, and what the reader can do."""

WORDS: dict[int, Words] = {
    400: (
        _l("We could not read that"),
        _l("Something in the address or the form does not fit. Go back and try once more."),
    ),
    401: (_l("Please sign in"), _l("This page is for people who are signed in.")),
    403: (
        _l("This page is not for your role"),
        _l("You are signed in, but this belongs to somebody else. Ask them, or go back."),
    ),
    404: (
        _l("There is nothing at this address"),
        _l("It may have moved, be gone, or not be yours to see. Your points are where they were."),
    ),
    405: (
        _l("This address does not work that way"),
        _l("Open the page again and use its own buttons."),
    ),
    409: (
        _l("Things have changed meanwhile"),
        _l("Somebody or something was faster. Open the page again to see how it stands now."),
    ),
    413: (_l("That is too large"), _l("Send a smaller file.")),
    429: (
        _l("A little slower, please"),
        _l("There were too many tries in a short time. Wait a few minutes, then go on."),
    ),
    500: (
        _l("Something went wrong on our side"),
        _l("It has been written down. No points are spent without a reward: look at your rewards."),
    ),
    503: (
        _l("We are busy right now"),
        _l("Nothing is lost. Wait a moment and load the page again."),
    ),
}


def wants_page(request: AnyRequest) -> bool:
    """Whether an error should be a page: on pages, and where a browser meets no route at all."""
    handler = request.scope.get("route_handler")
    stated = handler.opt.get(KEY) if handler is not None else None
    if isinstance(stated, Access):
        return stated.page
    is_api = request.scope["path"].startswith(NOT_FOR_BROWSERS)
    by_browser = "hx-request" in request.headers or "text/html" in request.headers.get("accept", "")
    return by_browser and not is_api


def error_page(request: AnyRequest, error: MarketplaceError) -> Html:
    """The page of an error; who is not signed in is led to where one signs in."""
    page = page_of(request)
    if error.code == NotAuthenticated.code:
        return page.redirect(f"{SIGN_IN}?next={quote(_wanted(page, request), safe='/')}")
    if error.code == MemberNotChosen.code and request.method == "GET" and not page.is_htmx:
        return page.redirect(f"{CHOOSE}?next={quote(page.path, safe='/')}")
    known = error.status if error.status in WORDS else _nearest(error.status)
    heading, advice = WORDS[known]
    words = {
        "heading": heading,
        "advice": advice,
        "status": error.status,
        "code": error.code,
        "title": _own_title(error),
        "request_id": request_id(request.scope),
    }
    if page.is_htmx:
        # Said in the corner; what the reader looked at stays as it was.
        headers = {**error.headers, "HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
        return page.fragment(
            "web/_error_toast.html", status_code=error.status, headers=headers, **words
        )
    return page.render("web/error.html", status_code=error.status, headers=error.headers, **words)


def _wanted(page: Page, request: AnyRequest) -> str:
    """The page to come back to: this one, or the one whose form or part asked."""
    return page.path if request.method == "GET" and not page.is_htmx else page.came_from


def _own_title(error: MarketplaceError) -> Lazy | None:
    """What a room's own error says beyond its status; the general ones would say it twice."""
    general = type(error).__module__ in (MarketplaceError.__module__, Access.__module__)
    return None if general else Lazy(error.title)


def _nearest(status: int) -> int:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return 500
    return 400
