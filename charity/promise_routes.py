"""JSON under /v1/charity of what is promised ahead: points that expire, matches of firms."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from charity import firm_matching, rescue_view, rescues
from charity.rescue_view import RescueView
from charity.routes import TAGS, Lang, Points
from marketplace.errors import MarketplaceError, NotFound
from marketplace.identity.domain import Principal, Role
from marketplace.runtime import Runtime
from marketplace.web.access import access

PARTICIPANTS = access(roles=[Role.PARTICIPANT])
MANAGERS = access(roles=[Role.FIRM_MANAGER])


class ExpiringBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PUT /v1/charity/expiring`."""

    campaign: str
    fallback: bool = True
    """The charity's general fund gets them where the campaign is closed by then."""
    notice_days: Annotated[int, msgspec.Meta(ge=2, le=30)] = 7
    anonymous: bool = False
    language: Annotated[str, msgspec.Meta(max_length=20)] = "en"


@get("/expiring", opt=PARTICIPANTS, tags=TAGS, summary="Read what is given before it expires")
async def read_expiring(
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    lang: Lang = "en",
) -> RescueView:
    """What one asked for, and what was announced: which points, how many, when."""
    return await _shown(session, principal, lang)


@put("/expiring", opt=PARTICIPANTS, tags=TAGS, summary="Give points before they expire")
async def put_expiring(
    data: JSONBody[ExpiringBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> RescueView:
    """Have points of one's own given before they expire, each time after a notice."""
    new = rescues.NewRescue(
        campaign=data.campaign,
        fallback=data.fallback,
        notice_days=data.notice_days,
        anonymous=data.anonymous,
        locale=data.language,
    )
    await session.run_sync(rescues.set_up, principal, new)
    return await _shown(session, principal, data.language)


@delete("/expiring", opt=PARTICIPANTS, tags=TAGS, summary="Stop giving what expires")
async def stop_expiring(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> None:
    """Stop it: what was announced is not given either."""
    await session.run_sync(rescues.stop, principal)


async def _shown(session: AsyncSession, principal: Principal, language: str) -> RescueView:
    found = await session.run_sync(rescue_view.of, principal, language)
    if found is None:
        raise NotFound("You did not ask for that.")
    return found


class FirmMatchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/charity/firm/matches`."""

    campaign: str
    wallet_id: UUID
    """The firm's pool."""
    cap_points: Points
    """Given at once; what is not matched comes back when the match ends."""
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=90)]
    """New for each match, the same when it is tried again."""
    ratio_bps: Annotated[int, msgspec.Meta(ge=1, le=firm_matching.MOST_RATIO_BPS)] = 10_000
    language: Annotated[str, msgspec.Meta(max_length=20)] = "en"


@post("/firm/matches", opt=MANAGERS, tags=TAGS, summary="Match gifts from the firm's pool")
async def post_match(
    data: JSONBody[FirmMatchBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
) -> firm_matching.FirmMatchView:
    """Give the cap from the pool, and match gifts with it from when it has arrived."""
    new = firm_matching.NewFirmMatch(
        campaign=data.campaign,
        wallet_id=data.wallet_id,
        ratio_bps=data.ratio_bps,
        cap_points=data.cap_points,
        key=data.key,
        locale=data.language,
    )
    engine = request.app.state.burn_engine
    match_id, given = await firm_matching.start(runtime.database, engine, principal, new)
    if isinstance(given.error, MarketplaceError):
        raise given.error
    async with runtime.database.begin() as session:
        found = await session.run_sync(firm_matching.views, principal, match_id)
    return found[0]


@get("/firm/matches", opt=MANAGERS, tags=TAGS, summary="List the firm's matches")
async def list_matches(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> firm_matching.FirmMatches:
    """Matches of the firm that one manages, newest first."""
    return firm_matching.FirmMatches(await session.run_sync(firm_matching.views, principal))


@post(
    "/firm/matches/{match_id:uuid}/end",
    opt=MANAGERS,
    tags=TAGS,
    summary="End a match of the firm's",
    status_code=200,
)
async def end_match(
    match_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> firm_matching.FirmMatchView:
    """End it: what it has not added comes back to the pool in a moment. Again changes nothing."""
    await session.run_sync(firm_matching.end, principal, match_id)
    return (await session.run_sync(firm_matching.views, principal, match_id))[0]


ROUTES = [read_expiring, put_expiring, stop_expiring, post_match, list_matches, end_match]
