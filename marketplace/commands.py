"""What all command line commands share: a runtime, one transaction, errors without traceback."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import click

from marketplace.containment.keeper import Keeper
from marketplace.errors import MarketplaceError
from marketplace.runtime import Runtime, open_runtime
from marketplace.settings import load

T = TypeVar("T")

_LENT: ContextVar[Keeper | None] = ContextVar("_LENT", default=None)
_ACTOR: ContextVar[str | None] = ContextVar("_ACTOR", default=None)


class Group(click.Group):
    """A group whose commands print a MarketplaceError as one line and exit 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; business errors become one clear line."""
        try:
            return super().invoke(ctx)
        except MarketplaceError as error:
            click.echo(f"error: {error.detail}", err=True)
            sys.exit(2)


@contextmanager
def run_within(runtime: Runtime, who: str | None = None) -> Iterator[None]:
    """Commands that this process runs in the block share the plugin processes of `runtime`, and are
    run by `who` (as in `Principal.actor`) where one is given: whoever calls vouches for that.
    """
    lent, acting = _LENT.set(runtime.keeper), _ACTOR.set(who)
    try:
        yield
    finally:
        _LENT.reset(lent)
        _ACTOR.reset(acting)


def run(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run `work` with the runtime of the environment's settings."""

    async def inside() -> T:
        async with open_runtime(load(), keeper=_LENT.get()) as runtime:
            return await work(runtime)

    return asyncio.run(inside())


def actor() -> str:
    """Who is at the command line, for the audit trail."""
    return _ACTOR.get() or f"cli:{getpass.getuser()}"
