"""JSON under /v1/charity: causes for everybody, gifts for those who own the points."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from charity import causes, giving, paper, pictures, proof, schedules
from charity.causes import CauseView
from charity.domain import LONGEST_DEDICATION, Donor
from charity.giving import Wish
from charity.proof import GiftView, ReceiptView, Year
from charity.schemas import GiftPage, Schedules, ScheduleView
from marketplace.errors import MarketplaceError, NotFound
from marketplace.exchange.decide import MAX_AMOUNT
from marketplace.identity.domain import Principal, Role
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.page import page_of
from marketplace.web.pictures import serve

TAGS = ["charity"]
GIVERS = access(roles=[Role.PARTICIPANT, Role.FIRM_MANAGER])
OPEN = access(public=True)
Lang = Annotated[str, QueryParameter(max_length=20, description="Language of words, `pl`.")]
AnyRequest = Request[Any, Any, Any]
Points = Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)]


class GiftBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/charity/gifts`."""

    campaign: str
    wallet_id: UUID
    points: Points
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    """New for each gift, the same when it is tried again."""
    anonymous: bool = False
    dedication: Annotated[str, msgspec.Meta(max_length=LONGEST_DEDICATION)] = ""
    language: Annotated[str, msgspec.Meta(max_length=20)] = "en"


@get("/campaigns", opt=OPEN, tags=TAGS, summary="List campaigns")
async def list_campaigns(
    session: NamedDependency[AsyncSession], lang: Lang = "en"
) -> list[CauseView]:
    """Every campaign that has started, with what it has raised."""
    return await causes.shown(session, lang)


@get("/campaigns/{slug:str}", opt=OPEN, tags=TAGS, summary="Read a campaign")
async def read_campaign(
    slug: FromPath[str], session: NamedDependency[AsyncSession], lang: Lang = "en"
) -> CauseView:
    """A campaign, its charity, its matches and what it has raised."""
    return await causes.one(session, slug, lang)


