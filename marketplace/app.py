"""The HTTP application: every room's routes, one identity, one kind of error.

A room joins by adding its `routes`, `lifespan`, `openapi_extras` or `nav` to the lists below; a
plugin by the hooks `marketplace_register_routes` and `marketplace_register_pages`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from marketplace import api
from marketplace.coalition import pages as firm_pages
from marketplace.console import pages as console_pages
from marketplace.containment.crowd_forms import open_crowds
from marketplace.containment.routes import PluginRoutes, contain
from marketplace.db import open_database
from marketplace.exchange import (
    burn_endpoint,
    gift_pages,
    offer_pages,
    order_pages,
    order_refund_pages,
    reward_pages,
)
from marketplace.exchange import pages as burn_pages
from marketplace.exchange import routes as exchange
from marketplace.exchange.beforehand import Beforehand
from marketplace.exchange.reward_notes import RewardNotes
from marketplace.fulfilment import dead_pages
from marketplace.fulfilment import routes as fulfilment
from marketplace.identity import housekeeping, key_pages, me_pages
from marketplace.identity import pages as sign_in_pages
from marketplace.identity import routes as identity
from marketplace.identity.authenticator import Authenticator
from marketplace.issuing import file_pages as issue_file_pages
from marketplace.issuing import pages as issue_pages
from marketplace.ledger import pages as wallet_pages
from marketplace.ledger import period_routes
from marketplace.ledger import routes as ledger
from marketplace.ledger import wallet_routes as wallets
from marketplace.metrics import routes as metrics
from marketplace.notices import channel_pages
from marketplace.notices import pages as notice_pages
from marketplace.notices import routes as notices
from marketplace.plugins import BESIDE_THE_CORE
from marketplace.registry import change_pages as plugin_change_pages
from marketplace.registry import pages as registry_pages
from marketplace.registry import routes as registry
from marketplace.runtime import Runtime
from marketplace.secrets import open_vault
from marketplace.settings import load
from marketplace.web import health, pages, static_routes
from marketplace.web.access import stated_access
from marketplace.web.assets import load_assets
from marketplace.web.context import DEPENDENCIES
from marketplace.web.error_pages import recognise_reader
from marketplace.web.i18n import load_languages
from marketplace.web.middleware import AccessMiddleware, add_headers
from marketplace.web.nav import NavEntry
from marketplace.web.openapi import Extra, openapi_config
from marketplace.web.page import Site
from marketplace.web.problems import HANDLERS
from marketplace.web.templates import make_environment
from marketplace.webhooks import pages as webhook_pages
from marketplace.webhooks import routes as webhooks

MAX_BODY_BYTES = 1_048_576
"""Larger requests are refused with 413; a handler may raise it with `request_max_body_size`."""

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

ROUTES: list[ControllerRouterHandler] = [
    *health.routes,
    *static_routes.routes,
    *pages.routes,
    *identity.routes,
    *sign_in_pages.routes,
    *me_pages.routes,
    *firm_pages.routes,
    *ledger.routes,
    *period_routes.routes,
    *wallets.routes,
    *wallet_pages.routes,
    *exchange.routes,
    *burn_pages.routes,
    *reward_pages.routes,
    *gift_pages.routes,
    *fulfilment.routes,
    *metrics.routes,
    *registry.routes,
    *notices.routes,
    *notice_pages.routes,
    *channel_pages.routes,
    *webhooks.routes,
    *webhook_pages.routes,
    *console_pages.routes,
    *offer_pages.routes,
    *registry_pages.routes,
    *plugin_change_pages.routes,
    *dead_pages.routes,
    *order_pages.routes,
    *order_refund_pages.routes,
    *key_pages.routes,
    *issue_pages.routes,
    *issue_file_pages.routes,
]
LIFESPANS: list[Lifespan] = [
    housekeeping.lifespan,
    metrics.lifespan,
    exchange.burn_engine_lifespan,
]
OPENAPI_EXTRAS: list[Extra] = [burn_endpoint.openapi_paths]
NAV: list[NavEntry] = [
    *firm_pages.nav,
    *notice_pages.nav,
    *me_pages.nav,
    *wallet_pages.nav,
    *reward_pages.nav,
    *console_pages.nav,
    *webhook_pages.nav,
    *offer_pages.nav,
    *order_pages.nav,
    *issue_pages.nav,
    *key_pages.nav,
    *registry_pages.nav,
]
"""Links in the header that the core's rooms add."""


