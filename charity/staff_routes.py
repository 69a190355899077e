"""JSON under /v1/charity for staff: the registry, drafts, campaigns, matches, gifts.

The operator keeps all of it. A charity's own member writes its drafts, words and pictures.
"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from charity import causes, closing, drafts, matching, overview, pictures, registry, standing
from charity.campaigns import NewCampaign, Text
from charity.causes import CauseView, CharityView
from charity.errors import UnknownCause
from charity.matching import NewMatch
from charity.models import Draft
from charity.overview import StaffGift
from charity.registry import NewCharity
from marketplace.clock import now
from marketplace.identity.domain import Principal, Role
from marketplace.web.access import access
from marketplace.web.pictures import MOST_BYTES, encode

TAGS = ["charity"]
OPERATOR = access(roles=[Role.OPERATOR])
WRITERS = access(roles=[Role.OPERATOR, Role.PARTNER])
Words = Annotated[str, QueryParameter(max_length=pictures.LONGEST_ALT)]
Reason = Annotated[str, msgspec.Meta(max_length=500)]


class VerifyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/charity/registry/{slug}/verify`."""

    document: Annotated[str, msgspec.Meta(max_length=500)]
    """What was looked at."""
    verified_on: date
    review_due_on: date
    """From this day on it has lapsed."""


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why; people read it."""

    reason: Reason


class TextsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PUT /v1/charity/campaigns/{slug}/texts`: all of them, by language."""

    texts: dict[str, Text]


