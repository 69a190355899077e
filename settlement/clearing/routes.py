"""Settlements over HTTP, under /v1/settlement: for people of finance, never for API keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.service import get_member
from marketplace.errors import NotFound
from marketplace.identity.domain import Principal, Role
from marketplace.runtime import Runtime
from marketplace.web.access import access
from settlement.clearing import accounts, defaulting, files, legs, repository, service, views
from settlement.clearing.models import Settlement, SettlementLeg
from settlement.clearing.schemas import (
    AccountBody,
    Accounts,
    AccountView,
    BookBody,
    Caps,
    DefaultBody,
    DraftBody,
    FileCheck,
    Files,
    LegHistory,
    LegView,
    Matrix,
    RemadeView,
    SettlementDetail,
    Settlements,
    SettlementView,
    StepBody,
    SubmitBody,
    WhyBody,
)
from settlement.history import Subject

FINANCE = access(roles=[Role.FINANCE, Role.OPERATOR])
TAGS = ["settlement"]
AT = "/settlements/{reference:str}"


async def _leg(session: AsyncSession, reference: str) -> SettlementLeg:
    found = (await legs.by_reference(session, [reference])).get(reference)
    if found is None:
        raise NotFound(f"There is no leg {reference!r}.")
    return found


@get("/settlements", opt=FINANCE, tags=TAGS, summary="List settlements")
async def list_settlements(session: NamedDependency[AsyncSession]) -> Settlements:
    """All of them, newest first."""
    rows = await repository.settlements(session)
    return Settlements([await views.settlement_view(session, row) for row in rows])


@post("/settlements", opt=FINANCE, tags=TAGS, summary="Net closed windows into a settlement")
async def draft_settlement(
    data: JSONBody[DraftBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> SettlementDetail:
    """Positions and legs of closed windows, pending until two people vouch for them."""
    made = await service.draft(
        session,
        data.windows,
        mode=data.mode,
        due_on=data.due_on,
        actor=principal.actor,
        note=data.note,
    )
    return await views.detail(session, made)


@get(AT, opt=FINANCE, tags=TAGS, summary="Read a settlement")
async def read_settlement(
    reference: FromPath[str], session: NamedDependency[AsyncSession]
) -> SettlementDetail:
    """Positions, legs and history of one settlement."""
    return await views.detail(session, await repository.find(session, reference))


@get(AT + "/matrix", opt=FINANCE, tags=TAGS, summary="Read who owes whom, gross")
async def read_matrix(reference: FromPath[str], session: NamedDependency[AsyncSession]) -> Matrix:
    """What each party owes each other, by currency and reason, before netting."""
    return await views.matrix(session, await repository.find(session, reference))


async def _view(session: AsyncSession, row: Settlement) -> SettlementView:
    return await views.settlement_view(session, row)


@post(AT + "/record", opt=FINANCE, tags=TAGS, summary="Record a settlement", status_code=200)
async def record_settlement(
    reference: FromPath[str],
    data: JSONBody[StepBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> SettlementView:
    """One person vouches for it: positions become dues in the clearing house's books."""
    row = await repository.find(session, reference)
    done = await service.record(session, row.id, actor=principal.actor, note=data.note)
    return await _view(session, done)