def create_app(runtime: Runtime, *, around: Sequence[Lifespan] = ()) -> Litestar:
    """The application over a runtime. UsageError where a route does not state who may call it.

    `around` are lifespans outside those of the rooms. `app.state` holds `runtime`, `authenticator`,
    `site` (what all pages share) and `direct`, where lifespans of rooms add what is answered on the
    connection (`marketplace.web.direct`).
    """
    # Plugins register at start, not while somebody waits for a page.
    _ = runtime.faces, runtime.notifiers
    load_assets()  # says at once where something that pages need is missing
    routers = plugin_routers(runtime)
    joined = plugin_pages(runtime)
    try:
        app = _join(runtime, routers, joined, around)
    except Exception:  # one by one, only now: a start with plugins that fit is a quarter shorter
        _disable_misfits(runtime, routers, "routes")
        _disable_misfits(runtime, {slug: each.router for slug, each in joined.items()}, "pages")
        app = _join(runtime, routers, joined, around)
    for slug, own in runtime.plugin_routes.items():
        paths = (f"/v1/{slug}/", f"/{slug}/")
        contain(app, own, paths)
        open_crowds(app, own, paths)
    return app


def _join(
    runtime: Runtime,
    routers: Mapping[str, Router],
    joined: Mapping[str, JoinedPages],
    around: Sequence[Lifespan],
) -> Litestar:
    """The core with all plugins. Of one whose routes or pages do not fit, nothing is served."""
    out = runtime.plugins.disabled
    pages = {slug: each for slug, each in joined.items() if slug not in out}
    fitting = [each for slug, each in routers.items() if slug not in out]
    fitting += [each.router for each in pages.values()]
    app = _build(runtime, [*ROUTES, *fitting], around, _site(runtime, pages))
    check_access(app)
    return app


def _disable_misfits(runtime: Runtime, routers: Mapping[str, Router], what: str) -> None:
    """Disable the plugins whose own routers are no application by themselves."""
    for slug, router in routers.items():
        try:
            check_access(_build(runtime, [router]))
        except Exception as error:
            runtime.plugins.disable(slug, f"its {what} do not fit: {error}")


def _build(
    runtime: Runtime,
    route_handlers: Sequence[ControllerRouterHandler],
    around: Sequence[Lifespan] = (),
    site: Site | None = None,
) -> Litestar:
    authenticator = Authenticator(runtime.database)
    return Litestar(
        route_handlers,
        dependencies=DEPENDENCIES,
        middleware=[AccessMiddleware(authenticator)],
        exception_handlers=HANDLERS,
        before_send=[add_headers],
        after_exception=[recognise_reader],
        lifespan=[*around, *LIFESPANS],
        openapi_config=openapi_config(OPENAPI_EXTRAS),
        request_max_body_size=MAX_BODY_BYTES,
        state=State(
            {
                "runtime": runtime,
                "authenticator": authenticator,
                "openapi_extras": OPENAPI_EXTRAS,
                "site": site,
                "direct": {},
            }
        ),
        logging_config=None,
        debug=False,
    )


def check_access(app: Litestar) -> None:
    """Raise UsageError for a route without a stated Access, so that none is open by mistake."""
    for route in app.routes:
        handlers: list[Any] = getattr(route, "route_handlers", None) or [route.route_handler]  # type: ignore[union-attr]
        for handler in handlers:
            if getattr(handler, "http_methods", None) != {"OPTIONS"}:
                stated_access(handler.opt, f"{route.path} ({handler.handler_name})")


def plugin_routers(runtime: Runtime) -> dict[str, Router]:
    """Each plugin's routes under `/v1/<slug>`; a plugin that returns no routes is disabled."""
    taken = {path.split("/")[2] for path in _core_paths() if path.startswith("/v1/")}
    routers = {}
    for slug, handlers in list(runtime.plugins.call_each("marketplace_register_routes")):
        try:
            if slug in taken:
                raise ValueError(f"/v1/{slug} is the core's")
            router = _router(runtime, f"/v1/{slug}", slug, handlers)
        except Exception as error:
            runtime.plugins.disable(slug, f"its routes do not fit: {error}")
        else:
            routers[slug] = router
    return routers


class _Address(Router):
    """A plugin's handlers under its own address.

    The framework copies a router that it registers with everything its handlers refer to, which
    takes a quarter of an application's start. Nobody else's yet, it needs no copy; built again from
    the same handlers it is as new.
    """

    def __init__(
        self, path: str, handlers: Sequence[ControllerRouterHandler], limits: Sequence[PluginRoutes]
    ) -> None:
        self._made_of = (path, handlers, limits)
        super().__init__(path, route_handlers=handlers, middleware=limits)

    def __deepcopy__(self, memo: object) -> _Address:
        return self if self.owner is None else _Address(*self._made_of)


