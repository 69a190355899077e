"""Command line: `marketplace plugins install | list | show | configure | enable | ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from marketplace.certify.commands import plugins_group
from marketplace.commands import actor, run
from marketplace.errors import UsageError
from marketplace.registry import activation, asking, installing, repository, service, telling
from marketplace.registry.installer import install, uninstall
from marketplace.registry.schemas import Checkup, PluginDetails, PluginView, TryResult
from marketplace.registry.trying import try_order, try_settings
from marketplace.registry.views import list_plugins, show
from marketplace.runtime import Runtime
from marketplace.settings import load

__all__ = ["plugins_group"]

MEMBER = click.option("--member", required=True, help="Slug of the member.")
MAYBE_MEMBER = click.option("--member", help="Slug of the member; without it, for everybody.")


@plugins_group.command("install")
@click.argument("source", metavar="PATH_OR_NAME")
@click.option("--dry-run", is_flag=True, help="Check everything and install nothing.")
def install_command(source: str, dry_run: bool) -> None:
    """Install a plugin from a folder, a wheel, or by name from the allowed index.

    No other package is installed or changed. The plugin is not active until it is activated.
    """
    with installing.fetched(source, load()) as candidate:
        named = f"{candidate.distribution} {candidate.version} (plugin {candidate.slug})"
        if dry_run:
            click.echo(f"{named} can be installed. SHA-256 {candidate.sha256}")
            return
        run(lambda runtime: install(runtime, candidate, source=source, actor=actor()))
    click.echo(f"Installed {named}. SHA-256 {candidate.sha256}")
    click.echo("Processes that run already do not know it: restart them. Next:\n")
    click.echo("    marketplace db upgrade")
    click.echo(f"    marketplace plugins check {candidate.slug}")
    click.echo(f"    marketplace plugins activate {candidate.slug}")
    click.echo(f"    marketplace plugins enable {candidate.slug} --member MEMBER")


@plugins_group.command("uninstall")
@click.argument("slug")
@click.option("--force", is_flag=True, help="Although orders wait for it: they go on waiting.")
def uninstall_command(slug: str, force: bool) -> None:
    """Close a plugin's offers and uninstall it. Its tables and settings stay."""
    name = run(lambda runtime: uninstall(runtime, slug, actor=actor(), force=force))
    click.echo(f"Uninstalled {name}. Restart the processes that run.")


@plugins_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """Show every plugin, whether it is active, and for whom it is enabled."""

    async def work(runtime: Runtime) -> list[PluginView]:
        async with runtime.database.begin() as session:
            return await list_plugins(session, runtime)

    found = run(work)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for line in telling.plugin_table(found):
        click.echo(line)


@plugins_group.command("show")
@click.argument("slug")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_command(slug: str, as_json: bool) -> None:
    """Show all about a plugin: version, activation, settings (no secrets), members, closures."""

    async def work(runtime: Runtime) -> PluginDetails:
        async with runtime.database.begin() as session:
            return await show(session, runtime, slug)

    found = run(work)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for line in telling.details(found):
        click.echo(line)


@plugins_group.command("configure")
@click.argument("slug")
@click.option("--member", help="Slug of the member whose settings they are; else the house's.")
@click.option("--sandbox", is_flag=True, help="The member's settings for trial orders.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Set one; repeat.")
@click.option(
    "--from-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Take a JSON object of values from this file, or - for standard input.",
)
def configure_command(
    slug: str, member: str | None, sandbox: bool, pairs: Sequence[str], from_file: Path | None
) -> None:
    """Give a plugin its settings; asks for each unless some are given.

    What is not given keeps its value; NAME= goes back to the default. Secrets are better typed or
    read from a file than given by --set, which others on this machine may see.
    """

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            whose = await repository.member_id(session, member) if member else None
            struct = service.struct_of(runtime, slug, member=whose is not None)
            stored = (await repository.settings_of(session, slug)).get((whose, sandbox))
        given = asking.given(pairs, from_file)
        if given is None:
            given = asking.ask(struct, stored)
        async with runtime.database.begin() as session:
            await service.configure(
                session, runtime, slug, given, actor=actor(), member_id=whose, sandbox=sandbox
            )

    run(work)
    words = f" --member {member}" if member else ""
    click.echo(f"The settings of {slug}{f' for {member}' if member else ''} are stored. Next:\n")
    click.echo(f"    marketplace plugins test {slug}{words}{' --sandbox' if sandbox else ''}")


