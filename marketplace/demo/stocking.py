"""Puts the shelf into the shop: codes, series, listings and pictures, by the plugins' commands."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from marketplace.demo import files
from marketplace.demo.causes import CHARITIES, documents, registered, verified
from marketplace.demo.listings import DemoListing, campaign_listings, categories, listings
from marketplace.demo.pictures import draw
from marketplace.demo.shelf import CAUSE_PLUGIN, GIFT_PLUGIN, VOUCHER_PLUGIN, DemoOffer
from marketplace.demo.terminal import Terminal
from marketplace.demo.words import LANGUAGES

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
    await _list(terminal, list(categories()), listings())


async def list_campaigns(terminal: Terminal) -> None:
    """The same for campaigns, which are offers too."""
    await _list(terminal, [], campaign_listings())


async def _list(
    terminal: Terminal, before: Sequence[dict[str, Any]], shown: Sequence[DemoListing]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "listings.json"
        lines = [*before, *(each.document for each in shown)]
        file.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
        await terminal.run(CATALOG, "import", str(file))
        for each in shown:
            picture = Path(folder) / f"{each.slug}.png"
            picture.write_bytes(draw(each.slug, each.kind))
            await terminal.run(CATALOG, "picture", each.slug, str(picture))


async def start_campaigns(terminal: Terminal, begins: datetime, now: datetime) -> None:
    """Register and verify the charities and start what they collect for, by charity's commands.

    `begins`: of the story, which may be later than `now`, when business time has been set back.
    """
    for charity in CHARITIES:
        await terminal.run(CAUSE_PLUGIN, "register", *registered(charity))
        await terminal.run(CAUSE_PLUGIN, "verify", *verified(charity, now.date()))
    with tempfile.TemporaryDirectory() as folder:
        for campaign, document in documents(begins, now):
            file, picture = Path(folder) / "campaign.json", Path(folder) / "picture.png"
            file.write_bytes(msgspec.json.encode(document))
            await terminal.run(CAUSE_PLUGIN, "start", str(file))
            picture.write_bytes(draw(campaign.slug, campaign.form))
            words = zip(LANGUAGES, campaign.shown, strict=True)
            alt = [word for code, text in words for word in ("--alt", f"{code}={text}")]
            await terminal.run(CAUSE_PLUGIN, "picture", campaign.slug, str(picture), *alt)
            if campaign.match is not None:
                asked = campaign.match
                await terminal.run(
                    CAUSE_PLUGIN,
                    *("match", campaign.slug, asked.member, "--ratio", str(asked.ratio_bps)),
                    *("--cap", str(asked.cap_points), "--mode", asked.mode),
                )


def _letters(draw: random.Random) -> str:
    return "".join(draw.choices(LETTERS, k=5))
