"""The seeded marketplace of bench.burns is one the product could have made itself."""

from __future__ import annotations

import asyncio

from bench.load import OFFER_ID, WALLET_ID
from bench.seed import LOT_POINTS, LOTS_PER_WALLET, seed
from bench.server import query
from marketplace.ledger.domain import Finding
from marketplace.ledger.verify import verify
from marketplace.runtime import open_runtime
from marketplace.settings import Settings


def _findings(settings: Settings) -> list[Finding]:
    async def ask() -> list[Finding]:
        async with open_runtime(settings) as runtime, runtime.database.begin() as session:
            return await verify(session)

    return asyncio.run(ask())


def test_the_ledger_of_the_seeded_marketplace_is_clean(settings: Settings) -> None:
    assert settings.database_url
    token = seed(settings.database_url, wallets=20, offers=10)
    assert token.startswith("mk_")
    assert _findings(settings) == []


def test_the_load_client_knows_the_ids(settings: Settings) -> None:
    url = settings.database_url or ""
    seed(url, wallets=20, offers=10)
    wallet = query(url, "select available from wallet where id = $1", WALLET_ID.format(20))
    assert wallet[0][0] == LOTS_PER_WALLET * LOT_POINTS
    offer = query(url, "select reference from offer where id = $1", OFFER_ID.format(10))
    assert offer[0][0] == "offer-10"
    stocked = query(url, "select count(*) from offer_stock")
    limited = query(url, "select count(*) from offer where limit_per_wallet is not null")
    assert (stocked[0][0], limited[0][0]) == (2, 1)
