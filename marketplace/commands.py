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
def processes_of(runtime: Runtime) -> Iterator[None]:
    """Commands that are run in this block share the plugin processes of `runtime`."""
    token = _LENT.set(runtime.keeper)
    try:
        yield
    finally:
        _LENT.reset(token)


def run(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run `work` with the runtime of the environment's settings."""

    async def inside() -> T:
        async with open_runtime(load(), keeper=_LENT.get()) as runtime:
            return await work(runtime)

    return asyncio.run(inside())


def actor() -> str:
    """Who is at the command line, for the audit trail."""
    return f"cli:{getpass.getuser()}"
