"""The API's description: OpenAPI at /schema/openapi.json, a plain page at /schema.

The framework describes ordinary handlers. What it cannot see is added here: who may call what,
the one shape of every error, and raw handlers with a codec of their own (`Extra`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import PathItem
from litestar.routes import ASGIRoute, HTTPRoute

from marketplace import __version__
from marketplace.errors import PROBLEM_MEDIA_TYPE
from marketplace.identity.credentials import COOKIE
from marketplace.web.access import KEY, Access, access

TITLE = "Coalition Rewards Marketplace"
ANY_METHOD = "*"
"""Method of a raw handler, which looks at the method itself."""

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
PROBLEM_SCHEMA: Json = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": TEXT,
        "status": {"type": "integer"},
        "code": TEXT,
        "detail": TEXT,
    },
}
PROBLEM_CONTENT: Json = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


Described = tuple[Mapping[str, PathItem], Mapping[str, Any]]
"""Paths, and the JSON schemas they refer to by name."""
Extra = Callable[[], Described]
"""A room describes a raw handler by a function that returns this."""


def document(app: Litestar, extras: Sequence[Extra]) -> Json:
    """The whole OpenAPI document of an app."""
    schema: Json = msgspec.json.decode(msgspec.json.encode(app.openapi_schema.to_schema()))
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for extra in extras:
        paths, structs = extra()
        schemas.update(structs)
        for path, item in paths.items():
            schema["paths"].setdefault(path, {}).update(item.to_schema())
    schemas["Problem"] = PROBLEM_SCHEMA
    components["responses"] = {
        "Problem": {
            "description": "An error, as RFC 9457 describes; `code` is stable.",
            "content": PROBLEM_CONTENT,
        }
    }
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    for path, method, stated in stated_accesses(app):
        described = schema["paths"].get(path, {})
        for each in described if method == ANY_METHOD else [method.lower()]:
            if each in described:
                _say_who(described[each], stated)
    schema["paths"] = dict(sorted(schema["paths"].items()))
    return schema


def stated_accesses(app: Litestar) -> Iterator[tuple[str, str, Access]]:
    """(path as in OpenAPI, method, Access) of every route, in order of registration."""
    for route in app.routes:
        if isinstance(route, ASGIRoute):
            yield route.path_format, ANY_METHOD, route.route_handler.opt[KEY]
        elif isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    if KEY in handler.opt:
                        yield route.path_format, str(method), handler.opt[KEY]


def _say_who(described: Json, stated: Access) -> None:
    """Add who may call, and replace the framework's errors by the one shape all errors have."""
    for status, response in described["responses"].items():
        if status[0] in "45":
            response["content"] = PROBLEM_CONTENT
    described["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    described["security"] = [] if stated.public else [{"bearer": []}, {"cookie": []}]
    if not stated.public:
        who = [f"role `{role}`" for role in sorted(stated.roles)]
        if stated.scope:
            who.append(f"a key with scope `{stated.scope}`")
        words = described.get("description", "")
        described["description"] = f"{words}\n\nFor: {', '.join(who)}.".strip()


# -- where it is served ----------------------------------------------------------------------------

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#f2f2f2;padding:.1em .3em}dt{margin-top:1rem}dd{margin-left:1.5rem}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class SchemaRouter(Router):
    """The framework's router of its description, without its own HTML page for unknown paths."""

    def register(self, value: Any) -> Any:
        """Add a handler, unless it is the catch-all: unknown paths get problem+json here too."""
        if any("{path:str}" in path for path in getattr(value, "paths", ())):
            return []
        return super().register(value)


class DocumentPlugin(JsonRenderPlugin):
    """Serves `document` as JSON, built once."""

    def __init__(self, extras: Sequence[Extra]) -> None:
        super().__init__(path="/openapi.json", media_type=MediaType.JSON)
        self._extras = extras
        self._body = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        """The document."""
        if not self._body:
            self._body = msgspec.json.encode(document(request.app, self._extras))
        return self._body


def openapi_config(extras: Sequence[Extra]) -> OpenAPIConfig:
    """The framework's configuration: one JSON document under /schema, open to everybody."""
    return OpenAPIConfig(
        title=TITLE,
        version=__version__,
        use_handler_docstrings=True,
        openapi_router=SchemaRouter(
            "/schema", route_handlers=[page], include_in_schema=False, opt=access(public=True)
        ),
        render_plugins=[DocumentPlugin(extras)],
    )


@get("/", include_in_schema=False)
async def page(request: Request[Any, Any, Any]) -> Response[str]:
    """The document as a plain page that loads nothing else, built once: anybody may ask for it."""
    state = request.app.state
    if "openapi_page" not in state:
        state["openapi_page"] = _page(document(request.app, state.openapi_extras))
    policy = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy}
    return Response(state["openapi_page"], media_type=MediaType.HTML, headers=headers)


def _page(described: Json) -> str:
    rows = [
        f"<dt><code>{method.upper()} {escape(path)}</code> {escape(operation.get('summary', ''))}"
        f"</dt><dd>{escape(operation.get('description', ''))}</dd>"
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{TITLE}</title>'
        f"<style>{STYLE}</style><h1>{TITLE} API {__version__}</h1>"
        '<p>Machine readable: <a href="/schema/openapi.json">openapi.json</a>.</p>'
        f"<dl>{''.join(rows)}</dl></html>"
    )
