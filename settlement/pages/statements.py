"""One statement of a bank, line by line: what each line is the money of."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.errors import NotFound
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, cut_page, decode_cursor
from settlement.bank.models import BankAccount, BankStatement
from settlement.pages import bank_queries
from settlement.pages.bank_queries import LinePlace
from settlement.pages.frame import BANK, FINANCE, bank_tabs, people

AT: Final = "/bank/statements/{statement_id:uuid}"


@get(AT, opt=FINANCE, include_in_schema=False)
async def show_statement(
    statement_id: FromPath[UUID],
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    cursor: Cursor = None,
) -> Html:
    """A statement as it was imported; each line leads to the payment it is, or to its break."""
    page.active = "bank"
    statement = await session.get(BankStatement, statement_id)
    if statement is None:
        raise NotFound("There is no such statement.")
    rows = await bank_queries.stated(
        session, statement_id, after=decode_cursor(cursor, LinePlace), most=DEFAULT_LIMIT + 1
    )
    shown, following = cut_page(rows, DEFAULT_LIMIT, lambda row: row.place)
    return page.render(
        "settlement/statement.html",
        tabs=bank_tabs(page, BANK),
        statement=statement,
        account=await session.get_one(BankAccount, statement.account_id),
        lines=shown,
        people=await people(session, [statement.imported_by]),
        next=following,
    )


ROUTES = [show_statement]
