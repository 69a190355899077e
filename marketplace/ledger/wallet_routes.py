"""`GET /v1/wallets/{id}`, its history and its lots."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.faces import title_of
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.ledger import service
from marketplace.ledger.schemas import HistoryPage, LotPage, WalletView
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Accepts, choose_language
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor

WALLET_READERS = access(
    roles=[Role.PARTICIPANT, Role.FIRM_MANAGER, Role.OPERATOR], scope=Scope.WALLETS_READ
)


@get("/v1/wallets/{wallet_id:uuid}", opt=WALLET_READERS, tags=["Wallets"])
async def get_wallet(
    wallet_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> WalletView:
    """Points available and held, and when the next ones expire."""
    return await service.read_wallet(session, principal, wallet_id)


@get("/v1/wallets/{wallet_id:uuid}/history", opt=WALLET_READERS, tags=["Wallets"])
async def get_wallet_history(
    wallet_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    accept_language: Accepts = "",
) -> HistoryPage:
    """What happened to the wallet's points, newest first."""
    before = decode_cursor(cursor, int)
    rows = await service.read_history(session, principal, wallet_id, before=before, limit=limit + 1)
    page, following = cut_page(rows, limit, lambda line: int(line.id))
    language = choose_language(principal.language, accept=accept_language)
    faces = await runtime.faces.of((each.offer_id for each in page if each.offer_id), language)
    titled = [
        msgspec.structs.replace(line, title=title_of(faces, line.offer_id, line.offer))
        if line.offer is not None
        else line
        for line in page
    ]
    return HistoryPage(titled, following)


@get("/v1/wallets/{wallet_id:uuid}/lots", opt=WALLET_READERS, tags=["Wallets"])
async def get_wallet_lots(
    wallet_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> LotPage:
    """The wallet's points as they were issued, those that a burn takes first at the top."""
    return await service.read_lots(session, principal, wallet_id)


routes = [get_wallet, get_wallet_history, get_wallet_lots]