class DraftView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that is being written."""

    slug: str
    made_by: str
    campaign: NewCampaign


class MatchMade(msgspec.Struct, frozen=True):
    """A match that was started or ended."""

    id: UUID
    used_points: int


class StaffGifts(msgspec.Struct, frozen=True):
    """Gifts, newest first; `next` is the `after` of the next page."""

    items: list[StaffGift]
    next: UUID | None


async def _charity(session: AsyncSession, slug: str) -> CharityView:
    charity = await registry.find(session, slug)
    return causes.charity_view(charity, (await now(session)).date())


def _draft(draft: Draft) -> DraftView:
    return DraftView(slug=draft.slug, made_by=draft.made_by, campaign=drafts.written(draft))


@get("/registry", opt=OPERATOR, tags=TAGS, summary="List charities")
async def list_charities(session: NamedDependency[AsyncSession]) -> list[CharityView]:
    """Every charity, with why it cannot receive where it cannot."""
    today = (await now(session)).date()
    return [causes.charity_view(each, today) for each in await registry.charities(session)]


@post("/registry", opt=OPERATOR, tags=TAGS, summary="Register a charity")
async def post_charity(
    data: JSONBody[NewCharity],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> CharityView:
    """It cannot receive until it is verified."""
    await registry.register(session, data, actor=principal.actor)
    return await _charity(session, data.slug)


@post(
    "/registry/{slug:str}/verify",
    opt=OPERATOR,
    tags=TAGS,
    summary="Verify a charity",
    status_code=200,
)
async def post_verification(
    slug: FromPath[str],
    data: JSONBody[VerifyBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> CharityView:
    """Its documents were looked at: it may receive until the review is due."""
    asked = msgspec.structs.asdict(data)
    await registry.verify(session, slug, actor=principal.actor, **asked)
    return await _charity(session, slug)


@post(
    "/registry/{slug:str}/suspend",
    opt=OPERATOR,
    tags=TAGS,
    summary="Suspend a charity",
    status_code=200,
)
async def post_suspension(
    slug: FromPath[str],
    data: JSONBody[ReasonBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> CharityView:
    """It receives nothing until it is verified again."""
    await registry.suspend(session, slug, reason=data.reason, actor=principal.actor)
    return await _charity(session, slug)


@get("/drafts", opt=WRITERS, tags=TAGS, summary="List drafts of campaigns")
async def list_drafts(
    principal: NamedDependency[Principal], session: NamedDependency[AsyncSession]
) -> list[DraftView]:
    """Those one looks after."""
    if standing.runs_all(principal):
        return [_draft(each) for each in await drafts.drafts(session)]
    own = principal.member_id and await standing.own_charity(session, principal.member_id)
    return [_draft(each) for each in await drafts.drafts(session, own.id)] if own else []


@put("/drafts/{slug:str}", opt=WRITERS, tags=TAGS, summary="Write a draft of a campaign")
async def put_draft(
    slug: FromPath[str],
    data: JSONBody[NewCampaign],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> DraftView:
    """New, or in place of what it was; another slug in the body renames it."""
    standing.require_own(principal, await registry.find(session, data.charity))
    try:
        was = (await standing.cared_for(session, principal, slug, lock=True)).draft
    except UnknownCause:
        was = None
    made = await drafts.save(session, data, actor=principal.actor, was=was.slug if was else None)
    return _draft(made)


@delete("/drafts/{slug:str}", opt=WRITERS, tags=TAGS, summary="Give a draft up")
async def delete_draft(
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """With its pictures."""
    await standing.cared_for(session, principal, slug, lock=True)
    await drafts.drop(session, slug, actor=principal.actor)


@post(
    "/drafts/{slug:str}/start", opt=OPERATOR, tags=TAGS, summary="Start a campaign", status_code=200
)
async def start_draft(
    slug: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> CauseView:
    """What it promises never changes from now on."""
    await drafts.start(session, principal, slug)
    return await causes.one(session, slug, "en")


@put("/campaigns/{slug:str}/texts", opt=WRITERS, tags=TAGS, summary="Change a campaign's words")
async def put_texts(
    slug: FromPath[str],
    data: JSONBody[TextsBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> CauseView:
    """Title and story by language, never what was promised."""
    await standing.cared_for(session, principal, slug, lock=True)
    await drafts.put_texts(session, slug, data.texts, actor=principal.actor)
    return await causes.one(session, slug, "en")


@post(
    "/campaigns/{slug:str}/pictures",
    opt=WRITERS,
    tags=TAGS,
    summary="Add a picture to a campaign or draft",
    status_code=204,
    request_max_body_size=MOST_BYTES,
)
async def post_picture(
    *,
    slug: FromPath[str],
    body: RawBody,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    en: Words = "",
    ru: Words = "",
    pl: Words = "",
    it: Words = "",
) -> None:
    """The bytes of a JPEG, PNG, WebP or GIF; the query says what is seen on it, by language."""
    encoded = await asyncio.to_thread(encode, body)
    found = await standing.cared_for(session, principal, slug, lock=True)
    alt = {"en": en, "ru": ru, "pl": pl, "it": it}
    await pictures.add(session, found.id, encoded, alt, actor=principal.actor)


@delete(
    "/campaigns/{slug:str}/pictures/{digest:str}",
    opt=WRITERS,
    tags=TAGS,
    summary="Take a picture off",
)
async def delete_picture(
    slug: FromPath[str],
    digest: FromPath[str],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> None:
    """Of a campaign or draft."""
    found = await standing.cared_for(session, principal, slug, lock=True)
    await pictures.drop(session, found.id, digest, actor=principal.actor)


@post(
    "/campaigns/{slug:str}/close",
    opt=OPERATOR,
    tags=TAGS,
    summary="Close a campaign early",
    status_code=200,
)
async def close_campaign(
    slug: FromPath[str],
    data: JSONBody[ReasonBody],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> CauseView:
    """Its matches end, and its surplus goes where it said."""
    await closing.close(session, principal, slug, reason=data.reason)
    return await causes.one(session, slug, "en")


@post("/matches", opt=OPERATOR, tags=TAGS, summary="Let a member match gifts")
async def post_match(
    data: JSONBody[NewMatch],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> MatchMade:
    """Up to its cap; a prefunded one owes all of it at once."""
    made = await session.run_sync(matching.start, data, principal.actor)
    return MatchMade(made.id, made.used_points)


@post(
    "/matches/{match_id:uuid}/end", opt=OPERATOR, tags=TAGS, summary="End a match", status_code=200
)
async def end_match(
    match_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> MatchMade:
    """What a prefunded one did not give comes back; again changes nothing."""
    made = await session.run_sync(matching.end, match_id, principal.actor)
    return MatchMade(made.id, made.used_points)


@get("/received", opt=OPERATOR, tags=TAGS, summary="List everybody's gifts")
async def list_received(
    session: NamedDependency[AsyncSession],
    campaign: Annotated[str, QueryParameter(max_length=100)] = "",
    after: Annotated[UUID | None, QueryParameter(description="`next` of the page before.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> StaffGifts:
    """Newest first; who asked to stay unnamed is not named."""
    found = await overview.gifts(session, campaign=campaign, after=after, limit=limit + 1)
    return StaffGifts(found[:limit], found[limit - 1].id if len(found) > limit else None)


@get(
    "/received.csv",
    opt=OPERATOR,
    tags=TAGS,
    summary="Export everybody's gifts",
    media_type="text/csv",
)
async def export_received(
    session: NamedDependency[AsyncSession],
    campaign: Annotated[str, QueryParameter(max_length=100)] = "",
) -> Response[str]:
    """The same as CSV, a hundred thousand at most."""
    found = await overview.gifts(session, campaign=campaign, limit=overview.MOST_EXPORTED)
    return csv_answer(overview.as_csv(found))


def csv_answer(text: str) -> Response[str]:
    """A file that is downloaded."""
    headers = {"Content-Disposition": 'attachment; filename="gifts.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


ROUTES = [
    list_charities,
    post_charity,
    post_verification,
    post_suspension,
    list_drafts,
    put_draft,
    delete_draft,
    start_draft,
    put_texts,
    post_picture,
    delete_picture,
    close_campaign,
    post_match,
    end_match,
    list_received,
    export_received,
]
