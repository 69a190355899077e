"""Command line: marketplace pretix sync | cancelled | ticket | webhook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from marketplace import api
from marketplace_pretix import printing, repository, sweeping, syncing
from marketplace_pretix.client import Refused
from marketplace_pretix.servers import settings_of
from marketplace_pretix.words import NOTICED, TROUBLES


def make_commands(host: api.Host) -> Sequence[api.Command]:
    """Commands of the group `pretix`."""

    @click.command("sync")
    @click.option("--member", required=True, metavar="SLUG", help="Whose pretix is asked.")
    @click.option("--event", metavar="SLUG", help="Only this event.")
    @click.option(
        "--csv",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write offers for what has none, as `marketplace import offers` takes them.",
    )
    @click.option(
        "--points", type=click.IntRange(min=1), help="Points for one unit of currency, in the file."
    )
    def sync(member: str, event: str | None, file: Path | None, points: int | None) -> None:
        """Compare the products of a member's pretix with its offers; changes no offer."""
        if file is not None and points is None:
            raise api.InvalidRequest("Say with --points what one unit of currency is in points.")
        compared = _compared(host, member, event)
        for line in _lines(compared):
            click.echo(line)
        if file is not None and points is not None:
            file.write_text(syncing.offers_file(compared, member, points), encoding="utf-8")
            click.echo(f"written: {file}")

    @click.command("cancelled")
    @click.option("--sweep", is_flag=True, help="Look through every server first.")
    @click.option(
        "--csv",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the burns, as `marketplace burns refund --file` takes them.",
    )
    def cancelled(sweep: bool, file: Path | None) -> None:
        """List orders that organizers cancelled and whose points are not given back yet."""
        if sweep:
            sweeping.run(host, now=True)
        with host.transaction() as session:
            open_ones = repository.not_given_back(session)
            stuck = repository.stuck(session)
            changed = repository.noticed(session)
            taken_out = repository.taken_out(session)
        for row in open_ones:
            click.echo(
                f"{row.reference}  {row.event}/{row.code}  {row.cancelled_at:%Y-%m-%d %H:%M}"
            )
        for row in taken_out:
            what = f"TAKEN OUT: {row.gone} of {row.quantity}, points go back by themselves"
            click.echo(f"{row.reference}  {row.event}/{row.code}  {what}")
        for row in stuck:
            click.echo(f"{row.reference}  {row.event}/{row.code}  to cancel: {row.cancel_trouble}")
        for row in changed:
            what = NOTICED[row.noticed].message
            click.echo(f"{row.reference}  {row.event}/{row.code}  CHANGED: {what}")
        click.echo(f"to give back: {len(open_ones)}, to cancel at pretix: {len(stuck)}")
        if file is not None:
            text = "\n".join(["burn", *(row.reference for row in open_ones), ""])
            file.write_text(text, encoding="utf-8")

    @click.command("ticket")
    @click.argument("reference")
    @click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
    def ticket(reference: str, file: Path) -> None:
        """Fetch the tickets of a burn from pretix as a PDF, for somebody who has lost them."""
        content = printing.fetch(host, reference)
        with host.transaction() as session:
            host.audit(session, actor="cli", action="ticket_fetched", subject=reference)
        file.write_bytes(content)

    @click.command("webhook")
    @click.option("--member", required=True, metavar="SLUG")
    def webhook(member: str) -> None:
        """Print the path, below the marketplace's address, that a member's pretix is to call."""
        with host.transaction() as session:
            member_id = host.member_id(session, member)
        settings = settings_of(host, member_id)
        if settings is None or settings.webhook_key is None:
            raise api.NotConfigured("The member has given no webhook key.")
        click.echo(f"/v1/pretix/notices/{member}/{settings.webhook_key}")

    made = (sync, cancelled, ticket, webhook)
    return [api.Command(group="pretix", command=each) for each in made]


def _compared(host: api.Host, member: str, event: str | None) -> syncing.Compared:
    with host.transaction() as session:
        member_id = host.member_id(session, member)
    try:
        return syncing.compare(host, member_id, event)
    except Refused as error:
        raise api.Conflict(f"{error}.") from None


def _lines(compared: syncing.Compared) -> list[str]:
    lines = []
    for each in compared.found:
        price = f"{each.price_micros / syncing.MICROS:.2f} {each.currency}"
        words = ", ".join(each.offers) or "NEW: no offer"
        if each.price_before_micros is not None:
            words += f"; PRICE was {each.price_before_micros / syncing.MICROS:.2f}"
        if each.is_asked:
            words += "; ASKED who comes"
        if each.trouble is not None:
            words += f"; NOT SOLD HERE: {TROUBLES[each.trouble].message}"
        lines.append(f"{each.sku:<32}{price:>16}{each.free:>9}  {each.name}  {words}")
    lines += [
        f"{each.sku:<32}{'GONE':>25}  {each.name}  {each.reference}" for each in compared.gone
    ]
    return lines
