"""Command line: marketplace catalog import | export | picture | publish | withdraw | price ..."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import counting, pricing, publishing
from catalog.imports import CatalogReport, export_categories, export_listings, import_catalog
from catalog.imports.service import FORMATS, format_of
from marketplace.api import Command
from marketplace.coalition.imports.fields import Currency, Micros, Moment, WrongCell
from marketplace.commands import actor
from marketplace.errors import UsageError
from marketplace.host import PluginHost
from marketplace.money import decimal_from_micros
from marketplace.web.pictures import encode


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Otherwise by its ending.")
@click.option("--dry-run", is_flag=True, help="Check everything and write nothing.")
def import_(host: PluginHost, file: Path, format_: str | None, dry_run: bool) -> None:
    """Import listings or categories from FILE, all of it or nothing (docs/imports/catalog.md)."""
    kind = format_of(file, format_)
    try:
        opened = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None

    async def work(session: AsyncSession) -> CatalogReport:
        return await import_catalog(
            session, opened, kind, dry_run=dry_run, actor=actor(), name=file.name
        )

    with opened:
        report: CatalogReport = host.transact(work)
    for line in report.lines():
        click.echo(line, err=not report.ok)
    sys.exit(0 if report.ok else 1)


@click.command("export")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option("--categories", is_flag=True, help="Only the categories, as CSV.")
@click.option("--output", type=click.Path(path_type=Path), help="A file; otherwise the screen.")
def export(host: PluginHost, format_: str, categories: bool, output: Path | None) -> None:
    """Write every listing in a form that import reads back (JSON holds the categories too)."""

    async def work(session: AsyncSession) -> None:
        target = sys.stdout if output is None else output.open("w", encoding="utf-8", newline="")
        try:
            if categories:
                await export_categories(session, target)
            else:
                await export_listings(session, target, format_)
        finally:
            if output is not None:
                target.close()

    host.transact(work)


@click.command("picture")
@click.argument("listing")
@click.argument("file", type=click.Path(path_type=Path))
def picture(host: PluginHost, listing: str, file: Path) -> None:
    """Add the picture FILE (JPEG, PNG, WebP or GIF) to LISTING."""
    encoded = encode(_read(file))

    async def work(session: AsyncSession) -> None:
        await publishing.add_picture(session, listing, encoded, actor=actor())

    host.transact(work)
    click.echo(f"{listing}: {encoded.hash} in widths {', '.join(map(str, encoded.files))}")


@click.command("publish")
@click.argument("listings", nargs=-1, required=True)
def publish(host: PluginHost, listings: Sequence[str]) -> None:
    """Publish LISTINGS: people see them at once."""

    async def work(session: AsyncSession) -> None:
        for slug in listings:
            await publishing.publish(session, slug, actor=actor())

    host.transact(work)
    click.echo(f"{len(listings)} published")


@click.command("withdraw")
@click.argument("listings", nargs=-1, required=True)
def withdraw(host: PluginHost, listings: Sequence[str]) -> None:
    """Withdraw LISTINGS: people see them no more; wishes for them are kept."""

    async def work(session: AsyncSession) -> None:
        for slug in listings:
            await publishing.withdraw(session, slug, actor=actor())

    host.transact(work)
    click.echo(f"{len(listings)} withdrawn")


@click.command("price")
@click.argument("offer")
@click.option("--at", required=True, help="Moment from which on, e.g. 2027-01-01T00:00:00Z.")
@click.option("--points", type=click.IntRange(min=1), help="Points of one unit.")
@click.option("--cost", help="What the partner is paid for one unit, in its currency.")
def price(host: PluginHost, offer: str, at: str, points: int | None, cost: str | None) -> None:
    """Announce what OFFER will cost from a moment on."""
    moment: datetime = _parsed(Moment, at)
    micros: int | None = None if cost is None else _parsed(Micros, cost)

    async def work(session: AsyncSession) -> UUID:
        return await pricing.announce(
            session, offer, at=moment, actor=actor(), points=points, cost_micros=micros
        )

    click.echo(f"{offer}: price {host.transact(work)} from {moment.isoformat()} on")


def _parsed(kind: Any, text: str) -> Any:
    try:
        return kind.parse(text)
    except WrongCell:
        raise UsageError(f"{text!r} is not {kind.words}.") from None


@click.command("prices")
def prices(host: PluginHost) -> None:
    """Show the prices that are announced, soonest first."""
    for each in host.transact(pricing.waiting):
        points = "-" if each.points is None else f"{each.points:,} points"
        cost = "-" if each.cost_micros is None else f"cost {decimal_from_micros(each.cost_micros)}"
        click.echo(f"{each.id}  {each.at.isoformat()}  {each.offer_reference}  {points}  {cost}")


@click.command("unprice")
@click.argument("price_id", type=click.UUID)
def unprice(host: PluginHost, price_id: UUID) -> None:
    """Take the announced price PRICE_ID back."""

    async def work(session: AsyncSession) -> None:
        await pricing.cancel(session, price_id, actor=actor())

    host.transact(work)
    click.echo(f"{price_id} is cancelled")


@click.command("point-price")
@click.argument("currency")
@click.argument("price")
def point_price(host: PluginHost, currency: str, price: str) -> None:
    """Publish that a point is worth PRICE in CURRENCY to participants; 0 takes it back."""
    code: str = _parsed(Currency, currency)
    micros: int = _parsed(Micros, price)

    async def work(session: AsyncSession) -> None:
        await pricing.publish_point_price(session, code, micros, actor=actor())

    host.transact(work)
    click.echo(f"{code}: {decimal_from_micros(micros)} a point")


@click.command("count")
def count(host: PluginHost) -> None:
    """Count afresh what is popular, in all and by firm and role (a task does so by itself)."""
    host.transact(counting.count_taken)
    click.echo("Counted.")


COMMANDS = (import_, export, picture, publish, withdraw, price, prices, unprice, point_price, count)
"""Their first argument is the host, which `make_commands` gives."""


def make_commands(host: PluginHost) -> Sequence[Command]:
    """The commands over a host."""
    return [Command(group=host.slug, command=_bound(each, host)) for each in COMMANDS]


def _bound(command: click.Command, host: PluginHost) -> click.Command:
    bound = copy.copy(command)
    if command.callback is not None:
        bound.callback = partial(command.callback, host)
    return bound
