"""The page on which a participant lets points be given before they expire, and stops it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from charity import causes, rescue_view, rescues
from charity.domain import PlanStatus
from charity.errors import CampaignOver, CharityNotVerified, UnknownCause
from charity.words import REFUSALS
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal, Role
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

HERE: Final = "/charity/expiring"
PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)
DAYS: Final = (2, 3, 7, 14, 30)
STATUSES: Final[dict[PlanStatus, tuple[Lazy, str]]] = {
    PlanStatus.ANNOUNCED: (_l("announced"), "care"),
    PlanStatus.GIVEN: (_l("given"), "good"),
    PlanStatus.NOTHING: (_l("you spent them yourself"), "told"),
    PlanStatus.MISSED: (_l("could not be given"), "bad"),
    PlanStatus.STOPPED: (_l("stopped by you"), "told"),
}


class ExpiringForm(msgspec.Struct):
    """What the page sends."""

    campaign: str = ""
    notice_days: str = ""
    fallback: str = ""
    anonymous: str = ""


@get("/expiring", opt=PARTICIPANTS, include_in_schema=False)
async def show_expiring(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What was asked for, what was announced, and the way to stop it."""
    return await _show(page, principal, session)


async def _show(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    *,
    problem: Lazy | None = None,
    status: int = HTTPStatus.OK,
) -> Html:
    page.active = "giving"
    found = await session.run_sync(rescue_view.of, principal, page.locale)
    open_now = [
        each
        for each in await causes.shown(session, page.locale)
        if each.open and not each.charity.cannot_receive
    ]
    return page.render(
        "charity/expiring.html",
        status_code=status,
        found=found,
        standing=found is not None and found.stopped_at is None,
        choices=[(each.slug, f"{each.title}, {each.charity.legal_name}") for each in open_now],
        days=[(str(each), str(each)) for each in DAYS],
        statuses={key: (page._(words), tone) for key, (words, tone) in STATUSES.items()},
        refusals={key: page._(words) for key, words in REFUSALS.items()},
        problem=problem,
    )


@post("/expiring", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def ask(
    data: URLEncodedBody[ExpiringForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Let points be given before they expire; what was asked before ends."""
    if data.notice_days not in {str(each) for each in DAYS}:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    new = rescues.NewRescue(
        campaign=data.campaign,
        fallback=bool(data.fallback),
        notice_days=int(data.notice_days),
        anonymous=bool(data.anonymous),
        locale=page.locale,
    )
    try:
        await session.run_sync(rescues.set_up, principal, new)
    except (CharityNotVerified, CampaignOver, UnknownCause):
        closed = _l("It takes no gifts now. Choose another campaign.")
        return await _show(page, principal, session, problem=closed, status=HTTPStatus.CONFLICT)
    said = _l("We tell you each time before points are given, and you can stop it here.")
    return page.redirect(HERE, notice=said)


@post("/expiring/stop", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def stop(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Stop it with one click."""
    await session.run_sync(rescues.stop, principal)
    return page.redirect(HERE, notice=_l("It is stopped: nothing is given that was announced."))


PAGES = [show_expiring, ask, stop]
