"""A plugin books what one member owes another: once, in the open window, undone once and whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.errors import Conflict, InvalidRequest, MarketplaceError, NotFound
from marketplace.host import PluginHost
from marketplace.ids import uuid7
from marketplace.ledger.verify import verify
from tests.factories import Coalition
from tests.settlement.test_positions import run_positions

EUR_40 = 40_000_000


class Books:
    """A plugin that books debts between the shop and tickets."""

    def __init__(self, coalition: Coalition, slug: str = "till") -> None:
        runtime = coalition.runtime
        self.coalition = coalition
        self.host = PluginHost(slug, lambda: runtime.database, lambda: runtime.vault)

    def owe(self, reference: str, amount_micros: int = EUR_40, **more: Any) -> None:
        given = {
            "debtor_id": self.coalition.members["shop"],
            "creditor_id": self.coalition.members["tickets"],
            "currency": "EUR",
            "reason": "a voucher",
            **more,
        }
        with self.host.transaction() as session:
            self.host.owe(session, reference=reference, amount_micros=amount_micros, **given)

    def rows(self) -> list[tuple[str, int]]:
        with self.host.transaction() as session:
            found = session.execute(
                sa.text("select reference, amount_micros from member_debt order by id")
            )
            return [(row.reference, row.amount_micros) for row in found]


@pytest.fixture
def books(coalition: Coalition) -> Iterator[Books]:
    return Books(coalition)


async def test_a_debt_moves_between_two_accounts_and_into_positions(
    books: Books, database_url: str
) -> None:
    await asyncio.to_thread(books.owe, "R-1")
    await asyncio.to_thread(books.owe, "R-2", 1)
    await asyncio.to_thread(books.owe, "R-2", 1)
    await asyncio.to_thread(books.owe, "R-3", -EUR_40, undoes="R-1")
    assert await asyncio.to_thread(books.rows) == [("R-1", EUR_40), ("R-2", 1), ("R-3", -EUR_40)]
    async with books.coalition.runtime.database.begin() as session:
        assert await verify(session) == []
    for by in ("month", "window"):
        _, output = await asyncio.to_thread(run_positions, database_url, "--json", "--by", by)
        (period,) = json.loads(output)
        assert period["net_micros"] == {"shop": -1, "tickets": 1}


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"amount_micros": 0}, InvalidRequest, "zero"),
        ({"amount_micros": 2**62}, InvalidRequest, "larger"),
        ({"amount_micros": -EUR_40}, InvalidRequest, "negative"),
        ({"undoes": "R-0"}, InvalidRequest, "negative"),
        ({"currency": "euro"}, InvalidRequest, "ISO 4217"),
        ({"reason": "x" * 201}, InvalidRequest, "characters"),
        ({"creditor_id": uuid7()}, NotFound, "no member"),
        ({"amount_micros": -EUR_40, "undoes": "R-9"}, NotFound, "R-9"),
        ({"amount_micros": -1, "undoes": "R-0"}, Conflict, "whole"),
        ({"reference": "R-0", "currency": "USD"}, Conflict, "other terms"),
    ],
)
async def test_what_cannot_be_booked_leaves_nothing(
    wrong: dict[str, Any], error: type[MarketplaceError], words: str, books: Books
) -> None:
    await asyncio.to_thread(books.owe, "R-0")
    with pytest.raises(error, match=words):
        await asyncio.to_thread(lambda: books.owe(**{"reference": "R-1", **wrong}))
    assert await asyncio.to_thread(books.rows) == [("R-0", EUR_40)]


async def test_nobody_owes_themselves_and_plugins_do_not_share_references(books: Books) -> None:
    shop = books.coalition.members["shop"]
    with pytest.raises(InvalidRequest, match="itself"):
        await asyncio.to_thread(lambda: books.owe("R-0", creditor_id=shop))
    await asyncio.to_thread(books.owe, "R-0")
    other = Books(books.coalition, "other")
    with pytest.raises(NotFound, match="R-0"):
        await asyncio.to_thread(lambda: other.owe("R-1", -EUR_40, undoes="R-0"))
    await asyncio.to_thread(other.owe, "R-0", 5)
    assert await asyncio.to_thread(books.rows) == [("R-0", EUR_40), ("R-0", 5)]


async def test_many_at_once_book_and_undo_once(books: Books) -> None:
    def attempt(reference: str, amount_micros: int, undoes: str | None) -> bool:
        try:
            books.owe(reference, amount_micros, undoes=undoes)
        except Conflict:
            return False
        return True

    def all_at_once() -> tuple[list[bool], list[bool]]:
        with ThreadPoolExecutor(12) as threads:
            same = list(threads.map(lambda _: attempt("R-1", EUR_40, None), range(24)))
            back = list(
                threads.map(lambda number: attempt(f"U-{number}", -EUR_40, "R-1"), range(24))
            )
        return same, back

    same, back = await asyncio.to_thread(all_at_once)
    assert all(same)
    assert back.count(True) == 1
    assert [amount for _, amount in await asyncio.to_thread(books.rows)] == [EUR_40, -EUR_40]