def _router(runtime: Runtime, path: str, slug: str, handlers: api.Routes) -> Router:
    """A plugin's handlers under a path; ValueError where two answer the same.

    The framework would take the later of two and never say so.
    """
    router = _Address(path, list(handlers), _limits(runtime, slug))
    answered: set[tuple[str, str]] = set()
    for each in handlers:
        if isinstance(each, HTTPRouteHandler):
            for place in itertools.product(each.paths, each.http_methods - {"OPTIONS"}):
                if place in answered:
                    raise ValueError(f"two handlers answer {place[1]} {place[0]}")
                answered.add(place)
    return router


def _limits(runtime: Runtime, slug: str) -> list[PluginRoutes]:
    """What an installed plugin's handlers may take of this process; our own rooms are trusted."""
    if slug in BESIDE_THE_CORE:
        return []
    own = runtime.plugin_routes
    return [own.setdefault(slug, PluginRoutes(slug, runtime.tally.note_trouble))]


class JoinedPages(msgspec.Struct, frozen=True):
    """A plugin's pages, found to fit."""

    pages: api.Pages
    router: Router


def plugin_pages(runtime: Runtime) -> dict[str, JoinedPages]:
    """Each plugin's pages under `/<slug>`; a plugin that returns no pages is disabled."""
    taken = {path.split("/")[1] for path in _core_paths()} | {"v1", "schema"}
    joined = {}
    for slug, found in list(runtime.plugins.call_each("marketplace_register_pages")):
        try:
            if slug in taken:
                raise ValueError(f"/{slug} is the core's")
            _check_pages(slug, found)
            router = _router(runtime, f"/{slug}", slug, found.routes)
        except Exception as error:
            runtime.plugins.disable(slug, f"its pages do not fit: {error}")
        else:
            joined[slug] = JoinedPages(found, router)
    return joined


def _check_pages(slug: str, pages: api.Pages) -> None:
    """ValueError where something named is not there, or not below the plugin's own address."""
    for entry in [*pages.nav, *(each for each in (pages.reward, pages.expiring) if each)]:
        below = f"/{slug}/partner" if entry.console else f"/{slug}"
        if not f"{entry.path}/".startswith(f"{below}/"):
            raise ValueError(f"{entry.path} in its navigation is not below {below}")
    folders = [pages.translations, pages.templates and pages.templates / slug]
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"{folder} is no folder")


def _site(runtime: Runtime, joined: Mapping[str, JoinedPages]) -> Site:
    """What all pages share: templates and words of everybody whose pages fit."""
    pages = {slug: each.pages for slug, each in joined.items()}
    templates = {slug: each.templates / slug for slug, each in pages.items() if each.templates}
    folders = [each.translations for each in pages.values() if each.translations]
    environment = make_environment(templates)
    environment.globals["reward_pages"] = {
        slug: each.reward for slug, each in pages.items() if each.reward
    }
    environment.globals["expiring_pages"] = [
        each.expiring for each in pages.values() if each.expiring
    ]
    return Site(
        environment=environment,
        languages=load_languages(folders),
        nav=[*NAV, *(entry for each in pages.values() for entry in each.nav)],
        vault=runtime.vault,
        secure_cookies=runtime.settings.secure_cookies,
        reward_notes=RewardNotes(
            {slug: each.reward_note for slug, each in pages.items() if each.reward_note}
        ),
        before_burn=Beforehand(
            {slug: each.before_burn for slug, each in pages.items() if each.before_burn}
        ),
    )


def own_addresses() -> set[str]:
    """First parts of the core's addresses, which no plugin may have for its slug."""
    paths = [path.strip("/").split("/") for path in _core_paths()]
    return {part for parts in paths for part in parts[: 2 if parts[0] == "v1" else 1]}


def _core_paths() -> list[str]:
    return [path for handler in ROUTES for path in getattr(handler, "paths", ())]


@asynccontextmanager
async def _close_database(app: Litestar) -> AsyncIterator[None]:
    """Outermost, so that everything else stops while the database is still there."""
    try:
        yield
    finally:
        await app.state.runtime.database.close()


def asgi() -> Litestar:
    """Application factory of the environment's settings, for `uvicorn --factory`."""
    settings = load()
    runtime = Runtime(settings, open_database(settings, serving=True), open_vault(settings))
    return create_app(runtime, around=[_close_database])
