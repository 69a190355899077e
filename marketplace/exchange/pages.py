"""Pages: getting a reward in two taps. The first shows what will happen, the second does it."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import IdempotencyKeyReused, InvalidRequest, MarketplaceError, NotFound
from marketplace.exchange import gifts
from marketplace.exchange.answering import Answer
from marketplace.exchange.burn_endpoint import LONGEST_KEY, burn_request
from marketplace.exchange.decide import MAX_QUANTITY
from marketplace.exchange.errors import BurnRejected
from marketplace.exchange.gifts import LONGEST_MESSAGE
from marketplace.exchange.previewing import preview
from marketplace.exchange.schemas import SELECTION, BurnBody
from marketplace.exchange.words import obstacle, seconds_in_words
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.lots import expiries_by_month
from marketplace.ledger.service import own_wallet
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy, speak
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page

PARTICIPANTS = access(roles=[Role.PARTICIPANT], page=True)
CHOSEN = SELECTION.replace("{1,64}", "{0,64}")
"""As an address or a form has it: empty where nothing was chosen beforehand."""
SOON_MONTHS = 2
"""What expires within these calendar months is named before a burn."""

Quantity = Annotated[int, QueryParameter(ge=1, le=MAX_QUANTITY)]
Chosen = Annotated[str, QueryParameter(max_length=64, pattern=CHOSEN)]
Who = Annotated[str, QueryParameter(max_length=200)]


class BurnForm(msgspec.Struct):
    """What the second tap sends. `key` was made with the form, so that a form burns once."""

    key: str = ""
    quantity: int = 1
    expected_points: int = 0
    colleague: str = ""
    """Id of the colleague it is for; empty: for oneself."""
    message: str = ""
    selection: str = ""
    """What was chosen beforehand with the supplier; empty: nothing."""

    def body(self, wallet_id: UUID, offer_id: UUID) -> BurnBody:
        """The burn that is asked for; InvalidRequest where the form was tampered with."""
        key_is_good = 0 < len(self.key) <= LONGEST_KEY and self.key.isprintable()
        if not key_is_good or not 1 <= self.quantity <= MAX_QUANTITY or self.expected_points < 1:
            raise InvalidRequest("The form is not as we gave it; open the page again.")
        return BurnBody(wallet_id, offer_id, self.quantity, self.expected_points, self.chosen)

    @property
    def chosen(self) -> str | None:
        """The selection; InvalidRequest where it cannot be one."""
        if not re.fullmatch(CHOSEN, self.selection):
            raise InvalidRequest("The form is not as we gave it; open the page again.")
        return self.selection or None

    @property
    def colleague_id(self) -> UUID | None:
        """Whom it is for; InvalidRequest where that is no id."""
        try:
            return UUID(self.colleague) if self.colleague else None
        except ValueError:
            raise InvalidRequest("There is no such colleague in your firm.") from None


@get("/burn/{reference:path}", opt=PARTICIPANTS, include_in_schema=False)
async def show_burn(
    reference: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    quantity: Quantity = 1,
    who: Who = "",
    selection: Chosen = "",
) -> Html:
    """What the burn will do: points before and after, which go, when the reward comes."""
    found = await gifts.search(session, principal, who)
    return await _confirmation(
        page,
        principal,
        session,
        runtime,
        _plain(reference),
        quantity,
        selection or None,
        who=who,
        found=found,
    )


@post("/burn/{reference:path}", opt=PARTICIPANTS, include_in_schema=False, status_code=303)
async def burn(
    reference: FromPath[str],
    data: URLEncodedBody[BurnForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
) -> Html:
    """Burn, once per form, at the price that was shown; then show the reward."""
    wallet_id = await own_wallet(session, principal)
    seen, _ = await preview(
        session,
        principal,
        runtime.eligibility_rules,
        wallet_id=wallet_id,
        offer_reference=_plain(reference),
        quantity=data.quantity,
        selection=data.chosen,
    )
    body = data.body(wallet_id, seen.offer_id)
    colleague_id = data.colleague_id
    if colleague_id is not None:
        await gifts.find_colleague(session, principal, colleague_id)
    answer: Answer = await request.app.state.burn_engine.submit(
        burn_request(principal, data.key, body)
    )
    if answer.held is None:
        return await _refused(page, principal, session, runtime, seen.offer, data, answer.error)
    if colleague_id is None:
        return page.redirect(f"/rewards/{answer.held.id}")
    return await _give(page, principal, session, answer.held.id, colleague_id, data.message)


def _plain(reference: str) -> str:
    """The reference in an address: it may hold slashes, so it is taken as a path."""
    return reference.removeprefix("/")


async def _give(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    burn_id: UUID,
    colleague_id: UUID,
    message: str,
) -> Html:
    """The reward is held already, so what fails here is told and changes nothing."""
    address = f"/rewards/{burn_id}"
    try:
        given = await gifts.give(session, principal, burn_id, colleague_id, message)
    except MarketplaceError:
        notice = _l("You have it, but it could not be given. Try again from here.")
        return page.redirect(address, notice=notice, tone="warning")
    return page.redirect(address, notice=_l("It is for %(name)s now.", name=given.colleague))


async def _refused(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    runtime: Runtime,
    reference: str,
    form: BurnForm,
    error: MarketplaceError | None,
) -> Html:
    """The confirmation again, as things stand now; a refused key is never used again."""
    if not isinstance(error, BurnRejected | IdempotencyKeyReused):
        raise error or NotFound()
    changed = _l("Something changed since you opened this page. This is how it stands now.")
    if error.code == "price_changed":
        changed = _l("The price has changed since you opened this page. Nothing is burnt yet.")
    return await _confirmation(
        page,
        principal,
        session,
        runtime,
        reference,
        form.quantity,
        form.chosen,
        changed=changed,
        status=HTTPStatus.CONFLICT,
    )


async def _confirmation(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    runtime: Runtime,
    reference: str,
    quantity: int,
    selection: str | None,
    *,
    who: str = "",
    found: list[gifts.Colleague] | None = None,
    changed: Lazy | None = None,
    status: int = HTTPStatus.OK,
) -> Html:
    wallet_id = await own_wallet(session, principal)
    seen, foreseen = await preview(
        session,
        principal,
        runtime.eligibility_rules,
        wallet_id=wallet_id,
        offer_reference=reference,
        quantity=quantity,
        selection=selection,
    )
    with speak(page.language, page.now):
        stands_in_the_way = obstacle(seen, foreseen)
    if selection is None and stands_in_the_way is None:
        before = await page.before_burn.page(foreseen.offer.plugin, seen.offer, quantity)
        if before is not None:
            return page.redirect(before)
    within = seen.delivery.within_s
    face = await runtime.faces.one(foreseen.offer.id, page.locale)
    return page.render(
        "exchange/burn.html",
        status_code=status,
        seen=seen,
        offer=foreseen.offer,
        title=face.title if face else seen.name,
        face=face,
        obstacle=stands_in_the_way,
        soon=await expiries_by_month(session, wallet_id, months=SOON_MONTHS),
        within=None if within is None else seconds_in_words(within),
        key=secrets.token_urlsafe(18),
        selection=selection or "",
        who=who,
        found=found or [],
        changed=changed,
        longest_message=LONGEST_MESSAGE,
    )


routes = [show_burn, burn]
