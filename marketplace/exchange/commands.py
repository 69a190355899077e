"""`marketplace offers ...`: look at offers and change whether they are on sale."""

from __future__ import annotations

import click
import sqlalchemy as sa

from marketplace import commands
from marketplace.errors import NotFound
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.models import Offer, OfferStock
from marketplace.exchange.offering import set_status
from marketplace.runtime import Runtime


@click.group("offers")
def offers_group() -> None:
    """What the exchange trades."""


@offers_group.command("list")
def offers_list() -> None:
    """List all offers with status, price and stock."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            rows = await session.execute(
                sa.select(Offer, OfferStock.remaining)
                .outerjoin(OfferStock, OfferStock.offer_id == Offer.id)
                .order_by(Offer.reference)
            )
            for offer, remaining in rows:
                stock = "unlimited" if remaining is None else remaining
                click.echo(
                    f"{offer.reference:24} {offer.kind:10} {offer.status.value:10}"
                    f" {offer.points:>10,} points  {stock:>10}  {offer.name}"
                )

    commands.run(work)


@offers_group.command("status")
@click.argument("reference")
@click.argument("status", type=click.Choice([status.value for status in OfferStatus]))
def offers_status(reference: str, status: str) -> None:
    """Put an offer on sale, pause, retire or only announce it. Every process sees it at once."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.begin() as session:
            offer = await session.scalar(
                sa.select(Offer).where(Offer.reference == reference).with_for_update()
            )
            if offer is None:
                raise NotFound(f"There is no offer {reference!r}.")
            await set_status(session, offer, OfferStatus(status), commands.actor())
        click.echo(f"{reference} is now {status}.")

    commands.run(work)
