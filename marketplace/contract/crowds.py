"""Routes that many call at the same moment, answered many at a time by one call of the plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body

from marketplace.errors import MarketplaceError
from marketplace.identity.domain import Principal
from marketplace.web.page import Html, Page

CROWD: Final = "crowd"
"""The key in a handler's `opt` that holds its Crowd."""
QUEUE: Final = "crowd_queue"
"""The key in a handler's `opt` where the house keeps who waits for it."""

CrowdWork: TypeAlias = Callable[[Sequence[tuple[Principal, Any]]], Sequence[Any | MarketplaceError]]
Fields: TypeAlias = Mapping[str, Sequence[str]]
"""What a form sends: the values of each field, in its order."""


class Crowd(msgspec.Struct, frozen=True):
    """What a route of `crowd_post` takes and gives, and who does the work."""

    takes: type
    gives: type
    work: CrowdWork

    def __deepcopy__(self, _: dict[int, Any]) -> Crowd:
        """Itself: routers copy their handlers with all they hold."""
        return self


class CrowdForm(msgspec.Struct, frozen=True):
    """How a form of `crowd_form` is read, who does the work, and what is shown then."""

    reads: Callable[[Fields], Any]
    gives: type
    work: CrowdWork
    shows: Callable[[Page, Any, Any], Html]

    def __deepcopy__(self, _: dict[int, Any]) -> CrowdForm:
        """Itself: routers copy their handlers with all they hold."""
        return self


def crowd_post(
    path: str,
    work: CrowdWork,
    *,
    takes: type[msgspec.Struct],
    gives: type[msgspec.Struct],
    opt: Mapping[str, Any],
    summary: str,
    description: str,
    tags: Sequence[str] = (),
) -> HTTPRouteHandler:
    """A `POST` for your `Routes` that is called by thousands in one second: an on-sale.

    Whoever calls while `work` runs waits in a queue; then `work` gets all of them, up to 256, as
    (caller, body), and answers in their order: with a `gives`, or with an error for that caller
    alone. It is synchronous, runs once at a time in each process, on a thread of your plugin's, and
    has 20 seconds. Do all of them in one transaction: that is what makes it fast. Where it raises,
    nothing may have been done: each is then tried by itself, and an error is that caller's alone.
    `path` has no parameters; `opt` is that of `access(...)`, not public. Since 1.3.
    """

    async def answer(data: Any, principal: Any, request: Any) -> Any:
        return await request.route_handler.opt[QUEUE].submit(principal, data)

    answer.__annotations__ = {
        "data": Annotated[takes, Body()],
        "principal": NamedDependency[Principal],
        "request": Request[Any, Any, Any],
        "return": gives,
    }
    answer.__doc__ = description
    # Operations of the API's description are named after functions.
    answer.__name__ = answer.__qualname__ = "_".join(summary.lower().split())
    opt = {**opt, CROWD: Crowd(takes, gives, work)}
    return post(path, opt=opt, summary=summary, tags=list(tags))(answer)


def crowd_form(
    path: str,
    work: CrowdWork,
    *,
    reads: Callable[[Fields], Any],
    gives: type[msgspec.Struct],
    shows: Callable[[Page, Any, Any], Html],
    opt: Mapping[str, Any],
) -> HTTPRouteHandler:
    """The same for a form of your `Pages`, which thousands of browsers send in one second.

    `reads` makes of the fields what `work` takes, on the loop and at once: a MarketplaceError where
    it cannot. Give the very function that a `crowd_post` has, and both share one queue. `shows`
    gets the page, what was asked and what `work` said to it (an error of yours, too), and renders,
    goes elsewhere or raises; it runs on a thread of your plugin's, for one after the other, so what
    it shows to all of them is asked of the database once. `path` has no parameters: what the form
    is about are hidden fields. `opt` is that of `access(..., page=True)`, not public. Since 1.3.
    """

    async def answer(
        request: Request[Any, Any, Any],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
    ) -> Html:
        """A form that came the long way."""
        shown: Html = await request.route_handler.opt[QUEUE].answer(request, page, principal)
        return shown

    opt = {**opt, CROWD: CrowdForm(reads, gives, work, shows)}
    return post(path, opt=opt, include_in_schema=False, status_code=200)(answer)
