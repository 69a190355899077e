"""Brings a database to the present schema: core and plugin migrations, the role and its grants."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from marketplace.api import PluginTables
from marketplace.db import Database, open_database
from marketplace.errors import UsageError
from marketplace.models import insert_only_tables
from marketplace.passing import LOCKED, sqlstate
from marketplace.plugins import Plugins
from marketplace.runtime import Runtime
from marketplace.secrets import open_vault
from marketplace.settings import Settings
from marketplace.tables import METADATA

log = logging.getLogger(__name__)

HERE = Path(__file__).parent / "migrations"
OLDEST_POSTGRES = 150000
# Two `db upgrade` at once wait for each other.
UPGRADE_LOCK = 7_219_004_511
LOCK_S = 1.0
"""Longest an upgrade waits for a table that somebody uses: whoever comes after it waits as long."""
PAUSE_S = 5.0
"""In which those go on who waited behind it, before it tries again."""
PATIENCE_S = 600.0
IN_USE = (
    "Somebody has used tables that this upgrade changes for {0:.0f} minutes on end: a backup, a "
    "report, a transaction that was forgotten (pg_stat_activity names it). Nothing was changed; "
    "run the upgrade again when it has ended."
)


class History(msgspec.Struct, frozen=True):
    """The migrations of the core or of one plugin, with a version table of their own.

    Each history is independent: a plugin that is out of force, or gone, stops nobody's upgrade.
    """

    folder: Path
    metadata: sa.MetaData
    version_table: str


def histories(plugin_tables: dict[str, PluginTables]) -> list[History]:
    """The core's history, then each plugin's."""
    return [
        History(HERE / "versions", METADATA, "alembic_version"),
        *(
            History(tables.migrations, tables.metadata, f"{slug}_alembic_version")
            for slug, tables in plugin_tables.items()
        ),
    ]


def alembic_config(connection: Connection, history: History) -> Config:
    """Alembic's configuration for one history."""
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    # One folder, whose name may hold any separator.
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(history.folder).replace("%", "%%"))
    config.attributes.update(connection=connection, history=history)
    return config


def upgrade(connection: Connection, plugin_tables: dict[str, PluginTables], role: str) -> None:
    """Run every migration, then give `role` what it needs and no more. Safe to repeat."""
    version = connection.exec_driver_sql("show server_version_num").scalar_one()
    if int(version) < OLDEST_POSTGRES:
        raise UsageError(f"PostgreSQL 15 or newer is needed; this server is {version}.")
    connection.exec_driver_sql(f"select pg_advisory_xact_lock({UPGRADE_LOCK})")
    connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_S}s'")
    for history in histories(plugin_tables):
        command.upgrade(alembic_config(connection, history), "head")
    _grant(connection, plugin_tables, role)


def _grant(connection: Connection, plugin_tables: dict[str, PluginTables], role: str) -> None:
    quoted = '"' + role.replace('"', '""') + '"'
    exists = connection.execute(
        sa.text("select 1 from pg_roles where rolname = :role"), {"role": role}
    ).first()
    if not exists:
        _create_role(connection, role, quoted)
    run = connection.exec_driver_sql
    run(f"grant usage on schema public to {quoted}")
    for history in histories(plugin_tables):
        fixed = insert_only_tables(history.metadata)
        for table in history.metadata.sorted_tables:
            rights = "select, insert" if table.name in fixed else "select, insert, update, delete"
            run(f'revoke all on "{table.name}" from {quoted}, public')
            run(f'grant {rights} on "{table.name}" to {quoted}')
        run(f'grant select on "{history.version_table}" to {quoted}')
    run(f"grant execute on all functions in schema public to {quoted}")


def _create_role(connection: Connection, role: str, quoted: str) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"create role {quoted} nologin")
            connection.exec_driver_sql(f"grant {quoted} to current_user")
    except sa.exc.DBAPIError as error:
        # Another database of this server may have created it a moment ago.
        again = connection.execute(
            sa.text("select 1 from pg_roles where rolname = :role"), {"role": role}
        ).first()
        if not again:
            raise UsageError(
                f"Role {role} is missing and could not be created ({error.orig}). "
                f"Ask a superuser: CREATE ROLE {quoted} NOLOGIN; GRANT {quoted} TO <your user>;"
            ) from None


def differences(connection: Connection, metadata: sa.MetaData) -> list[Any]:
    """What the tables in the database lack or have besides `metadata` (empty: they agree)."""
    names = {table.name for table in metadata.sorted_tables}
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or name in names,
        },
    )
    return list(compare_metadata(context, metadata))


def is_current(connection: Connection, plugin_tables: dict[str, PluginTables]) -> bool:
    """Whether every migration of the core and of the plugins in force has run."""
    for history in histories(plugin_tables):
        script = ScriptDirectory.from_config(alembic_config(connection, history))
        context = MigrationContext.configure(
            connection, opts={"version_table": history.version_table}
        )
        if set(context.get_current_heads()) != set(script.get_heads()):
            return False
    return True


async def upgrade_all(settings: Settings, *, probed: bool = True) -> None:
    """Bring the database of these settings to the present schema, as its owner.

    While somebody uses a table that must change it is tried again, all or nothing; UsageError after
    PATIENCE_S. `probed` False is for a process that may die of the plugins whose tables are made.
    """
    database, vault = open_database(settings, as_owner=True), open_vault(settings)
    runtime = Runtime(settings, database, vault, probed=probed)
    try:
        tables = plugin_tables(runtime.plugins)
        deadline = time.monotonic() + PATIENCE_S
        while not await _tried(runtime.database, tables, settings.database_role):
            if time.monotonic() > deadline:
                raise UsageError(IN_USE.format(PATIENCE_S / 60))
            log.warning("a table that the upgrade changes is in use; again in %g s", PAUSE_S)
            await asyncio.sleep(PAUSE_S)
    finally:
        await runtime.database.close()


async def _tried(database: Database, tables: dict[str, PluginTables], role: str) -> bool:
    """Upgrade in one transaction; False where a table was in use, and nothing was changed."""
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(upgrade, tables, role)
    except sa.exc.DBAPIError as error:
        if sqlstate(error) != LOCKED:
            raise
        return False
    return True


def plugin_tables(plugins: Plugins) -> dict[str, PluginTables]:
    """Tables of each plugin by slug; UsageError where one claims a name that is not its own."""
    found: dict[str, PluginTables] = {}
    for slug, tables in plugins.call_each("marketplace_register_tables"):
        strange = [name for name in tables.metadata.tables if not name.startswith(f"{slug}_")]
        if strange:
            raise UsageError(f"Plugin {slug} claims table {strange[0]}; its tables begin {slug}_.")
        found[slug] = tables
    return found
