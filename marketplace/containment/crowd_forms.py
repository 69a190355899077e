"""Forms that a crowd of browsers sends (`marketplace.api.crowd_form`): into the crowd's queue on
the connection, and a page for each on a thread of the plugin's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from litestar import Litestar, Request

from marketplace.containment.crowds import CrowdQueue, JsonDoor, Waiting, rendered
from marketplace.containment.routes import PluginRoutes
from marketplace.contract.crowds import CROWD, QUEUE, Crowd, CrowdForm, CrowdWork, Fields
from marketplace.errors import Busy, InternalError, InvalidRequest, MarketplaceError
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.credentials import read_credential
from marketplace.identity.domain import Principal
from marketplace.web.access import KEY, Access
from marketplace.web.direct import Answer, DirectRequest
from marketplace.web.error_pages import error_page
from marketplace.web.middleware import DEFAULT_HEADERS, PRINCIPAL
from marketplace.web.page import AnyRequest, Html, Page, page_of

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 64
"""Pages of one turn on a thread: between two turns others have theirs."""
MOST_FIELDS: Final = 2_000
SHOW_S: Final = 20.0
"""Longest that the pages of one turn may take."""
_FORM: Final = b"application/x-www-form-urlencoded"
_ADDED: Final = {b"x-content-type-options", b"content-length"}
"""Headers that every answer on the connection has anyhow."""


def read_fields(body: bytes) -> Fields:
    """The fields of a form as browsers send it; InvalidRequest where they are none."""
    try:
        return parse_qs(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise InvalidRequest("The form cannot be read.") from None


class Told(msgspec.Struct, frozen=True):
    """Somebody who is to be shown what the plugin said."""

    request: AnyRequest
    asked: Any
    outcome: Any
    known: bool
    answer: Answer


class FormDoor:
    """The way in for a form of `crowd_form`."""

    def __init__(
        self, form: CrowdForm, path: str, access: Access, queue: CrowdQueue, routes: PluginRoutes
    ) -> None:
        self._form = form
        self._path = path
        self._access = access
        self._routes = routes
        self._app: Any = None
        self._handler: Any = None
        self._told: deque[Told] = deque()
        self._task: asyncio.Task[None] | None = None
        self.queue = queue

    def belongs_to(self, app: Litestar, handler: Any) -> None:
        """Whose requests these are, for pages that ask."""
        self._app, self._handler = app, handler

    async def answer(self, request: AnyRequest, page: Page, principal: Principal) -> Html:
        """A form that came the long way."""
        form = await request.form()
        asked = self._form.reads({name: [str(v) for v in form.getall(name)] for name in form})
        outcome: Any
        try:
            outcome = await self.queue.submit(principal, self._access, asked)
        except MarketplaceError as error:
            outcome = error
        shown: Html = await self._routes.on_thread(self._form.shows, page, asked, outcome)
        return shown

    def direct(self, request: DirectRequest, answer: Answer) -> bool:
        """The same on the connection; the application says what is wrong with a form that cannot be
        read, and leads who is not signed in to where one signs in.
        """
        kind = request.fields.get(b"content-type", b"")
        if kind.partition(b";")[0].strip().lower() != _FORM or request.query:
            return False
        try:
            credential = read_credential(request.headers, "POST")
            asked = self._form.reads(read_fields(request.body))
        except MarketplaceError:
            return False

        def tell(outcome: Any, who: Principal | None) -> None:
            made = self._request(request, who)
            self._show(Told(made, asked, outcome, who is not None, answer))

        try:
            self.queue.add(Waiting(credential, self._access, asked, tell))
        except MarketplaceError as error:
            tell(error, None)
        return True

    def _request(self, request: DirectRequest, who: Principal | None) -> AnyRequest:
        scope = {
            "type": "http",
            "method": "POST",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": request.headers,
            "scheme": "http",
            "client": None,
            "server": ("localhost", 80),
            "state": {},
            "path_params": {},
            "app": self._app,
            "litestar_app": self._app,
            "route_handler": self._handler,
        }
        if who is not None:
            scope[PRINCIPAL] = who
        made: AnyRequest = Request(scope)  # type: ignore[arg-type]
        return made

    def _show(self, told: Told) -> None:
        self._told.append(told)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._show_all())

    async def _show_all(self) -> None:
        try:
            while self._told:
                count = min(len(self._told), MOST_AT_ONCE)
                some = [self._told.popleft() for _ in range(count)]
                try:
                    shown = [
                        _on_the_wire(told.request, page)
                        for told, page in zip(some, await self._pages(some), strict=True)
                    ]
                except Exception:  # not even the page of an error could be made
                    log.exception("plugin %s: no pages for a crowd", self._routes.slug)
                    shown = [rendered(InternalError())] * len(some)
                for told, wire in zip(some, shown, strict=True):
                    told.answer(*wire)
        finally:
            self._task = None

    async def _pages(self, some: Sequence[Told]) -> Sequence[Html]:
        try:
            async with asyncio.timeout(SHOW_S):
                pages: Sequence[Html] = await self._routes.on_thread(self._make, some)
                return pages
        except TimeoutError:
            self._routes.let_rest(f"{len(some)} pages were not made in {SHOW_S:g} s")
            error: MarketplaceError = Busy("The page was not made in time.")
        except Busy as busy:  # no thread of the plugin's is free
            error = busy
        return [error_page(each.request, error) for each in some]

    def _make(self, some: Sequence[Told]) -> list[Html]:
        return [self._page(each) for each in some]

    def _page(self, told: Told) -> Html:
        try:
            if not told.known:  # a refusal of the house's, before anybody was asked for
                raise told.outcome
            shown = self._form.shows(page_of(told.request), told.asked, told.outcome)
        except MarketplaceError as error:
            return error_page(told.request, error)
        except Exception:
            log.exception("plugin %s: the page of a form failed", self._routes.slug)
            return error_page(told.request, InternalError())
        return shown


def _on_the_wire(request: AnyRequest, page: Html) -> tuple[int, bytes, bytes]:
    """Status, header lines and body."""
    made = page.to_asgi_response(app=None, request=request)
    headers = [(name.lower(), value) for name, value in made.encode_headers()]
    stated = {name for name, _ in headers} | _ADDED
    headers = [each for each in headers if each[0] not in _ADDED]
    headers += [each for each in DEFAULT_HEADERS if each[0] not in stated]
    return made.status_code, b"".join(b"%b: %b\r\n" % each for each in headers), bytes(made.body)


def open_crowds(app: Litestar, routes: PluginRoutes, paths: tuple[str, ...]) -> None:
    """Let crowds in at the routes below `paths` that were made for it; those with the same work
    share one queue.
    """
    authenticator: Authenticator = app.state.authenticator
    queues: dict[CrowdWork, CrowdQueue] = {}
    for route in app.routes:
        if not f"{route.path}/".startswith(paths):
            continue
        for handler in getattr(route, "route_handlers", ()):
            crowd = handler.opt.get(CROWD)
            if not isinstance(crowd, Crowd | CrowdForm):
                continue
            work = crowd.work
            if work not in queues:
                queues[work] = CrowdQueue(work, crowd.gives, routes, authenticator)
            queue = queues[work]
            door: JsonDoor | FormDoor
            if isinstance(crowd, CrowdForm):
                door = FormDoor(crowd, route.path, handler.opt[KEY], queue, routes)
                door.belongs_to(app, handler)
            else:
                door = JsonDoor(crowd, handler.opt[KEY], queue)
            handler.opt[QUEUE] = door
            app.state.direct[b"POST", route.path.encode()] = door.direct
