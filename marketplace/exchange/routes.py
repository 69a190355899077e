"""HTTP routes of the exchange, besides the hot one in `burn_endpoint`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import litestar
import msgspec
from litestar import Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, HeaderParameter, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.exchange import gift_routes, offer_routes, queries
from marketplace.exchange.burn_endpoint import LONGEST_KEY, PATH, make_direct_burn, post_burn
from marketplace.exchange.cancelling import cancel
from marketplace.exchange.decide import MAX_QUANTITY
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.previewing import preview
from marketplace.exchange.refunds import RefundRequest, refund, refund_fact
from marketplace.exchange.schemas import (
    SELECTION,
    BurnPreview,
    BurnView,
    OfferView,
    RefundBody,
    RefundView,
)
from marketplace.exchange.watching import BurnWatch
from marketplace.faces import title_of
from marketplace.identity.domain import Principal, Role, Scope
from marketplace.ledger.service import own_wallet
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.direct import DirectRoutes
from marketplace.web.i18n import Accepts, choose_language
from marketplace.web.paging import DEFAULT_LIMIT, Cursor, Limit, cut_page, decode_cursor

Key = Annotated[
    str,
    HeaderParameter(name="Idempotency-Key", min_length=1, max_length=LONGEST_KEY),
]
EVERYBODY = list(Role)


class OfferPage(msgspec.Struct, frozen=True):
    """A page of offers."""

    items: list[OfferView]
    next: str | None


@get(
    "/v1/burns/preview",
    opt=access(roles=[Role.PARTICIPANT], scope=Scope.BURNS_WRITE),
    tags=["burns"],
    summary="What a burn would do now",
)
async def get_preview(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    offer: Annotated[str, QueryParameter(max_length=200, description="Reference of the offer.")],
    quantity: Annotated[int, QueryParameter(ge=1, le=MAX_QUANTITY)] = 1,
    wallet_id: Annotated[
        UUID | None, QueryParameter(description="Absent: the caller's own wallet.")
    ] = None,
    selection: Annotated[
        str | None,
        QueryParameter(pattern=SELECTION, description="What was chosen with the supplier."),
    ] = None,
    accept_language: Accepts = "",
) -> BurnPreview:
    """The points it would cost, the lots they would come from, or why it would be refused.

    Nothing is promised until the burn is made: send `points` along with it as `expected_points`.
    """
    wallet = wallet_id or await own_wallet(session, principal)
    language = choose_language(principal.language, accept=accept_language)
    found, _ = await preview(
        session,
        principal,
        runtime.eligibility_rules,
        wallet_id=wallet,
        offer_reference=offer,
        quantity=quantity,
        selection=selection,
    )
    faces = await runtime.faces.of([found.offer_id], language)
    return msgspec.structs.replace(found, title=title_of(faces, found.offer_id, found.name))


@get(
    "/v1/burns/{burn_id:uuid}",
    opt=access(roles=EVERYBODY, scope=Scope.BURNS_READ),
    tags=["burns"],
    summary="Read a burn",
)
async def get_burn(
    *,
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> BurnView:
    """A burn as it stands now, to those it concerns."""
    return await queries.burn_view(session, await queries.find_burn(session, principal, burn_id))


@post(
    "/v1/burns/{burn_id:uuid}/cancel",
    opt=access(roles=[Role.PARTICIPANT, Role.OPERATOR], scope=Scope.BURNS_WRITE),
    tags=["burns"],
    summary="Cancel a burn that no supplier has been asked for",
    status_code=200,
)
async def post_cancel(
    *,
    burn_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Response[BurnView]:
    """Give the points back while the burn is held and its order has not gone out."""
    grace = timedelta(days=runtime.settings.refund_grace_days)
    view, fact = await cancel(session, principal, burn_id, grace=grace)
    return Response(view, background=_tell(runtime, "marketplace_after_burn_voided", fact))


@post(
    "/v1/burns/{burn_id:uuid}/refunds",
    opt=access(roles=[Role.PARTNER, Role.OPERATOR], scope=Scope.REFUNDS_WRITE),
    tags=["burns"],
    summary="Refund a captured burn, in whole or in part",
)
async def post_refund(
    *,
    burn_id: FromPath[UUID],
    data: Annotated[RefundBody, Body()],
    idempotency_key: Key,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Response[RefundView]:
    """By the operator or the member that was paid; a key refunds once."""
    burn = await queries.find_paid_burn(session, principal, burn_id)
    asked = RefundRequest(
        burn_id,
        burn.wallet_id,
        data.points,
        data.reason,
        idempotency_key,
        hashlib.blake2b(burn_id.bytes + msgspec.json.encode(data), digest_size=16).digest(),
    )
    grace = timedelta(days=runtime.settings.refund_grace_days)
    view, replayed = await refund(session, principal, asked, grace=grace)
    if replayed:
        return Response(view, headers={"Idempotent-Replayed": "true"})
    told = _tell(runtime, "marketplace_after_burn_refunded", refund_fact(view))
    return Response(view, background=told)


def _tell(runtime: Runtime, hook: str, fact: object | None) -> BackgroundTask | None:
    """Observers are told once the answer is out, after commit."""
    return None if fact is None else BackgroundTask(runtime.plugins.tell, hook, fact)


@get(
    "/v1/offers",
    opt=access(roles=EVERYBODY, scope=Scope.OFFERS_READ),
    tags=["offers"],
    summary="List offers",
)
async def get_offers(
    *,
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    kind: Annotated[str | None, QueryParameter(max_length=50)] = None,
    status: Annotated[OfferStatus | None, QueryParameter()] = None,
    accept_language: Accepts = "",
) -> OfferPage:
    """Offers by reference, with what is left of each."""
    rows = await queries.list_offers(
        session, after=decode_cursor(cursor, str), limit=limit + 1, kind=kind, status=status
    )
    items, following = cut_page(rows, limit, lambda offer: offer.reference)
    language = choose_language(principal.language, accept=accept_language)
    return OfferPage(await _titled(runtime, items, language), following)


@get(
    "/v1/offers/{offer_id:uuid}",
    opt=access(roles=EVERYBODY, scope=Scope.OFFERS_READ),
    tags=["offers"],
    summary="Read an offer",
)
async def get_offer(
    *,
    offer_id: FromPath[UUID],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    accept_language: Accepts = "",
) -> OfferView:
    """One offer."""
    found = await queries.get_offer(session, offer_id)
    language = choose_language(principal.language, accept=accept_language)
    return (await _titled(runtime, [found], language))[0]


async def _titled(runtime: Runtime, offers: list[OfferView], language: str) -> list[OfferView]:
    """Offers as their reader knows them."""
    faces = await runtime.faces.of((each.id for each in offers), language)
    return [
        msgspec.structs.replace(each, title=title_of(faces, each.id, each.name)) for each in offers
    ]


@asynccontextmanager
async def burn_engine_lifespan(app: litestar.Litestar) -> AsyncIterator[None]:
    """Run the burn engine and the watch on burns for the life of the API process.

    They are `app.state.burn_engine` and `app.state.burn_watch`.
    """
    runtime: Runtime = app.state.runtime
    settings = runtime.settings
    engine = BurnEngine(
        runtime.database.connect_raw,
        queue_limit=settings.queue_limit,
        batch_limit=settings.batch_limit,
        hold_for=timedelta(minutes=settings.hold_minutes),
        rules=runtime.eligibility_rules,
        tally=runtime.tally,
        lanes=settings.lanes_of_burns,
    )
    await engine.start()
    runtime.tally.gauge("engine_queue", lambda: engine.waiting)
    app.state.burn_engine = engine
    app.state.burn_watch = BurnWatch(runtime.database)
    direct: DirectRoutes = app.state.direct
    direct[b"POST", PATH.encode()] = make_direct_burn(engine, app.state.authenticator)
    try:
        yield
    finally:
        await app.state.burn_watch.stop()
        await engine.stop()


routes = [
    post_burn,
    get_preview,
    get_burn,
    post_cancel,
    post_refund,
    get_offers,
    get_offer,
    *gift_routes.routes,
    *offer_routes.routes,
]