@get(
    "/pictures/{name:str}",
    opt=OPEN,
    tags=TAGS,
    summary="Read a picture of a campaign",
    media_type="image/webp",
)
async def read_picture(
    name: FromPath[str], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """`<hash>-<width>.webp`; it never changes."""
    return serve(name, await pictures.file(session, name))


@post("/gifts", opt=GIVERS, tags=TAGS, summary="Give points")
async def post_gift(
    data: JSONBody[GiftBody],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    request: AnyRequest,
) -> GiftView:
    """Give any whole number of points, once per key: from one's wallet, or the firm's pool."""
    wish = Wish(
        campaign=data.campaign,
        wallet_id=data.wallet_id,
        points=data.points,
        key=data.key,
        anonymous=data.anonymous,
        dedication=data.dedication,
        locale=data.language,
    )
    engine = request.app.state.burn_engine
    given = await giving.give(runtime.database, engine, principal, wish)
    if isinstance(given.error, MarketplaceError):
        raise given.error
    return await _gift(runtime, principal, given.burn_id, data.language)


async def _gift(runtime: Runtime, principal: Principal, burn_id: UUID, language: str) -> GiftView:
    async with runtime.database.begin() as session:
        owner = proof.owner_of(principal)
        found = await proof.gifts_of(
            session, owner, language, only=burn_id, traces=runtime.burn_tracers
        )
    if not found:
        raise NotFound("There is no such gift of yours.")
    return found[0]


@get("/gifts", opt=GIVERS, tags=TAGS, summary="List one's gifts")
async def list_gifts(
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    lang: Lang = "en",
) -> GiftPage:
    """The last hundred gifts, newest first, with the way of their money."""
    owner = proof.owner_of(principal)
    return GiftPage(await proof.gifts_of(session, owner, lang, traces=runtime.burn_tracers))


@get("/gifts/{burn_id:uuid}", opt=GIVERS, tags=TAGS, summary="Read a gift")
async def read_gift(
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    lang: Lang = "en",
) -> GiftView:
    """A gift: burnt, captured, window, settlement, payment."""
    return await _gift(runtime, principal, burn_id, lang)


@post(
    "/gifts/{burn_id:uuid}/cancel",
    opt=GIVERS,
    tags=TAGS,
    summary="Take a gift back",
    status_code=200,
)
async def cancel_gift(
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    lang: Lang = "en",
) -> GiftView:
    """Take a gift back within its time of grace; again changes nothing."""
    async with runtime.database.begin() as session:
        await giving.take_back(session, principal, burn_id)
    await giving.wake(runtime, burn_id)
    return await _gift(runtime, principal, burn_id, lang)


@get("/years", opt=GIVERS, tags=TAGS, summary="Read a year's gifts")
async def read_year(
    year: Annotated[int, QueryParameter(ge=2000, le=9998, description="A calendar year, UTC.")],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    donor: Annotated[Donor, QueryParameter(description="Whose points they were.")] = Donor.PERSON,
    lang: Lang = "en",
) -> Year:
    """Sums and gifts of a calendar year, refunds and failed payments included."""
    owner = proof.owner_of(principal)
    return await proof.year_of(session, owner, donor, year, lang, runtime.burn_tracers)


@get("/receipts/{receipt_id:uuid}", opt=GIVERS, tags=TAGS, summary="Read a receipt")
async def read_receipt(
    receipt_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> ReceiptView:
    """A receipt as it was issued."""
    return await proof.receipt_of(session, proof.owner_of(principal), receipt_id)


@get(
    "/receipts/{receipt_id:uuid}/receipt.pdf",
    opt=GIVERS,
    tags=TAGS,
    summary="Read a receipt on paper",
    media_type="application/pdf",
)
async def read_receipt_paper(
    receipt_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    request: AnyRequest,
) -> Response[bytes]:
    """A receipt as PDF, in the language that the gift was made in."""
    receipt = await proof.receipt_of(session, proof.owner_of(principal), receipt_id)
    languages = page_of(request).languages
    language = languages.get(receipt.facts.language) or languages["en"]
    return Response(
        await paper.typeset(receipt, language),
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{receipt.code.replace("/", "-")}.pdf"'},
    )


class ScheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/charity/schedules`."""

    campaign: str
    wallet_id: UUID
    points: Points
    day: Annotated[int, msgspec.Meta(ge=1, le=schedules.LAST_DAY)]
    anonymous: bool = False
    language: Annotated[str, msgspec.Meta(max_length=20)] = "en"


@post("/schedules", opt=GIVERS, tags=TAGS, summary="Give every month")
async def post_schedule(
    data: JSONBody[ScheduleBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> ScheduleView:
    """Give every month on a day, until it is stopped."""
    asked = schedules.NewSchedule(
        campaign=data.campaign,
        wallet_id=data.wallet_id,
        points=data.points,
        day=data.day,
        anonymous=data.anonymous,
        locale=data.language,
    )
    made = await session.run_sync(schedules.set_up, principal, asked)
    return await session.run_sync(schedules.view, made)


@get("/schedules", opt=GIVERS, tags=TAGS, summary="List one's monthly gifts")
async def list_schedules(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> Schedules:
    """Monthly gifts that are not stopped."""
    return Schedules(await session.run_sync(schedules.views_of, principal))


@delete(
    "/schedules/{schedule_id:uuid}",
    opt=GIVERS,
    tags=TAGS,
    summary="Stop a monthly gift",
)
async def stop_schedule(
    schedule_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """Stop it; gifts that were made stay."""
    await session.run_sync(schedules.stop, principal, schedule_id)


ROUTES = [
    list_campaigns,
    read_campaign,
    read_picture,
    post_gift,
    list_gifts,
    read_gift,
    cancel_gift,
    read_year,
    read_receipt,
    read_receipt_paper,
    post_schedule,
    list_schedules,
    stop_schedule,
]
