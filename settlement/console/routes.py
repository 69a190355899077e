"""The same over HTTP, below /v1/settlement/own: for people and API keys of a member."""

from __future__ import annotations

from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.coalition.models import Member
from marketplace.errors import NotAllowed
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor
from settlement.clearing import accounts, caps
from settlement.clearing.books import balances
from settlement.clearing.domain import AccountKind
from settlement.console import schemas
from settlement.console.lines import page_of_lines
from settlement.console.standing import standings
from settlement.statements.domain import Reader
from settlement.windows import repository
from settlement.windows.repository import Place

READ = access(roles=[Role.PARTNER], scope=Scope.SETTLEMENT_READ)
PEOPLE = access(roles=[Role.PARTNER])
"""Never an API key: where money goes is put forward by a person."""
TAGS = ["settlement"]


def _own(principal: Principal) -> UUID:
    if principal.member_id is None:
        raise NotAllowed("You work for no member.")
    return principal.member_id


async def _reader(session: AsyncSession, principal: Principal) -> Reader:
    member = await session.get_one(Member, _own(principal))
    return Reader(member.id, member.slug, member.is_operator)


@get("/own/windows", opt=READ, tags=TAGS, summary="Read how one's own member stands")
async def own_windows(
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> schemas.OwnWindows:
    """Windows, newest first: what the member owes or is owed, and when it is paid."""
    reader = await _reader(session, principal)
    rows = await repository.page(session, before=decode_cursor(cursor, Place), most=limit + 1)
    shown, following = cut_page(rows, limit, lambda row: Place(row.opened_at, row.id))
    found = await standings(session, reader, shown, await now(session))
    return schemas.OwnWindows([schemas.window_view(each) for each in found], following)


@get(
    "/own/windows/{window_id:uuid}/lines",
    opt=READ,
    tags=TAGS,
    summary="Read the lines of one's own member in a window",
)
async def own_lines(
    window_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> schemas.OwnLines:
    """Lines as the signed statement tells them, of an open window those that are counted.

    What another member pays or is paid is left out.
    """
    await repository.window(session, window_id)
    reader = await _reader(session, principal)
    found, following = await page_of_lines(session, reader, window_id, cursor=cursor, limit=limit)
    return schemas.OwnLines([schemas.line_view(each, reader.id) for each in found], following)


@get("/own/accounts", opt=READ, tags=TAGS, summary="List accounts of one's own member")
async def own_accounts(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> schemas.OwnAccounts:
    """Where the member pays from and is paid to, and what was put forward; newest first."""
    rows = await accounts.all_accounts(session, member_id=_own(principal))
    return schemas.OwnAccounts([schemas.account_view(row) for row in rows])


@post("/own/accounts", opt=PEOPLE, tags=TAGS, summary="Propose an account of one's own member")
async def propose_own_account(
    data: JSONBody[schemas.OwnAccountBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> schemas.OwnAccount:
    """Checked by its rail, and used once somebody of finance approves it."""
    await accounts.check(
        runtime.rails, rail=data.rail, currency=data.currency, account=data.account
    )
    async with runtime.database.begin() as session:
        made = await accounts.propose(
            session,
            member_id=_own(principal),
            currency=data.currency,
            rail=data.rail,
            account=data.account,
            actor=principal.actor,
        )
        return schemas.account_view(made)


@post(
    "/own/accounts/{account_id:uuid}/withdraw",
    opt=PEOPLE,
    tags=TAGS,
    status_code=200,
    summary="Withdraw an account that was proposed",
)
async def withdraw_own_account(
    account_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> schemas.OwnAccount:
    """Before anybody has approved it."""
    row = await accounts.refuse(
        session, account_id, actor=principal.actor, member_id=_own(principal)
    )
    return schemas.account_view(row)


@get("/own/cap", opt=READ, tags=TAGS, summary="Read how much one's own member may owe")
async def own_cap(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> schemas.OwnCaps:
    """What held and unsettled burns use of the cap, and what was paid ahead."""
    member_id = _own(principal)
    uses = await caps.uses(session, member_id)
    ahead = await balances(session, account=AccountKind.PREFUND, owner=member_id)
    return schemas.OwnCaps(
        caps=[
            schemas.OwnCap(
                currency=each.currency,
                used_micros=each.used_micros,
                cap_micros=each.cap_micros,
                alert_bps=each.alert_bps,
                alarming=each.alarming,
            )
            for each in uses
        ],
        paid_ahead=[schemas.PaidAhead(each.currency, each.balance_micros) for each in ahead],
    )


ROUTES = [
    own_windows,
    own_lines,
    own_accounts,
    propose_own_account,
    withdraw_own_account,
    own_cap,
]
