"""Who may call a route: stated on the route, enforced before its handler, checked by a test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from marketplace.errors import NotAllowed, UsageError
from marketplace.identity.domain import Principal, Role, Scope

KEY = "access"
"""The key in a handler's `opt` that holds its Access."""


class MissingPermission(NotAllowed):
    code = "missing_permission"
    title = "Your role or the scope of your key does not cover this"


class Access(msgspec.Struct, frozen=True):
    """Callers a route takes: anybody, persons with one of `roles`, API keys with `scope`."""

    public: bool = False
    roles: frozenset[Role] = frozenset()
    scope: Scope | None = None
    by_handler: bool = False
    """The handler asks `Authenticator.identify` and `require` itself (the burn engine's route)."""
    page: bool = False
    """Shown in a browser: errors are pages, who is not signed in is led to `/sign-in`."""

    def permits(self, principal: Principal) -> bool:
        """Whether this caller may enter."""
        if self.public:
            return True
        if principal.is_key:
            return self.scope is not None and self.scope in principal.scopes
        return not self.roles.isdisjoint(principal.roles)

    def require(self, principal: Principal) -> None:
        """Raise MissingPermission, saying what is needed, unless this caller may enter."""
        if self.permits(principal):
            return
        if principal.is_key:
            needed = f"a key with scope {self.scope}" if self.scope else "a person, not an API key"
        elif self.roles:
            needed = "one of the roles " + ", ".join(sorted(self.roles))
        else:
            needed = f"an API key with scope {self.scope}"
        raise MissingPermission(f"This needs {needed}.")


def access(
    *,
    roles: Iterable[Role] = (),
    scope: Scope | None = None,
    public: bool = False,
    by_handler: bool = False,
    page: bool = False,
) -> dict[str, Any]:
    """State who may call a route: `@get("/x", opt=access(roles=[Role.FINANCE]))`.

    Persons need one of `roles`, API keys need `scope` (None: no key may). The operator role is
    never implied. A `page` is for browsers; on a public one it is known who is signed in.
    """
    stated = Access(
        public=public, roles=frozenset(roles), scope=scope, by_handler=by_handler, page=page
    )
    return {KEY: stated}


def stated_access(opt: dict[str, Any], where: str) -> Access:
    """The Access of a handler; UsageError where it states none, or one nobody could pass."""
    found = opt.get(KEY)
    if not isinstance(found, Access):
        raise UsageError(f"Route {where} does not state who may call it: add opt=access(...).")
    if not (found.public or found.roles or found.scope):
        raise UsageError(f"Route {where} lets nobody in: name roles, a scope or public=True.")
    return found
