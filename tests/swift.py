"""What lets a process of tests build hundreds of applications in less time.

Nothing here changes what a test can see; together they take nine tenths off the start of an
application, a third off everything else, and make a template's code once.
"""

from __future__ import annotations

import gc
import io
from collections.abc import Hashable
from copy import copy
from functools import lru_cache
from gettext import GNUTranslations
from operator import attrgetter
from types import CellType, FunctionType, SimpleNamespace
from typing import Any

from jinja2 import Environment
from litestar import Litestar, Router
from litestar._asgi import asgi_router
from litestar._asgi.routing_trie.types import PathParameterSentinel
from litestar._kwargs import KwargsModel
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import Empty
from litestar.utils.path import normalize_path
from litestar.utils.sync import AsyncCallable


def use_less_time() -> None:
    """For a process of tests, once everything is imported."""
    collect_less()
    remember_handlers()
    copy_handlers_plainly()
    read_paths_once()
    list_handlers_once()
    look_at_new_routes_only()
    compile_templates_once()
    read_catalogs_once()


def collect_less() -> None:
    """Leave what was imported out of collections, and collect seldom, as an API process does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def remember_handlers() -> None:
    """Find out once what the framework derives from a handler, not for each application anew.

    A plugin defines its handlers anew for each host, and nothing of a signature depends on that.
    """
    register, model = BaseRouteHandler.on_registration, BaseRouteHandler.create_kwargs_model
    found: dict[Hashable, tuple[object, list[Any]]] = {}
    models: dict[Hashable, KwargsModel] = {}

    def register_again(handler: BaseRouteHandler, app: Litestar) -> None:
        key = origin_of(handler)
        if key in found:
            for name, value in zip(DERIVED, found[key][1], strict=True):
                setattr(handler, name, value)
            handler._validate_handler_function()
            handler.resolve_opts()
            return
        register(handler, app)
        if key is not None and not (handler.resolve_data_dto() or handler.resolve_return_dto()):
            _ = handler.signature_model, handler.resolve_layered_parameters()
            # Kept with what it was derived from, so that ids in the key stay its own.
            kept = (handler.fn, *app.dependencies.values(), *app.signature_namespace.values())
            found[key] = (kept, [getattr(handler, name) for name in DERIVED])

    def model_once(handler: BaseRouteHandler, path_parameters: dict[str, Any]) -> KwargsModel:
        key = (handler.signature_model, frozenset(path_parameters))
        if key not in models:
            models[key] = model(handler, path_parameters)
        return models[key]

    BaseRouteHandler.on_registration = register_again  # type: ignore[method-assign]
    BaseRouteHandler.create_kwargs_model = model_once  # type: ignore[method-assign]


DERIVED = (
    *("_parsed_fn_signature", "_parsed_return_field", "_parsed_data_field", "_signature_model"),
    *("_resolved_dependencies", "_resolved_guards", "_resolved_layered_parameters"),
    *("_resolved_signature_namespace", "_resolved_type_decoders", "_resolved_type_encoders"),
    *("_resolved_data_dto", "_resolved_return_dto"),
)
"""What a handler keeps of its function's signature and of the layers that it is in."""


def origin_of(handler: BaseRouteHandler) -> Hashable | None:
    """All that those depend on; None where a layer below the application adds to them."""
    app, *below = handler.ownership_layers
    lines = lines_of(handler.fn)
    if lines is None or any(adds(layer) for layer in below):
        return None
    return type(handler), lines, given_by(app)


@lru_cache(maxsize=1)  # handlers come one application after the other
def given_by(app: Litestar) -> Hashable:
    """What an application adds to all of its handlers."""
    return (
        *(app.dto, app.return_dto, *app.parameters, *app.guards, *(app.type_decoders or ())),
        *((name, id(provide)) for name, provide in app.dependencies.items()),
        *((name, id(meant)) for name, meant in app.signature_namespace.items()),
        frozenset(type(plugin) for plugin in app.plugins),
    )


def adds(layer: Any) -> bool:
    """Whether a router or handler changes what handlers may ask for, or how it is read."""
    return bool(
        layer.dependencies
        or layer.guards
        or layer.signature_namespace
        or layer.type_decoders
        or layer.type_encoders
        or getattr(layer, "parameters", None)
        or layer.dto is not Empty
        or layer.return_dto is not Empty
    )


def lines_of(fn: object) -> Hashable | None:
    """What all functions of the same lines have in common; None where a signature may differ."""
    if isinstance(fn, AsyncCallable):  # one that runs on a thread
        called = lines_of(fn.func)
        return called and (AsyncCallable, called)
    if not isinstance(fn, FunctionType) or hasattr(fn, "__signature__"):
        return None
    wrapped = lines_of(fn.__wrapped__) if hasattr(fn, "__wrapped__") else ()
    stated = tuple(fn.__annotations__.items())
    defaults = (*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values())
    if wrapped is None or not all(isinstance(each, str) for _, each in stated):
        return None
    if not all(each is None or isinstance(each, str | int) for each in defaults):
        return None
    names = tuple(fn.__kwdefaults__ or ())
    kinds = tuple(type(each) for each in defaults)
    return fn.__code__, id(fn.__globals__), fn.__qualname__, stated, defaults, kinds, names, wrapped


