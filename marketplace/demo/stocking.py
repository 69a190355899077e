"""Puts the shelf into the shop: codes, series, listings and pictures, by the plugins' commands."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from marketplace.demo import files
from marketplace.demo.listings import categories, listings
from marketplace.demo.pictures import draw
from marketplace.demo.shelf import GIFT_PLUGIN, VOUCHER_PLUGIN, DemoOffer
from marketplace.demo.terminal import Terminal

CATALOG: Final = "catalog"
LETTERS: Final = "ACDEFGHJKLMNPQRTUVWXY3479"


async def upload_codes(
    terminal: Terminal, shelf: Sequence[DemoOffer], valid_until: datetime
) -> None:
    """Fill each pool with the plugin's own command, as its supplier would."""
    letters = random.Random(len(shelf))  # noqa: S311 - worthless codes
    with tempfile.TemporaryDirectory() as folder:
        for offer in shelf:
            if not offer.codes:
                continue
            sku = offer.reference.split("/")[1]
            path = Path(folder) / f"{sku}.csv"
            path.write_bytes(
                files.as_csv(
                    {
                        "code": f"{sku[:4].upper()}-{_letters(letters)}-{_letters(letters)}",
                        "expires_on": f"{valid_until:%Y-%m-%d}",
                        "label": offer.name,
                    }
                    for _ in range(offer.codes)
                )
            )
            await terminal.run(GIFT_PLUGIN, "upload", sku, str(path))


async def make_series(terminal: Terminal, shelf: Sequence[DemoOffer]) -> None:
    """Make the series of the vouchers with the plugin's own command, as its owner would."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.csv"
        path.write_bytes(files.series(shelf))
        await terminal.run(VOUCHER_PLUGIN, "series-import", str(path))


async def list_offers(terminal: Terminal) -> None:
    """Import the listings and their pictures with the catalog's own commands, as anybody would."""
    shown = list(listings())
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "listings.json"
        lines = [*categories(), *(each.document for each in shown)]
        documents.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
        await terminal.run(CATALOG, "import", str(documents))
        for each in shown:
            picture = Path(folder) / f"{each.slug}.png"
            picture.write_bytes(draw(each.slug, each.kind))
            await terminal.run(CATALOG, "picture", each.slug, str(picture))


def _letters(draw: random.Random) -> str:
    return "".join(draw.choices(LETTERS, k=5))
