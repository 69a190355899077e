"""A shelf worth looking at: the demonstration's listings, and partners whose answers tests give.

Gifts come from the gift fund, whose worker runs beside the server: coffee, cinema and books have
codes, the others run out at once. What others would deliver waits, for their plugin is none that a
worker here knows: a test says when it comes, or that it does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from pathlib import Path

import msgspec

from catalog import publishing
from catalog.imports import import_catalog
from marketplace.coalition.domain import ContractRole
from marketplace.demo.listings import DemoListing, categories, listings
from marketplace.demo.pictures import draw
from marketplace.demo.shelf import GIFT_PLUGIN, DemoOffer, offers
from marketplace.exchange.domain import OfferStatus
from marketplace.runtime import Runtime
from marketplace.web import pictures
from tests.factories import Coalition

STOCKED = {"koffie-5", "koffie-10", "kino-12", "buch-10"}
CODES = 40
PICTURES = 16
ELSEWHERE = "elsewhere"
"""A plugin that is not installed."""
NEARLY_GONE = "jeux-20"
"""An offer of which three are left."""


async def stock_shelf(coalition: Coalition) -> None:
    """Put the demonstration's offers and listings into the coalition."""
    goods = offers()
    for acceptor in sorted({each.acceptor for each in goods}):
        await coalition.add_member(acceptor, role=ContractRole.ACCEPTOR)
    for each in goods:
        await _add_offer(coalition, each)
    gives = {each.acceptor for each in goods if each.plugin == "giftfund"}
    await coalition.activate("giftfund", *sorted(gives))
    shown = listings()
    lines = [*categories(), *(each.document for each in shown)]
    file = io.BytesIO(b"\n".join(map(msgspec.json.encode, lines)))
    async with coalition.runtime.database.begin() as session:
        report = await import_catalog(session, file, "json")
    assert report.ok, report.lines()
    await asyncio.gather(
        asyncio.to_thread(_upload_codes, coalition.runtime), _hang(coalition.runtime, shown)
    )


async def _add_offer(coalition: Coalition, good: DemoOffer) -> None:
    sku = good.reference.split("/")[1]
    await coalition.add_offer(
        good.reference,
        acceptor=good.acceptor,
        stock=3 if sku == NEARLY_GONE else None,
        kind=good.kind,
        name=good.name,
        plugin=good.plugin if good.plugin == GIFT_PLUGIN else ELSEWHERE,
        sku=sku,
        points=good.points,
        cost_micros=good.cost_micros,
        limit_per_wallet=good.limit_per_wallet,
        status=OfferStatus.ON_SALE,
        eligibility={"roles": list(good.roles)} if good.roles else {},
    )


async def _hang(runtime: Runtime, shown: list[DemoListing]) -> None:
    """Give pictures to brunch and what is shown first; the others have the drawn stand-in."""
    by_place = sorted(shown, key=lambda each: -int(each.document["featured"]))
    first = sorted(by_place, key=lambda each: each.slug != "brunch")[:PICTURES]
    encoded = await asyncio.to_thread(
        lambda: [pictures.encode(draw(each.slug, each.kind)) for each in first]
    )
    async with runtime.database.begin() as session:
        for listing, picture in zip(first, encoded, strict=True):
            await publishing.add_picture(session, listing.slug, picture, actor="test")


def _upload_codes(runtime: Runtime) -> None:
    """Fill some pools with the plugin's own command, as its supplier would."""
    command = next(
        each.command
        for slug, commands in runtime.plugins.call_each("marketplace_register_commands")
        for each in commands
        if slug == "giftfund" and each.command.name == "upload"
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for sku in sorted(STOCKED):
            path = Path(folder) / f"{sku}.csv"
            codes = (f"{sku.upper()}-{number:04}" for number in range(CODES))
            path.write_text("code,label\n" + "".join(f"{each},Certificate\n" for each in codes))
            command.main(args=[sku, str(path)], standalone_mode=False)