@post(AT + "/approve", opt=FINANCE, tags=TAGS, summary="Approve a settlement", status_code=200)
async def approve_settlement(
    reference: FromPath[str],
    data: JSONBody[StepBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> SettlementView:
    """A second person vouches for it: not who recorded it."""
    row = await repository.find(session, reference)
    done = await service.approve(session, row.id, actor=principal.actor, note=data.note)
    return await _view(session, done)


@post(AT + "/abort", opt=FINANCE, tags=TAGS, summary="Abort a settlement", status_code=200)
async def abort_settlement(
    reference: FromPath[str],
    data: JSONBody[WhyBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> SettlementView:
    """Only before a leg went to its rail: its windows are closed again."""
    row = await repository.find(session, reference)
    done = await service.abort(session, row.id, actor=principal.actor, note=data.reason)
    return await _view(session, done)


@post(AT + "/submit", opt=FINANCE, tags=TAGS, summary="Submit a settlement", status_code=202)
async def submit_settlement(
    reference: FromPath[str],
    data: JSONBody[SubmitBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> SettlementView:
    """Its legs go to their rails within seconds, debits first; files appear with it."""
    row = await repository.find(session, reference)
    done = await service.submit(
        session,
        row.id,
        actor=principal.actor,
        note=data.note,
        pay_before_collected=data.pay_before_collected,
        keep_prefund=data.keep_prefund,
        without_account=data.without_account,
    )
    return await _view(session, done)


@get(AT + "/files", opt=FINANCE, tags=TAGS, summary="List files for banks")
async def list_files(reference: FromPath[str], session: NamedDependency[AsyncSession]) -> Files:
    """What somebody carries to a bank, oldest first."""
    row = await repository.find(session, reference)
    return Files([views.file_view(each) for each in await repository.files(session, row.id)])


@post(AT + "/files/check", opt=FINANCE, tags=TAGS, summary="Make files again", status_code=200)
async def check_files(
    reference: FromPath[str],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> FileCheck:
    """Make every file again from what was kept, and compare to the byte."""
    row = await repository.find(session, reference)
    found = await files.make_again(runtime.database, runtime.rails, row.id)
    remade = [RemadeView(each.name, each.batch, each.sha256, each.same) for each in found]
    return FileCheck(all(each.same for each in remade), remade)


@get("/files/{file_id:uuid}", opt=FINANCE, tags=TAGS, summary="Download a file for a bank")
async def download_file(
    file_id: FromPath[UUID], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """The file as it was made."""
    row = await files.get(session, file_id)
    return Response(
        row.content,
        media_type=row.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{row.name}"',
            "Cache-Control": "private, no-store",
        },
    )


@get("/legs/{reference:str}", opt=FINANCE, tags=TAGS, summary="Read a leg")
async def read_leg(reference: FromPath[str], session: NamedDependency[AsyncSession]) -> LegHistory:
    """A payment and what became of it."""
    return await _leg_history(session, await _leg(session, reference))


async def _leg_history(session: AsyncSession, row: SettlementLeg) -> LegHistory:
    [view] = await views.leg_views(session, [row])
    return LegHistory(view, await views.events(session, Subject.LEG, row.id))


@post("/legs/{reference:str}/book", opt=FINANCE, tags=TAGS, summary="Book a leg", status_code=200)
async def book_leg(
    reference: FromPath[str],
    data: JSONBody[BookBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> LegHistory:
    """By hand, where no bank statement will show it: members that pay each other, a cheque."""
    row = await _leg(session, reference)
    await legs.book(
        session,
        row.id,
        booked_on=data.booked_on,
        rail_reference=data.rail_reference,
        actor=principal.actor,
        note=data.note or "by hand",
    )
    return await _leg_history(session, await repository.leg(session, row.id))


@post(
    "/legs/{reference:str}/reject", opt=FINANCE, tags=TAGS, summary="Reject a leg", status_code=200
)
async def reject_leg(
    reference: FromPath[str],
    data: JSONBody[WhyBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> LegHistory:
    """By hand: no money of it has moved, and none will."""
    row = await _leg(session, reference)
    await legs.reject(session, row.id, reason=data.reason, actor=principal.actor)
    return await _leg_history(session, await repository.leg(session, row.id))


@post("/legs/{reference:str}/repay", opt=FINANCE, tags=TAGS, summary="Pay a failed leg again")
async def repay_leg(
    reference: FromPath[str],
    data: JSONBody[StepBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> LegView:
    """Another leg for one that was rejected or returned, with the account the member has now."""
    row = await _leg(session, reference)
    made = await legs.repay(session, row.id, actor=principal.actor, note=data.note)
    [view] = await views.leg_views(session, [await repository.leg(session, made)])
    return view


@post("/legs/{reference:str}/default", opt=FINANCE, tags=TAGS, summary="Cover a default")
async def default_leg(
    reference: FromPath[str],
    data: JSONBody[DefaultBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> SettlementDetail:
    """An exceptional settlement, pending, of what a debtor did not pay."""
    row = await _leg(session, reference)
    made = await defaulting.default(
        session,
        row.id,
        cover=data.cover,
        actor=principal.actor,
        note=data.reason,
        recover=data.recover,
    )
    return await views.detail(session, made)


@get("/accounts", opt=FINANCE, tags=TAGS, summary="List accounts of members")
async def list_accounts(
    session: NamedDependency[AsyncSession],
    member: Annotated[str | None, QueryParameter(max_length=100, description="Slug.")] = None,
) -> Accounts:
    """Where members pay from and are paid to, and what was proposed; newest first."""
    member_id = None if member is None else (await get_member(session, member)).id
    rows = await accounts.all_accounts(session, member_id=member_id)
    return Accounts(await views.account_views(session, rows))


@post("/accounts", opt=FINANCE, tags=TAGS, summary="Propose an account of a member")
async def propose_account(
    data: JSONBody[AccountBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> AccountView:
    """Used once a second person approves it."""
    await accounts.check(
        runtime.rails, rail=data.rail, currency=data.currency, account=data.account
    )
    member = await get_member(session, data.member)
    made = await accounts.propose(
        session,
        member_id=member.id,
        currency=data.currency,
        rail=data.rail,
        account=data.account,
        actor=principal.actor,
    )
    return (await views.account_views(session, [made]))[0]


@post(
    "/accounts/{account_id:uuid}/approve",
    opt=FINANCE,
    tags=TAGS,
    summary="Approve an account",
    status_code=200,
)
async def approve_account(
    account_id: FromPath[UUID],
    data: JSONBody[StepBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> AccountView:
    """Not by who proposed it; the one used so far is replaced."""
    row = await accounts.approve(session, account_id, actor=principal.actor, note=data.note)
    return (await views.account_views(session, [row]))[0]


@post(
    "/accounts/{account_id:uuid}/refuse",
    opt=FINANCE,
    tags=TAGS,
    summary="Refuse an account",
    status_code=200,
)
async def refuse_account(
    account_id: FromPath[UUID],
    data: JSONBody[WhyBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> AccountView:
    """A proposed account is not to be used."""
    row = await accounts.refuse(session, account_id, actor=principal.actor, note=data.reason)
    return (await views.account_views(session, [row]))[0]


@get("/caps", opt=FINANCE, tags=TAGS, summary="Read how much of their caps members use")
async def read_caps(session: NamedDependency[AsyncSession]) -> Caps:
    """What capped members owe for held and unsettled burns, and what was paid ahead."""
    return await views.cap_views(session)


ROUTES = [
    list_settlements,
    draft_settlement,
    read_settlement,
    read_matrix,
    record_settlement,
    approve_settlement,
    abort_settlement,
    submit_settlement,
    list_files,
    check_files,
    download_file,
    read_leg,
    book_leg,
    reject_leg,
    repay_leg,
    default_leg,
    list_accounts,
    propose_account,
    approve_account,
    refuse_account,
    read_caps,
]
