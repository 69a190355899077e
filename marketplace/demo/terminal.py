"""Runs commands of rooms and plugins as somebody at the command line would, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import Any

import click
import msgspec

from marketplace.commands import run_within
from marketplace.errors import MarketplaceError, UsageError
from marketplace.runtime import Runtime


class Said(msgspec.Struct, frozen=True):
    """What a command printed, and its exit status."""

    text: str
    trouble: str
    status: int


class Terminal:
    """Runs one command after the other; they share the plugin processes of the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def run(self, plugin: str, *words: str, who: str | None = None) -> str:
        """What the command prints on standard output; UsageError with what it says if it fails.

        `words` are its name and arguments; `who` runs it, as in `Principal.actor`.
        """
        said = await self.ask(plugin, *words, who=who)
        if said.status:
            raise UsageError(f"{words[0]}: {said.trouble or said.text}".strip())
        return said.text

    async def json(self, plugin: str, *words: str, who: str | None = None) -> Any:
        """The same, with --json, decoded."""
        return msgspec.json.decode(await self.run(plugin, *words, "--json", who=who))

    async def ask(self, plugin: str, *words: str, who: str | None = None) -> Said:
        """What the command prints, and how it ends."""
        return await asyncio.to_thread(self._ask, plugin, words, who)

    def _ask(self, plugin: str, words: tuple[str, ...], who: str | None) -> Said:
        command = self._command(plugin, words[0])
        text, trouble, status = io.StringIO(), io.StringIO(), 0
        with (
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(trouble),
            run_within(self._runtime, who),
        ):
            try:
                command.main(args=list(words[1:]), standalone_mode=False)
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else 1
            except MarketplaceError as error:
                return Said(text.getvalue(), error.detail, 2)
        return Said(text.getvalue(), trouble.getvalue(), status)

    def _command(self, plugin: str, name: str) -> click.Command:
        for slug, commands in self._runtime.plugins.call_each("marketplace_register_commands"):
            for each in commands:
                if slug == plugin and each.command.name == name:
                    found: click.Command = each.command
                    return found
        raise UsageError(f"The demonstration needs the plugin {plugin}, which is not in force.")