@plugins_group.command("test")
@click.argument("slug")
@MAYBE_MEMBER
@click.option("--sandbox", is_flag=True, help="Try the settings for trial orders.")
def test_command(slug: str, member: str | None, sandbox: bool) -> None:
    """Ask a plugin whether its settings work. Exit status 1 where they do not."""

    async def work(runtime: Runtime) -> Checkup:
        async with runtime.database.begin() as session:
            whose = await repository.member_id(session, member) if member else None
        return await try_settings(runtime, slug, member_id=whose, sandbox=sandbox)

    found = run(work)
    click.echo(f"{slug}: {'ok' if found.ok else 'FAILED'}: {found.message}")
    sys.exit(0 if found.ok else 1)


@plugins_group.command("enable")
@click.argument("slug")
@MAYBE_MEMBER
@click.option("--force", is_flag=True, help="Although its test fails; needs --reason.")
@click.option("--reason", default="", help="Why; goes into the audit trail.")
def enable_command(slug: str, member: str | None, force: bool, reason: str) -> None:
    """Enable a plugin for a member, after its test; or undo `disable` for everybody."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            if member is None:
                await service.start(session, slug, actor=actor())
                return
            whose = await repository.member_id(session, member)
        tested = await try_settings(runtime, slug, member_id=whose)
        async with runtime.database.begin() as session:
            await service.enable(
                session,
                runtime,
                slug,
                whose,
                actor=actor(),
                tested=tested,
                force=force,
                reason=reason,
            )

    run(work)
    click.echo(f"{slug} is enabled{f' for {member}' if member else ' again'}.")
    for line in _closures(slug):
        click.echo(line)


@plugins_group.command("disable")
@click.argument("slug")
@MAYBE_MEMBER
@click.option("--reason", default="", help="What people are told.")
def disable_command(slug: str, member: str | None, reason: str) -> None:
    """Close a plugin's offers, of one member or of all; for all, its orders wait too."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            if member is None:
                await service.stop(session, slug, actor=actor(), reason=reason)
                return
            whose = await repository.member_id(session, member)
            await service.disable(session, slug, whose, actor=actor(), reason=reason)

    run(work)
    click.echo(f"{slug} is disabled{f' for {member}' if member else ''}.")


@plugins_group.command("activate")
@click.argument("slug")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The signed report.  [the one that the check of this version left]",
)
@click.option("--reason", help="Activate it without a report, for this reason.")
def activate_command(slug: str, report: Path | None, reason: str | None) -> None:
    """Let a plugin, exactly as it is installed now, deliver: on a signed report that it passed."""
    if report is not None and reason:
        raise UsageError("Give a report, or a reason to do without; not both.")
    content = report.read_bytes() if report else None

    async def work(runtime: Runtime) -> str:
        async with runtime.database.begin() as session:
            done = await activation.activate(
                session,
                runtime.settings,
                slug,
                actor=actor(),
                report=content,
                reason=reason,
            )
        return done.version

    version = run(work)
    how = ", without a report" if reason else ""
    click.echo(f"{slug} {version} is active{how}.")
    for line in _closures(slug):
        click.echo(line)


@plugins_group.command("sandbox")
@click.argument("slug")
@MEMBER
@click.argument("switch", type=click.Choice(["on", "off"]))
def sandbox_command(slug: str, member: str, switch: str) -> None:
    """While on, only trial orders reach the plugin for this member; its offers are closed."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            whose = await repository.member_id(session, member)
            await service.set_sandbox(session, slug, whose, on=switch == "on", actor=actor())

    run(work)
    click.echo(f"The sandbox of {slug} for {member} is {switch}.")


@plugins_group.command("try")
@click.argument("slug")
@MEMBER
@click.option("--sku", required=True, help="What to order.")
@click.option("--quantity", type=click.IntRange(1, 100), default=1, show_default=True)
def try_command(slug: str, member: str, sku: str, quantity: int) -> None:
    """Send a trial order and show what it delivers; no points move. Exit status 1 if it fails."""

    async def work(runtime: Runtime) -> TryResult:
        async with runtime.database.begin() as session:
            whose = await repository.member_id(session, member)
        return await try_order(
            runtime, slug, member_id=whose, sku=sku, quantity=quantity, actor=actor()
        )

    found = run(work)
    for line in telling.tried(found):
        click.echo(line)
    sys.exit(0 if found.outcome in ("fulfilled", "pending") else 1)


def _closures(slug: str) -> list[str]:
    """What still keeps a plugin's offers closed."""

    async def work(runtime: Runtime) -> PluginDetails:
        async with runtime.database.begin() as session:
            return await show(session, runtime, slug)

    return telling.closures(run(work))
