"""Accounts that members pay from and are paid to: proposed by one person, approved by a second."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import Html, Page
from marketplace.api import lazy as _l
from marketplace.coalition.service import get_member
from marketplace.errors import InvalidRequest, MarketplaceError
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.filled import Filled
from marketplace.web.page import AnyRequest
from settlement.clearing import accounts, views
from settlement.clearing.errors import RailMissing
from settlement.pages import account_form
from settlement.pages.frame import ACCOUNTS, FINANCE, all_members, bank_tabs, people
from settlement.pages.words import ACCOUNTS as STATUSES

AT: Final = "/accounts/{account_id:uuid}"
LONGEST_NOTE: Final = 500
Rail = Annotated[str | None, QueryParameter(max_length=100)]


class AnswerForm(msgspec.Struct):
    """What a second person says."""

    note: str = ""


@get("/accounts", opt=FINANCE, include_in_schema=False)
async def show_accounts(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Accounts of members, those that wait for approval first."""
    page.active = "bank"
    found = await views.account_views(session, await accounts.all_accounts(session))
    return page.render(
        "settlement/accounts.html",
        tabs=bank_tabs(page, ACCOUNTS),
        waiting=[each for each in found if each.status == "proposed"],
        others=[each for each in found if each.status != "proposed"],
        mine=principal.actor,
        statuses=STATUSES,
        people=await people(
            session, [actor for each in found for actor in (each.made_by, each.approved_by)]
        ),
        rails=sorted(runtime.rails),
        longest=LONGEST_NOTE,
    )


@get("/accounts/new", opt=FINANCE, include_in_schema=False)
async def ask_account(
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    rail: Rail = None,
) -> Html:
    """The form of an account, as its rail asks for it."""
    return await _form(page, session, runtime, rail or "", Filled({}))


async def _form(
    page: Page,
    session: AsyncSession,
    runtime: Runtime,
    rail: str,
    filled: Filled,
    problems: dict[str, Any] | None = None,
) -> Html:
    page.active = "bank"
    return page.render(
        "settlement/account.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        members=await all_members(session),
        **account_form.parts(runtime.rails, rail, filled, problems or {}),
    )


@post("/accounts/new", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def propose(
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Put an account forward; the rail is asked first whether money could reach it."""
    filled = Filled(await request.form())
    try:
        asked = await account_form.ask(runtime.rails, filled)
        async with runtime.database.begin() as session:
            member = await get_member(session, filled["member"])
            await accounts.propose(
                session,
                member_id=member.id,
                currency=asked.currency,
                rail=asked.rail,
                account=asked.account,
                actor=principal.actor,
            )
    except RailMissing:
        raise
    except MarketplaceError as error:
        problems = account_form.problems_of(error)
        async with runtime.database.begin() as session:
            return await _form(page, session, runtime, filled["rail"], filled, problems)
    notice = _l("Proposed. It is used once a second person approves it.")
    return page.redirect(ACCOUNTS, notice=notice)


@post(f"{AT}/{{answer:str}}", opt=FINANCE, include_in_schema=False, status_code=HTTPStatus.OK)
async def answer_account(
    account_id: FromPath[UUID],
    answer: FromPath[str],
    data: URLEncodedBody[AnswerForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """A second person approves an account, or anybody refuses it."""
    note = data.note[:LONGEST_NOTE].strip()
    if answer == "approve":
        await accounts.approve(session, account_id, actor=principal.actor, note=note)
        notice = _l("Approved. The next payments use it.")
    elif answer == "refuse":
        await accounts.refuse(session, account_id, actor=principal.actor, note=note)
        notice = _l("Refused. It is not used.")
    else:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    return page.redirect(ACCOUNTS, notice=notice)


ROUTES = [show_accounts, ask_account, propose, answer_account]
