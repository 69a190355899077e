"""Accounts that a member pays from and is paid to: it proposes, somebody of finance approves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.errors import MarketplaceError
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.console import Console
from marketplace.web.filled import Filled
from marketplace.web.page import AnyRequest
from settlement.clearing import accounts
from settlement.clearing.domain import PayAccountStatus
from settlement.clearing.errors import RailMissing
from settlement.console.frame import ACCOUNTS, IN_CONSOLE, tabs
from settlement.pages import account_form
from settlement.pages.words import ACCOUNTS as STATUSES

Rail = Annotated[str | None, QueryParameter(max_length=100)]


@get("/partner/accounts", opt=IN_CONSOLE, include_in_schema=False)
async def show_accounts(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """The account in use in each currency, what was put forward, and those before."""
    found = await accounts.all_accounts(session, member_id=console.member_id)
    return page.render(
        "settlement/console/accounts.html",
        tabs=tabs(page, ACCOUNTS),
        active=[each for each in found if each.status is PayAccountStatus.ACTIVE],
        waiting=[each for each in found if each.status is PayAccountStatus.PROPOSED],
        before=[
            each
            for each in found
            if each.status in (PayAccountStatus.REPLACED, PayAccountStatus.REFUSED)
        ],
        statuses=STATUSES,
        rails=sorted(runtime.rails),
    )


@get("/partner/accounts/new", opt=IN_CONSOLE, include_in_schema=False)
async def ask_account(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    runtime: NamedDependency[Runtime],
    rail: Rail = None,
) -> Html:
    """The form of an account, as its rail asks for it."""
    return _form(page, console, runtime, rail or "", Filled({"currency": console.currency}), {})


def _form(
    page: Page,
    console: Console,
    runtime: Runtime,
    rail: str,
    filled: Filled,
    problems: dict[str, Any],
) -> Html:
    return page.render(
        "settlement/console/account.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        tabs=tabs(page, ACCOUNTS),
        **account_form.parts(runtime.rails, rail, filled, problems),
    )


@post("/partner/accounts/new", opt=IN_CONSOLE, include_in_schema=False, status_code=HTTPStatus.OK)
async def propose(
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Put an account forward; the rail is asked first whether money could reach it."""
    filled = Filled(await request.form())
    try:
        asked = await account_form.ask(runtime.rails, filled)
    except RailMissing:
        raise
    except MarketplaceError as error:
        problems = account_form.problems_of(error)
        return _form(page, console, runtime, filled["rail"], filled, problems)
    async with runtime.database.begin() as session:
        await accounts.propose(
            session,
            member_id=console.member_id,
            currency=asked.currency,
            rail=asked.rail,
            account=asked.account,
            actor=principal.actor,
        )
    notice = _l("Proposed. It is used once somebody of finance approves it.")
    return page.redirect(console.path(ACCOUNTS), notice=notice)


@post(
    "/partner/accounts/{account_id:uuid}/withdraw",
    opt=IN_CONSOLE,
    include_in_schema=False,
    status_code=HTTPStatus.OK,
)
async def withdraw(
    account_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Take back an account that nobody has approved yet."""
    await accounts.refuse(session, account_id, actor=principal.actor, member_id=console.member_id)
    return page.redirect(console.path(ACCOUNTS), notice=_l("Taken back. It is not used."))


ROUTES = [show_accounts, ask_account, propose, withdraw]
