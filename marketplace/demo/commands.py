"""Command line: `marketplace demo`."""

from __future__ import annotations

import asyncio
import sys

import click
import msgspec

from marketplace.demo import gatherings, online
from marketplace.demo.check import run_check
from marketplace.demo.finance import Finance
from marketplace.demo.logins import KEYS, LOGINS, DemoState, write_shell_file
from marketplace.demo.processes import (
    environment,
    free_port,
    mail_dir,
    served,
    term_is_ctrl_c,
    wait_port_free,
)
from marketplace.demo.seed import prepare
from marketplace.demo.terminal import Terminal
from marketplace.runtime import open_runtime
from marketplace.settings import Settings, load


@click.command("demo")
@click.option("--check", is_flag=True, help="Burn one reward, verify, print JSON, stop.")
@click.option("--bank", is_flag=True, help="Write what its bank answers, and stop.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port.  [MARKETPLACE_PORT, 8000]")
def demo_command(check: bool, bank: bool, port: int | None) -> None:
    """Run everything on a demonstration coalition; Ctrl-C stops it and keeps the data."""
    settings = load()
    try:
        with term_is_ctrl_c():
            if bank:
                _say(asyncio.run(_bank_answers(settings)))
                return
            _run(settings, check, port)
    except KeyboardInterrupt:
        _say("Stopped. The data is kept; the next start continues with it.")
        if check:
            sys.exit(130)


def _run(settings: Settings, check: bool, port: int | None) -> None:
    if port is None:
        port = free_port(settings.host) if check else settings.port
    wait_port_free(settings.host, port)
    stripe_port = free_port(online.HOST)
    state = asyncio.run(prepare(settings, _say, stripe_port))
    address = f"http://{settings.host}:{port}"
    _say("Starting the API, the relay, the worker and the schedule ...")
    with (
        online.running(settings, stripe_port) as stripe,
        served(environment(settings, port)) as server,
    ):
        server.wait_ready(address)
        gatherings.attend(address, state)
        if check:
            summary = run_check(settings, address, state)
            click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        else:
            _welcome(settings, address, state, stripe)
            server.wait_forever()


async def _bank_answers(settings: Settings) -> str:
    async with open_runtime(settings) as runtime:
        path = await Finance(runtime, Terminal(runtime)).bank_answers()
    if path is None:
        return "No payment waits for the bank: approve a settlement and send it off first."
    return f"The bank's statement is {path}: import it on the page Bank."


def _say(text: str) -> None:
    """Progress goes to standard error: standard output is for the summary."""
    click.echo(text, err=True)


def _welcome(settings: Settings, address: str, state: DemoState, stripe: online.Double) -> None:
    shell_file = write_shell_file(settings, state, address)
    width = max(len(login.email) for login in LOGINS)
    lines = [
        "",
        f"  The marketplace is running at {address}",
        f"  Every route is described at   {address}/schema",
        "",
        "  People (POST /v1/session):",
        *(
            f"    {login.role.value:<13} {login.email:<{width}}  password {login.password}"
            for login in LOGINS
        ),
        "",
        "  API keys (Authorization: Bearer ...):",
        *(
            line
            for key in KEYS
            for line in (
                f"    {state.keys[key.name]}  {key.label}, member {key.member}",
                f"      {' '.join(scope.value for scope in key.scopes)}",
            )
        ),
        "",
        f"  The phone at a door:          {address}{state.door}",
        f"  Mails to these people:        {'sent' if settings.smtp_url else mail_dir(settings)}",
        f"  {online.LABEL}  ({stripe.address})",
        f"  Shell variables for the examples of README.md:  . {shell_file}",
        "  Ctrl-C stops everything.",
        "",
    ]
    click.echo("\n".join(lines))