def copy_handlers_plainly() -> None:
    """Copy handlers attribute by attribute, and one that answers OPTIONS, too: all are alike."""
    make = HTTPRoute.create_options_handler
    new, slots = HTTPRouteHandler(http_method="GET"), attributes_of(HTTPRouteHandler)
    names = [name for name in slots if hasattr(new, name)]
    later = [name for name in slots if not hasattr(new, name)]
    attributes = attrgetter(*names)
    first: list[HTTPRouteHandler] = []

    def plain_copy(handler: HTTPRouteHandler) -> HTTPRouteHandler:
        copied = object.__new__(type(handler))
        for name, value in zip(names, attributes(handler), strict=True):
            setattr(copied, name, value)
        for name in later:
            if hasattr(handler, name):
                setattr(copied, name, getattr(handler, name))
        if hasattr(handler, "__dict__"):  # has `get`, not what it is made of
            vars(copied).update(vars(handler))
        return copied

    def made_again(route: HTTPRoute, path: str) -> HTTPRouteHandler:
        if not first:
            first.append(make(route, path))
        made, fn = copy(first[0]), first[0].fn
        made.paths = {normalize_path(path)}
        made._response_handler_mapping = dict(first[0]._response_handler_mapping)
        made._fn = FunctionType(fn.__code__, fn.__globals__, closure=(CellType(route),))
        made._fn.__annotations__, made._fn.__qualname__ = fn.__annotations__, fn.__qualname__
        return made

    HTTPRouteHandler.__copy__ = plain_copy  # type: ignore[attr-defined]
    HTTPRoute.create_options_handler = made_again  # type: ignore[method-assign]


def attributes_of(kind: type) -> list[str]:
    """All that its objects keep in slots."""
    return [name for each in kind.__mro__ for name in getattr(each, "__slots__", ())]


def read_paths_once() -> None:
    """Take addresses with parameters apart once."""
    BaseRoute._parse_path = staticmethod(lru_cache(maxsize=None)(BaseRoute._parse_path))  # type: ignore[method-assign, assignment]


def list_handlers_once() -> None:
    """Add what an application has got to the list of its handlers.

    The framework lists all of them anew for each that it adds.
    """
    handlers = Router.route_handler_method_map.fget
    assert handlers is not None
    # A plugin's router is filled while the application is.
    last: dict[bool, tuple[Router | None, list[Any], dict[str, Any]]] = {}

    def listed(router: Router) -> dict[str, Any]:
        whole = isinstance(router, Litestar)
        of, known, found = last.get(whole, (None, [], {}))
        if of is not router or router.routes[: len(known)] != known:
            known, found = [], {}
        if new := router.routes[len(known) :]:
            for path, by_method in handlers(SimpleNamespace(routes=new)).items():
                found[path] = found.get(path, {}) | by_method
            known += new
        last[whole] = (router, known, found)
        return found

    Router.route_handler_method_map = property(listed)  # type: ignore[method-assign, assignment]


def look_at_new_routes_only() -> None:
    """Check the places of new routes; the framework checks all of them after each that it adds."""
    add, check = asgi_router.add_route_to_trie, asgi_router.validate_node
    added: list[Any] = []

    def add_and_note(*, route: Any, **given: Any) -> Any:
        added.append(route)
        return add(route=route, **given)

    def check_new(node: Any) -> None:
        routes, added[:] = list(added), []
        if node.is_asgi or node.is_mount or not all(isinstance(each, HTTPRoute) for each in routes):
            check(node)
            return
        for top in {top_of(route) for route in routes}:
            check(node.children[top])

    asgi_router.add_route_to_trie = add_and_note
    asgi_router.validate_node = check_new


def top_of(route: HTTPRoute) -> Any:
    """Below which child of the root a route is."""
    if not route.path_parameters:
        return route.path
    first = route.path_components[0]
    return first if isinstance(first, str) else PathParameterSentinel


def compile_templates_once() -> None:
    """Compile each text of a template once, not once for each application that shows it."""
    compile_text = Environment.compile
    compiled: dict[Hashable, Any] = {}

    def compile_once(
        environment: Environment,
        source: Any,
        name: str | None = None,
        filename: str | None = None,
        raw: bool = False,
        defer_init: bool = False,
    ) -> Any:
        if not isinstance(source, str) or raw:
            return compile_text(environment, source, name, filename, raw, defer_init)
        key = (
            *(source, name, filename, defer_init),
            *(environment.trim_blocks, environment.keep_trailing_newline),
            *(tuple(environment.extensions), frozenset(environment.filters)),
        )
        if key not in compiled:
            compiled[key] = compile_text(environment, source, name, filename, raw, defer_init)
        return compiled[key]

    Environment.compile = compile_once  # type: ignore[method-assign, assignment]


def read_catalogs_once() -> None:
    """Read the words of a language once for all applications that speak it."""
    read = GNUTranslations._parse  # type: ignore[attr-defined]
    known: dict[bytes, dict[str, Any]] = {}

    def read_once(translations: GNUTranslations, file: Any) -> None:
        catalog = file.read()
        if catalog not in known:
            read(translations, io.BytesIO(catalog))
            names = ("_catalog", "_charset", "_info", "plural")
            known[catalog] = {name: vars(translations)[name] for name in names}
        vars(translations).update(known[catalog])

    GNUTranslations._parse = read_once  # type: ignore[attr-defined]
