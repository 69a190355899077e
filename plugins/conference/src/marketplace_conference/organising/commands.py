"""Command line: marketplace conference move | policy."""

from __future__ import annotations

from collections.abc import Callable

import click

from marketplace.api import Host, InvalidRequest
from marketplace_conference import events
from marketplace_conference.door import hours
from marketplace_conference.organising import moves, reading, terms
from marketplace_conference.schemas import MOST_MINUTES, Move
from marketplace_conference.tickets import cancelling, moving, switching

Times = tuple[tuple[str, str, str], ...]
Rooms = tuple[tuple[str, str], ...]


def make_commands(host: Host, actor: Callable[[], str]) -> list[click.Command]:
    """The commands over a host; `actor` says who runs them."""
    return [_move(host, actor), _policy(host, actor)]


def _move(host: Host, actor: Callable[[], str]) -> click.Command:
    @click.command("move")
    @click.argument("event")
    @click.option("--reason", required=True, help="Everybody who has a ticket reads it.")
    @click.option(
        "--refund-until",
        required=True,
        metavar="DAY",
        help="Last day on which tickets that were sold before give all points back.",
    )
    @click.option("--venue", help="Another place.")
    @click.option("--address", help="Its address.")
    @click.option(
        "--session",
        "times",
        nargs=3,
        multiple=True,
        metavar="CODE STARTS ENDS",
        help="Another time, as at the event: day-1 2027-05-04T09:00 2027-05-04T18:00.",
    )
    @click.option(
        "--room", "rooms", nargs=2, multiple=True, metavar="CODE ROOM", help="Another room."
    )
    @click.option("--dry-run", is_flag=True, help="Say whom it would concern; change nothing.")
    def move(
        event: str,
        reason: str,
        refund_until: str,
        venue: str | None,
        address: str | None,
        times: Times,
        rooms: Rooms,
        dry_run: bool,
    ) -> None:
        """Move EVENT to another time or place and tell everybody; shows how far it is.

        Interrupted, the background process goes on with telling.
        """
        typed = {"reason": reason, "refund_until": refund_until}
        typed |= {} if venue is None else {"venue": venue}
        typed |= {} if address is None else {"address": address}
        for code, starts, ends in times:
            typed |= {f"starts-{code}": starts, f"ends-{code}": ends}
        typed |= {f"room-{code}": room for code, room in rooms}
        asked = _asked(host, event, typed, [each[0] for each in (*times, *rooms)])
        if dry_run:
            return
        with host.transaction() as session:
            found = reading.event_of(session, event)
        moving.move(host, found, asked, actor=actor())
        _tell(host, event)

    return move


def _asked(host: Host, slug: str, typed: dict[str, str], codes: list[str]) -> Move:
    """The move, once it is said whom it concerns; InvalidRequest names the options at fault."""
    of = events.read(host, slug, drafts=True)
    unknown = sorted(set(codes) - {each.code for each in of.sessions})
    if unknown:
        raise InvalidRequest(f"There is no session {unknown[0]!r}.")
    with host.transaction() as session:
        asked, problems = moves.read(of, typed, host.now(session))
        if asked is None:
            raise InvalidRequest("; ".join(f"{name}: {why}" for name, why in problems.items()))
        parts = [each.code for each in moves.concerned(of, asked)]
        tickets, orders = reading.good_tickets(session, reading.event_of(session, slug).id, parts)
    click.echo(f"{slug}: {', '.join(parts)}; {tickets} tickets of {orders} orders are concerned")
    return asked


def _tell(host: Host, slug: str) -> None:
    seen_to = -1
    while True:
        cancelling.pay_all(host)
        with host.transaction() as session:
            seen = moving.progress(session, reading.event_of(session, slug))
        click.echo(f"{seen.seen_to} of {seen.tickets} tickets seen to")
        if seen.seen_to in (seen.tickets, seen_to):
            return
        seen_to = seen.seen_to


def _policy(host: Host, actor: Callable[[], str]) -> click.Command:
    @click.command("policy")
    @click.argument("event")
    @click.option(
        "--refund",
        "refunds",
        nargs=2,
        multiple=True,
        metavar="DAYS PERCENT",
        help="So much comes back so many days before; once for each step.",
    )
    @click.option(
        "--changes",
        metavar="DAYS",
        help="Tickets may be changed to another session until so many days before.",
    )
    @click.option(
        "--doors-open",
        metavar="MINUTES",
        help="Doors open so many minutes before each session; for all tickets, at once.",
    )
    def policy(event: str, refunds: Rooms, changes: str | None, doors_open: str | None) -> None:
        """Show or set what comes back for tickets of EVENT that are sold from now on."""
        wanted, problems = terms.read(refunds) if refunds else ({}, {})
        days = None if changes is None else terms.whole(changes, terms.MOST_DAYS)
        if changes is not None and days is None:
            problems["changes"] = terms.NO_DAYS
        minutes = None if doors_open is None else terms.whole(doors_open, MOST_MINUTES)
        if doors_open is not None and minutes is None:
            problems["doors-open"] = terms.NO_MINUTES
        if problems:
            raise InvalidRequest("; ".join(f"{name}: {why}" for name, why in problems.items()))
        with host.transaction() as session:
            found = reading.event_of(session, event)
            if wanted:
                cancelling.set_policy(host, session, found, wanted, actor=actor())
            if days is not None:
                switching.set_policy(host, session, found, days, actor=actor())
            if minutes is not None:
                hours.set_opening(host, session, found, minutes, actor=actor())
        _show_policy(host, event)

    return policy


def _show_policy(host: Host, slug: str) -> None:
    with host.transaction() as session:
        event, now = reading.event_of(session, slug), host.now(session)
        promised = reading.promised(session, event.id, now)
        changeable = reading.changeable(session, event.id, now)
    for each in promised:
        click.echo(f"{each.percent} % comes back until {each.days_before} days before")
    if not promised:
        click.echo("nothing comes back")
    until = "never" if changeable is None else f"until {changeable} days before"
    click.echo(f"tickets are changed to another session {until}")
    click.echo(f"doors open {event.doors_open_minutes} minutes before each session")
