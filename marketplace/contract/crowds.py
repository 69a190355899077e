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

CROWD: Final = "crowd"
"""The key in a handler's `opt` that holds its Crowd."""
QUEUE: Final = "crowd_queue"
"""The key in a handler's `opt` where the house keeps who waits for it."""

CrowdWork: TypeAlias = Callable[[Sequence[tuple[Principal, Any]]], Sequence[Any | MarketplaceError]]


class Crowd(msgspec.Struct, frozen=True):
    """What a route of `crowd_post` takes and gives, and who does the work."""

    takes: type
    gives: type
    work: CrowdWork

    def __deepcopy__(self, _: dict[int, Any]) -> Crowd:
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
