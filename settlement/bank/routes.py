"""Bank statements over HTTP, under /v1/settlement/bank: for people of finance."""

from __future__ import annotations

import asyncio
import shutil
from datetime import date
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.api import Role, access
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.page import AnyRequest
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor
from settlement.bank import (
    accounts,
    breaking,
    daily,
    deciding,
    importing,
    reading,
    resolving,
    suggesting,
    transit,
)
from settlement.bank.daily import FiveWay
from settlement.bank.domain import BreakKind
from settlement.bank.importing import ImportReport
from settlement.bank.resolving import Resolution
from settlement.bank.schemas import (
    AccountBody,
    Accounts,
    AccountView,
    Breaks,
    BreakView,
    Matches,
    Moves,
    NoteBody,
    Statements,
    Suggestions,
    Transit,
    account_view,
    break_view,
    match_view,
    statement_view,
    suggestion_view,
)

FINANCE = access(roles=[Role.FINANCE, Role.OPERATOR])
TAGS = ["settlement"]
MOST = 1_000
MOST_BYTES = 1_000_000_000
"""Of a request; the setting `bank_file_mb` is asked for each file."""


@get("/bank/accounts", opt=FINANCE, tags=TAGS, summary="List the clearing house's accounts")
async def list_accounts(session: NamedDependency[AsyncSession]) -> Accounts:
    """By identifier."""
    return Accounts([account_view(row) for row in await accounts.accounts(session)])


