"""What handlers may ask for by name: `runtime`, `session`, `principal`, `page`, `console`.

@get("/v1/things", opt=access(roles=[Role.OPERATOR]))
async def things(
    session: NamedDependency[AsyncSession], principal: NamedDependency[Principal]
) -> Things: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotAuthenticated
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.console import provide_console
from marketplace.web.middleware import PRINCIPAL
from marketplace.web.page import provide_page


def provide_runtime(request: Request[Any, Any, Any]) -> Runtime:
    """The runtime of this process."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """The caller, whom the access middleware has let in; NotAuthenticated on public routes."""
    principal = request.scope.get(PRINCIPAL)
    if not isinstance(principal, Principal):
        raise NotAuthenticated
    return principal


async def provide_session(request: Request[Any, Any, Any]) -> AsyncIterator[AsyncSession]:
    """One transaction for the request: committed before the answer is sent, undone on a raise."""
    async with provide_runtime(request).database.begin() as session:
        yield session


DEPENDENCIES = {
    "runtime": Provide(provide_runtime, sync_to_thread=False),
    "principal": Provide(provide_principal, sync_to_thread=False),
    "session": Provide(provide_session),
    "page": Provide(provide_page, sync_to_thread=False),
    "console": Provide(provide_console),
}
