"""Who may call what: every route, walked by every kind of caller, and the table in the docs."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar, get

from marketplace import app as app_module
from marketplace.errors import UsageError
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.access import Access, access
from marketplace.web.openapi import ANY_METHOD, stated_accesses
from tests.conftest import ROOT, Headers, bearer
from tests.factories import Coalition, make_key, make_session

PAGE = ROOT / "docs" / "access.md"
UPDATE = "MARKETPLACE_UPDATE_DOCS"
INTRODUCTION = f"""# Who may call what

Every route states who may call it; a route that states nothing is refused when the application
starts. A person needs one of the roles, an API key needs the scope; an operator is let in only
where the table says so. Being let in is the first step: what a caller then sees or changes is
limited to its own member, firm or wallet.

Without a valid credential the answer is [`not_authenticated`](errors.md#not_authenticated), with
one that does not fit [`missing_permission`](errors.md#missing_permission).

A test walks every route as every role and with every scope; it also makes this table:
`{UPDATE}=1 make unit ARGS=tests/web/test_access.py`. Routes of plugins are described in the README
of each plugin and walked by the same test.

"""
ABOUT_PAGES = """## Pages

What people see in a browser. Who is not signed in is led to the page where one signs in; errors are
pages too.

"""


def core_routes(app: Litestar, runtime: Runtime) -> list[tuple[str, str, Access]]:
    """(path, method, Access) of the core's own routes, by path."""
    roots = ("/v1/", "/")
    plugins = tuple(f"{root}{slug}/" for root in roots for slug in runtime.plugins.slugs)
    found = [each for each in stated_accesses(app) if not f"{each[0]}/".startswith(plugins)]
    return sorted(found, key=lambda each: each[:2])


def table(routes: list[tuple[str, str, Access]]) -> str:
    """The routes as Markdown tables: those of the API, then those of the pages."""
    api = [each for each in routes if not each[2].page]
    pages = [each for each in routes if each[2].page]
    return f"{rows(api)}\n{ABOUT_PAGES}{rows(pages)}"


def rows(routes: list[tuple[str, str, Access]]) -> str:
    """A Markdown table of some routes."""
    lines = ["| route | persons | key scope |", "|---|---|---|"]
    for path, method, stated in routes:
        shown = "POST" if method == ANY_METHOD else method
        roles = ", ".join(sorted(stated.roles)) or "-"
        if stated.roles == frozenset(Role):
            roles = "every role"
        who = ("everybody", "everybody") if stated.public else (roles, stated.scope or "-")
        lines.append(f"| `{shown} {path}` | {who[0]} | {who[1]} |")
    return "\n".join(lines) + "\n"


def test_the_table_in_the_docs_is_up_to_date(runtime: Runtime) -> None:
    made = INTRODUCTION + table(core_routes(app_module.create_app(runtime), runtime))
    if os.environ.get(UPDATE):
        PAGE.write_text(made)
    assert PAGE.read_text() == made, f"{PAGE} is out of date: run this test with {UPDATE}=1"


class Callers:
    """Makes a fresh credential of each kind: `nobody`, one per role, one per scope."""

    def __init__(self, coalition: Coalition) -> None:
        self._coalition = coalition
        self._keys: dict[Scope, str] = {}

    async def each(self) -> AsyncIterator[tuple[str, Headers, Principal | None]]:
        """(who, headers, a principal with the same role or scope)."""
        yield "nobody", {}, None
        stand_in = {"credential_id": uuid4(), "caller_id": uuid4(), "actor": "test"}
        for role in Role:
            # A fresh session each time: one of the routes signs out.
            headers = bearer(await make_session(self._coalition, role))
            yield role, headers, Principal(roles=frozenset({role}), **stand_in)  # type: ignore[arg-type]
        for scope in Scope:
            if scope not in self._keys:
                self._keys[scope] = await make_key(self._coalition, "alpha", scope)
            principal = Principal(scopes=frozenset({scope}), **stand_in)  # type: ignore[arg-type]
            yield scope, bearer(self._keys[scope]), principal


async def test_every_route_lets_in_exactly_whom_it_states(
    client: httpx.AsyncClient, app: Litestar, coalition: Coalition
) -> None:
    callers = Callers(coalition)
    urls = filled(app)
    walked = 0
    for path, method, stated in stated_accesses(app):
        methods = ("POST",) if method == ANY_METHOD else (method,)
        for verb in methods:
            async for who, headers, principal in callers.each():
                url = urls[path]
                body = {"json": {}} if verb in ("POST", "PUT", "PATCH") else {}
                answer = await client.request(verb, url, headers=headers, **body)  # type: ignore[arg-type]
                client.cookies.clear()
                case = f"{verb} {path} as {who}: {answer.status_code} {answer.text[:200]}"
                assert refusal(answer) == expected(stated, principal), case
                assert answer.status_code < 500, case
                walked += 1
    assert walked > 100


def filled(app: Litestar) -> dict[str, str]:
    """Paths as in OpenAPI, each with something of the right type in place of each parameter."""
    return {
        route.path_format: "/"
        + "/".join(
            each if isinstance(each, str) else "1" if each.type is int else str(uuid4())
            for each in route.path_components
        )
        for route in app.routes
    }


def expected(stated: Access, principal: Principal | None) -> str | None:
    """How the access rules should refuse this caller; None: let in."""
    if stated.public:
        return None
    if principal is None:
        return "not_authenticated"
    return None if stated.permits(principal) else "missing_permission"


def refusal(answer: httpx.Response) -> str | None:
    """How the access rules refused; other errors come from the handler, so the caller was in."""
    if answer.headers.get("location", "").startswith("/sign-in?next="):
        return "not_authenticated"
    if answer.status_code not in (401, 403):
        return None
    code = code_of(answer)
    return code if code in ("not_authenticated", "missing_permission") else None


def code_of(answer: httpx.Response) -> str:
    """The code of an error, said as problem+json or as a page."""
    if answer.headers["content-type"].startswith("text/html"):
        found = re.search(r'data-code="(\w+)"', answer.text)
        return found[1] if found else ""
    return str(answer.json()["code"])


@pytest.mark.parametrize("opt", [{}, access()])
def test_a_route_that_lets_in_nobody_or_anybody_by_mistake_stops_the_start(
    opt: dict[str, object], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    @get("/v1/forgotten", opt=opt)
    async def forgotten() -> None: ...

    monkeypatch.setattr(app_module, "ROUTES", [*app_module.ROUTES, forgotten])
    with pytest.raises(UsageError, match="/v1/forgotten"):
        app_module.create_app(runtime)


def test_permits_needs_the_role_or_the_scope() -> None:
    stated = access(roles=[Role.FINANCE], scope=Scope.BURNS_READ)["access"]
    base = {"credential_id": uuid4(), "caller_id": uuid4(), "actor": "test"}
    assert stated.permits(Principal(roles=frozenset({"finance", "partner"}), **base))
    assert stated.permits(Principal(scopes=frozenset({"burns:read", "stock:write"}), **base))
    assert not stated.permits(Principal(roles=frozenset({"operator"}), is_operator=True, **base))
    assert not stated.permits(Principal(scopes=frozenset({"burns:write"}), **base))
    assert not stated.permits(Principal(**base))
