"""The page of a firm's matches, for its manager: what was promised, what is left; start and end."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, causes, firm_matching, giving
from charity.domain import BPS
from charity.errors import CampaignOver, CharityNotVerified
from charity.models import Campaign
from charity.words import REFUSALS
from marketplace.coalition.models import Firm
from marketplace.errors import InvalidRequest
from marketplace.exchange.decide import MAX_AMOUNT
from marketplace.exchange.errors import BurnRejected
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.models import Wallet
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

HERE: Final = "/charity/firm/matches"
MANAGERS = access(roles=[Role.FIRM_MANAGER], page=True)
RATIOS: Final = (50, 100, 200, 500, 1_000)
"""Percent, as the form offers them."""


class MatchForm(msgspec.Struct):
    """What the page sends. `key` was made with the form, so that a form promises once."""

    key: str = ""
    campaign: str = ""
    wallet: str = ""
    percent: str = ""
    cap: str = ""


@get("/firm/matches", opt=MANAGERS, include_in_schema=False)
async def show_matches(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What the firm promised, what of it was added to gifts, what is left; another promise."""
    return await _show(page, principal, session, MatchForm(key=secrets.token_urlsafe(18)))


async def _show(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    form: MatchForm,
    *,
    errors: Mapping[str, Lazy] | None = None,
    problem: Lazy | None = None,
    status: int = HTTPStatus.OK,
) -> Html:
    page.active = "giving"
    # Without those that the pool could not give: they were refused, and never matched anything.
    matches = [
        each
        for each in await session.run_sync(firm_matching.views, principal)
        if each.funded_at is not None or each.ended_at is None
    ]
    slugs = {each.campaign for each in matches}
    known = list(await session.scalars(sa.select(Campaign).where(Campaign.slug.in_(slugs))))
    texts = await campaigns.texts_of(session, known, page.locale)
    open_now = [
        each
        for each in await causes.shown(session, page.locale)
        if each.open and not each.charity.cannot_receive
    ]
    return page.render(
        "charity/firm_matches.html",
        status_code=status,
        matches=matches,
        titles={each.slug: texts[each.id].title for each in known},
        pools=await _pools(session, principal),
        choices=[(each.slug, f"{each.title}, {each.charity.legal_name}") for each in open_now],
        percents=[(str(each), f"{each} %") for each in RATIOS],
        form=form,
        errors={name: page._(words) for name, words in (errors or {}).items()},
        problem=problem,
    )


async def _pools(session: AsyncSession, principal: Principal) -> list[tuple[str, str, int]]:
    """Pools of the firm: id, name, points there."""
    query = (
        sa.select(Wallet.id, Firm.name, Wallet.available)
        .join(Firm, Firm.id == Wallet.firm_id)
        .where(Wallet.firm_id == principal.firm_id)
        .order_by(Wallet.id)
    )
    return [(str(row[0]), row[1], row[2]) for row in await session.execute(query)]


@post("/firm/matches", opt=MANAGERS, include_in_schema=False, status_code=303)
async def start(
    data: URLEncodedBody[MatchForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
) -> Html:
    """Promise, once per form; a slip of the pen is shown beside its field."""
    new, errors = _read(data, page.locale)
    if new is None:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return await _show(page, principal, session, data, errors=errors, status=status)
    problem = None
    try:
        engine = request.app.state.burn_engine
        _, given = await firm_matching.start(runtime.database, engine, principal, new)
        if isinstance(given.error, BurnRejected):
            problem = REFUSALS.get(given.error.code, REFUSALS[""])
        elif given.error is not None:
            raise given.error
    except (CampaignOver, CharityNotVerified):
        problem = _l("It takes no gifts now. Choose another campaign.")
    if problem is not None:
        # The key is burnt by its refusal: what is sent next is another promise.
        again = msgspec.structs.replace(data, key=secrets.token_urlsafe(18))
        status = HTTPStatus.CONFLICT
        return await _show(page, principal, session, again, problem=problem, status=status)
    return page.redirect(HERE, notice=_l("Promised. It matches gifts in a moment."))


def _read(
    data: MatchForm, locale: str
) -> tuple[firm_matching.NewFirmMatch | None, dict[str, Lazy]]:
    """What a form asks for, or what is wrong with its fields."""
    digits = "".join(each for each in data.cap if not each.isspace())
    cap = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else 0
    if not 0 < cap <= MAX_AMOUNT:
        return None, {"cap": _l("A whole number of points above zero.")}
    if not data.key or data.percent not in {str(each) for each in RATIOS}:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    return firm_matching.NewFirmMatch(
        campaign=data.campaign,
        wallet_id=giving.wallet_id_of(data.wallet),
        ratio_bps=int(data.percent) * BPS // 100,
        cap_points=cap,
        key=data.key,
        locale=locale,
    ), {}


@post("/firm/matches/{match_id:uuid}/end", opt=MANAGERS, include_in_schema=False, status_code=303)
async def end(
    match_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """End a match of the firm's."""
    await session.run_sync(firm_matching.end, principal, match_id)
    said = _l("It has ended. What it has not added comes back to the pool in a moment.")
    return page.redirect(HERE, notice=said)


PAGES = [show_matches, start, end]
