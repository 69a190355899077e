"""Statements that rails have themselves: what is wrong with one account holds up no other."""

from __future__ import annotations

from datetime import date
from typing import BinaryIO

import sqlalchemy as sa

from settlement.bank import fetching
from settlement.bank.models import BankAccount, BankStatement
from tests.settlement.bank.paper import DAY, IBAN, Desk, PaperBank, Teller
from tests.settlement.clearing.house import House

OTHER = "GB29NWBK60161331926819"


class StatingBank(PaperBank):
    """Has a statement of a day for each account."""

    def __init__(self, *tellers: Teller) -> None:
        super().__init__()
        self.tellers = {each.account: each for each in tellers}
        self.broken = {IBAN}

    def next_statement(
        self, account: str, currency: str, after: date | None, into: BinaryIO
    ) -> str:
        if after is not None and after >= DAY:
            return ""
        if account in self.broken:
            raise ZeroDivisionError
        teller = self.tellers[account]
        into.write(teller.file(teller.statement(teller.entry("10"))).read_bytes())
        return "day.txt"


async def test_an_account_whose_statements_cannot_be_had_holds_up_no_other_account(
    house: House, desk: Desk, teller: Teller
) -> None:
    # The one in trouble is asked first.
    first, second = await desk.account(IBAN), await desk.account(OTHER)
    bank = StatingBank(teller, Teller(teller.folder, OTHER))
    vars(house.runtime)["rails"] = {"paper": bank}
    assert await fetching.fetch(house.runtime) == 1
    async with house.runtime.database.begin() as session:
        stated = set(await session.scalars(sa.select(BankStatement.account_id)))
        told = {row.id: row.trouble for row in await session.scalars(sa.select(BankAccount))}
    assert stated == {second}
    assert told == {first: fetching.FAULT, second: ""}
    bank.broken.clear()
    assert await fetching.fetch(house.runtime) == 1
    async with house.runtime.database.begin() as session:
        assert not any(await session.scalars(sa.select(BankAccount.trouble)))
    assert not await house.findings()