@post("/bank/accounts", opt=FINANCE, tags=TAGS, summary="Make an account known")
async def add_account(
    data: JSONBody[AccountBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> AccountView:
    """An account of the clearing house itself: statements of others are refused."""
    made = await accounts.add(
        session,
        identifier=data.identifier,
        currency=data.currency,
        rail=data.rail,
        name=data.name,
        actor=principal.actor,
        as_written=data.as_written,
    )
    return account_view(made)


@get("/bank/statements", opt=FINANCE, tags=TAGS, summary="List bank statements")
async def list_statements(
    session: NamedDependency[AsyncSession], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Statements:
    """Those imported last first."""
    before = decode_cursor(cursor, reading.Place)
    rows = await reading.statements(session, before=before, most=limit + 1)
    page, following = cut_page(rows, limit, lambda row: reading.Place(row[0].id))
    return Statements([statement_view(row) for row, _ in page], following)


@post(
    "/bank/statements",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    request_max_body_size=MOST_BYTES,
    summary="Import a file of a bank",
)
async def import_statements(
    request: AnyRequest,
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> ImportReport:
    """A file in the form field `file`: whole, or not at all; the same again changes nothing."""
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise InvalidRequest("Send the file as multipart/form-data, in the field `file`.")
    return await take(runtime, sent, actor=principal.actor)


async def take(runtime: Runtime, sent: UploadFile, *, actor: str) -> ImportReport:
    """Import a file that was uploaded. InvalidRequest where it is larger than the house takes."""
    most = runtime.settings.bank_file_mb
    try:
        if sent.file.seek(0, SEEK_END) > most * 1_000_000:
            raise InvalidRequest(
                f"The file has more than {most} MB. Import it on the command line, or raise "
                "MARKETPLACE_BANK_FILE_MB."
            )
        with TemporaryDirectory(prefix="marketplace-statement-") as folder:
            path = Path(folder) / "sent"
            await asyncio.to_thread(_keep, sent, path)
            name = Path(sent.filename).name
            return await importing.import_file(runtime, path, actor=actor, name=name)
    finally:
        await sent.close()


def _keep(sent: UploadFile, path: Path) -> None:
    sent.file.seek(0)
    with path.open("wb") as kept:
        shutil.copyfileobj(sent.file, kept)


@get("/bank/suggestions", opt=FINANCE, tags=TAGS, summary="List matches to be decided")
async def list_suggestions(session: NamedDependency[AsyncSession]) -> Suggestions:
    """With rule, confidence and reason."""
    rows = await suggesting.suggestions(session, limit=MOST)
    return Suggestions([suggestion_view(row) for row in rows])


@post(
    "/bank/suggestions/{suggestion_id:uuid}/accept",
    opt=FINANCE,
    tags=TAGS,
    status_code=204,
    summary="Take a suggested match",
)
async def accept(
    suggestion_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """The leg is paid by that line."""
    await deciding.accept(session, suggestion_id, actor=principal.actor)


@post(
    "/bank/suggestions/{suggestion_id:uuid}/refuse",
    opt=FINANCE,
    tags=TAGS,
    status_code=204,
    summary="Leave a suggested match",
)
async def refuse(
    suggestion_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """It is not made again."""
    await deciding.refuse(session, suggestion_id, actor=principal.actor)


@get("/bank/matches", opt=FINANCE, tags=TAGS, summary="List matches of bank lines")
async def list_matches(
    session: NamedDependency[AsyncSession],
    line: Annotated[UUID | None, QueryParameter(description="Only of this line.")] = None,
    leg: Annotated[UUID | None, QueryParameter(description="Only of this leg.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Matches:
    """Those made last first, with rule, confidence and reason; contras that took one back too."""
    before = decode_cursor(cursor, UUID)
    rows = await reading.matches(session, entry_id=line, leg_id=leg, before=before, most=limit + 1)
    page, following = cut_page(rows, limit, lambda row: row[0].id)
    return Matches([match_view(*row) for row in page], following)


@post(
    "/bank/matches/{match_id:uuid}/undo",
    opt=FINANCE,
    tags=TAGS,
    status_code=204,
    summary="Take a match back",
)
async def undo(
    match_id: FromPath[UUID],
    data: JSONBody[NoteBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """Contra postings; the line is open again."""
    await deciding.undo(session, match_id, actor=principal.actor, note=data.note)


@get("/bank/breaks", opt=FINANCE, tags=TAGS, summary="List what does not match")
async def list_breaks(
    session: NamedDependency[AsyncSession],
    kind: Annotated[BreakKind | None, QueryParameter(description="Only of this kind.")] = None,
) -> Breaks:
    """Those that nobody has resolved, newest first."""
    return Breaks(
        [break_view(row) for row in await breaking.breaks(session, kind=kind, limit=MOST)]
    )


@post(
    "/bank/breaks/{break_id:uuid}/resolve",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Resolve a break",
)
async def resolve(
    break_id: FromPath[UUID],
    data: JSONBody[Resolution],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> BreakView:
    """By an action that fits it, with a note. A write-off waits for a second person."""
    await resolving.resolve(session, break_id, data, actor=principal.actor)
    return break_view(await breaking.find(session, break_id))


@post(
    "/bank/breaks/{break_id:uuid}/confirm",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Confirm a write-off",
)
async def confirm(
    break_id: FromPath[UUID],
    data: JSONBody[NoteBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> BreakView:
    """By another person than the one who proposed it."""
    await resolving.confirm(session, break_id, actor=principal.actor, note=data.note)
    return break_view(await breaking.find(session, break_id))


@get("/bank/in-transit", opt=FINANCE, tags=TAGS, summary="List legs that no statement shows")
async def list_in_transit(session: NamedDependency[AsyncSession]) -> Transit:
    """The oldest first."""
    return Transit(await transit.in_transit(session))


@get("/bank/moves", opt=FINANCE, tags=TAGS, summary="List money between own accounts")
async def list_moves(session: NamedDependency[AsyncSession]) -> Moves:
    """What a statement shows leaving, and none arriving or coming back; the longest due first."""
    return Moves(await transit.own_in_transit(session))


@get("/daily", opt=FINANCE, tags=TAGS, summary="Close a day five ways")
async def close_of_day(
    session: NamedDependency[AsyncSession],
    day: Annotated[
        date | None, QueryParameter(name="date", description="Yesterday where none is given.")
    ] = None,
) -> FiveWay:
    """Points ledger, burns, supplier confirmations, settlement and bank: green, or what differs."""
    return await daily.close_of_day(session, day)


ROUTES: api.Routes = [
    list_accounts,
    add_account,
    list_statements,
    import_statements,
    list_suggestions,
    accept,
    refuse,
    list_matches,
    undo,
    list_breaks,
    resolve,
    confirm,
    list_in_transit,
    list_moves,
    close_of_day,
]
