"""Pages: giving a reward to a colleague, taking it back, accepting what one was given."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.exchange import gifts
from marketplace.exchange.errors import AlreadyGiven, GiftAccepted, NotGivable
from marketplace.exchange.faced import find_faced
from marketplace.exchange.gifts import LONGEST_MESSAGE
from marketplace.exchange.rewards import Reward, find_reward
from marketplace.identity.domain import Principal, Role
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)

Who = Annotated[str, QueryParameter(max_length=200)]


class GiftForm(msgspec.Struct):
    """To whom, and a line to go with it."""

    colleague: str = ""
    message: str = ""


@get("/colleagues", opt=PARTICIPANTS, include_in_schema=False)
async def find_colleagues(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    who: Who = "",
) -> Html:
    """The colleagues that fit, as choices of a form: a part that htmx brings in."""
    found = await gifts.search(session, principal, who)
    return page.fragment("exchange/_colleagues.html", who=who, found=found)


@get("/rewards/{burn_id:uuid}/gift", opt=PARTICIPANTS, include_in_schema=False)
async def show_gift(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    who: Who = "",
) -> Html:
    """Find the colleague, then give."""
    page.active = "rewards"
    reward, _ = await find_faced(runtime, session, principal, burn_id, page.locale)
    if not reward.can_be_given:
        return page.redirect(f"/rewards/{burn_id}")
    found = await gifts.search(session, principal, who)
    return _choose(page, reward, who=who, found=found)


@post("/rewards/{burn_id:uuid}/gift", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def give(
    burn_id: FromPath[UUID],
    data: URLEncodedBody[GiftForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Give the reward; the colleague is told."""
    address = f"/rewards/{burn_id}"
    reward, _ = await find_faced(runtime, session, principal, burn_id, page.locale)
    try:
        colleague = UUID(data.colleague)
    except ValueError:
        problem = _l("Choose the colleague it is for.")
        return _choose(page, reward, message=data.message, problem=problem)
    try:
        given = await gifts.give(session, principal, burn_id, colleague, data.message)
    except NotFound:
        problem = _l("There is no such colleague in your firm.")
        return _choose(page, reward, message=data.message, problem=problem)
    except (AlreadyGiven, NotGivable) as error:
        return page.redirect(address, notice=Lazy(error.detail), tone="warning")
    return page.redirect(address, notice=_l("It is for %(name)s now.", name=given.colleague))


@post(
    "/rewards/{burn_id:uuid}/gift/undo", opt=PARTICIPANTS, include_in_schema=False, status_code=303
)
async def undo(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Take the gift back, while nobody has accepted it or looked at it."""
    address = f"/rewards/{burn_id}"
    try:
        await gifts.undo(session, principal, burn_id)
    except GiftAccepted:
        notice = _l("It is accepted, so it stays with your colleague.")
        return page.redirect(address, notice=notice, tone="warning")
    return page.redirect(address, notice=_l("It is yours again."))


@post(
    "/rewards/{burn_id:uuid}/gift/accept",
    opt=PARTICIPANTS,
    include_in_schema=False,
    status_code=303,
)
async def accept(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Keep what one was given."""
    await gifts.accept(session, principal, await _received(session, principal, burn_id))
    return page.redirect(f"/rewards/{burn_id}", notice=_l("It is yours."))


@post(
    "/rewards/{burn_id:uuid}/gift/decline",
    opt=PARTICIPANTS,
    include_in_schema=False,
    status_code=303,
)
async def decline(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Give it back to whoever gave it."""
    await gifts.decline(session, principal, await _received(session, principal, burn_id))
    return page.redirect("/rewards", notice=_l("It went back to your colleague."))


async def _received(session: AsyncSession, principal: Principal, burn_id: UUID) -> UUID:
    """The id of the gift that this reward is to the reader."""
    reward = await find_reward(session, principal, burn_id)
    if not reward.received or reward.gift_id is None:
        raise NotFound("Nobody gave you this reward.")
    return reward.gift_id


def _choose(
    page: Page,
    reward: Reward,
    *,
    who: str = "",
    found: list[gifts.Colleague] | None = None,
    message: str = "",
    problem: Lazy | None = None,
) -> Html:
    page.active = "rewards"
    return page.render(
        "exchange/gift.html",
        status_code=422 if problem else 200,
        reward=reward,
        who=who,
        found=found or [],
        message=message,
        problem=problem,
        longest_message=LONGEST_MESSAGE,
    )


routes = [find_colleagues, show_gift, give, undo, accept, decline]
