"""Command line: marketplace conference events | put | plan-import | publish | allot | ..."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import click

from marketplace.api import Command, Host
from marketplace_conference import documents, events, plan, waiting
from marketplace_conference.door import commands as door_commands
from marketplace_conference.errors import UnknownEvent
from marketplace_conference.organising import commands as own_commands
from marketplace_conference.organising import publishing
from marketplace_conference.schemas import NewAllotment
from marketplace_conference.tickets import cancelling, repository

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])


def actor() -> str:
    """Who is at the command line, for the audit trail."""
    return f"cli:{getpass.getuser()}"


def make_commands(host: Host) -> list[Command]:
    """The commands over a host."""
    made = [
        *_event_commands(host),
        *_place_commands(host),
        *own_commands.make_commands(host, actor),
        *door_commands.make_commands(host, actor),
    ]
    return [Command(group=host.slug, command=each) for each in made]


def _event_commands(host: Host) -> list[click.Command]:
    @click.command("events")
    def show() -> None:
        """List the published events that are not over, and how each category stands."""
        for each in events.listed(host):
            click.echo(f"{each.slug}  {each.name}  {each.starts_at:%Y-%m-%d %H:%M} {each.venue}")
            for of in (of for part in each.sessions for of in part.categories):
                click.echo(
                    f"  {of.sku:<32}{of.places:>6} places: {of.sold} sold, {of.held} held, "
                    f"{of.allotted} allotted, {of.waiting} waited for, {of.free} free"
                )

    @click.command("put")
    @click.argument("file", type=FILE)
    def put(file: Path) -> None:
        """Make the event of FILE (JSON), with its sessions, quotas, categories, or update it."""
        made = events.put(host, documents.read(file.read_bytes()), None, actor=actor())
        click.echo(f"{made.slug}: {made.status}")

    @click.command("publish")
    @click.argument("event")
    def publish(event: str) -> None:
        """Show EVENT to everybody and sell its places; what has a price gets an offer."""
        for reference in publishing.publish(host, event, None, actor=actor()):
            click.echo(f"on sale: {reference}")
        click.echo(f"{event}: published")

    @click.command("withdraw")
    @click.argument("event")
    def withdraw(event: str) -> None:
        """Hide EVENT again; what is sold stays sold."""
        publishing.withdraw(host, event, None, actor=actor())
        click.echo(f"{event}: draft")

    @click.command("call-off")
    @click.argument("event")
    @click.option("--reason", required=True, help="Who gets points back reads it.")
    def call_off(event: str, reason: str) -> None:
        """Sell nothing more of EVENT and give all points back; shows how far it is.

        Interrupted, the background process goes on with it.
        """
        with host.transaction() as session:
            found = repository.event_named(session, event)
        if found is None:
            raise UnknownEvent(f"There is no event {event!r}.")
        cancelling.call_off(host, found, reason, actor=actor())
        left = -1
        while left:
            cancelling.pay_all(host)
            with host.transaction() as session:
                seen = cancelling.progress(session, found)
            click.echo(f"{seen.cancelled} of {seen.tickets} tickets, {seen.owed} refunds to pay")
            if seen.owed == left:
                click.echo("The rest is paid by the background process, once it can be.")
                return
            left = seen.owed

    return [
        show,
        put,
        publish,
        withdraw,
        call_off,
    ]


def _place_commands(host: Host) -> list[click.Command]:
    @click.command("plan-import")
    @click.argument("event")
    @click.argument("session")
    @click.argument("file", type=FILE)
    def plan_import(event: str, session: str, file: Path) -> None:
        """Add the numbered seats of FILE (CSV or JSON) to a SESSION of EVENT, all or none."""
        text = file.read_text(encoding="utf-8")
        made = plan.import_plan(host, event, session, text, None, actor=actor())
        click.echo(f"{event}/{session}: {made} new seats")

    @click.command("allot")
    @click.argument("sku")
    @click.argument("firm")
    @click.argument("size", type=click.IntRange(0, 1_000_000))
    @click.option("--until", type=DAY, required=True, help="Then they are everybody's (UTC).")
    def allot(sku: str, firm: str, size: int, until: datetime) -> None:
        """Keep SIZE places of SKU for the people of FIRM (its reference); 0 keeps none."""
        try:
            new = NewAllotment(sku=sku, firm=firm, size=size, releases_at=until.replace(tzinfo=UTC))
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="--until") from None
        events.allot(host, new, None, actor=actor())
        click.echo(f"{sku}: {size} places for {firm}")

    @click.command("serve")
    def serve() -> None:
        """Offer what is free to those who wait for it, now instead of within half a minute."""
        click.echo(f"{waiting.serve_all(host)} offered")

    return [plan_import, allot, serve]
