"""What happens around every handler: identity and access before it, headers after it."""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from marketplace.errors import NotAllowed, NotAuthenticated
from marketplace.identity.authenticator import Authenticator
from marketplace.identity.credentials import refuse_other_sites
from marketplace.identity.domain import Principal
from marketplace.web.access import KEY, Access
from marketplace.web.request_id import HEADER, request_id

PRINCIPAL = "marketplace.principal"
"""Where in the scope the principal is kept for the handler."""

DEFAULT_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (b"cache-control", b"no-store"),
]
"""On every answer that does not state its own."""
DEFAULT_NAMES = frozenset(name for name, _ in DEFAULT_HEADERS)


class AccessMiddleware(ASGIMiddleware):
    """Lets a caller through to the handler only where the handler's Access says so."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Deny unless stated otherwise."""
        method = str(scope.get("method", ""))
        access = scope["route_handler"].opt.get(KEY)
        if method == "OPTIONS":
            # The framework's own answer: which methods there are. It tells nothing else.
            pass
        elif not isinstance(access, Access):
            raise NotAllowed
        elif access.by_handler:
            pass
        elif access.public:
            refuse_other_sites(scope["headers"], method)
            if access.page:
                scope[PRINCIPAL] = await self._known(scope, method)  # type: ignore[literal-required]
        else:
            principal = await self._authenticator.verify(scope["headers"], method)
            # Kept first: the page of a refusal has the menu of who is signed in.
            scope[PRINCIPAL] = principal  # type: ignore[literal-required]
            access.require(principal)
        await next_app(scope, receive, send)

    async def _known(self, scope: Scope, method: str) -> Principal | None:
        """Who looks at a public page; None for strangers and for those whose session has ended."""
        try:
            return await self._authenticator.verify(scope["headers"], method)
        except NotAuthenticated:
            return None


async def add_headers(message: Message, scope: Scope) -> None:
    """Security headers and the request id on every answer, errors included."""
    if message["type"] != "http.response.start":
        return
    headers = list(message["headers"])
    defaults = DEFAULT_HEADERS
    stated = {name for name, _ in headers}
    if not stated.isdisjoint(DEFAULT_NAMES):
        defaults = [header for header in DEFAULT_HEADERS if header[0] not in stated]
    message["headers"] = [*headers, *defaults, (HEADER, request_id(scope).encode())]
